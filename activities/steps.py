"""The activities of a step: work of the plan, and commands. Each leads from one checkpoint to the next, once."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from temporalio import activity

from activities.carrying import Carried, carry_out
from activities.commands.environment import marker
from activities.commands.reaper import reap
from activities.commands.resolve import find_test_command, is_test_command, resolve
from activities.commands.runner import CommandRunner
from activities.commands.spec import CommandOutcome
from activities.messages import RUN_COMMAND, WORK, RunCommand, StepReport, StepRequest, Work
from activities.models.provider import choose_provider, settle_model
from activities.projects import Projects
from activities.reports import command_failure, ran_nothing, shown
from activities.scene import Scene
from activities.threads import in_thread
from activities.tools import ToolBox
from activities.workspaces.diff import changed_paths
from activities.workspaces.opening import open_workspace
from activities.workspaces.record import StepOutcome
from activities.workspaces.workspace import Checkpoint, Workspace
from orchex.domain.execution import Failure
from orchex.domain.plan import Plan
from orchex.store.blobs import BlobStore
from orchex.store.environments import Environments

LOCK_SECONDS = 60.0
"""How long an attempt waits for the one before it to let go of the workspace."""

MAX_NOTES = 20


class Done(NamedTuple):
    """What a step has to report, and the paths that it edited itself."""

    report: StepReport
    edited: tuple[str, ...] = ()


Body = Callable[[Scene], Awaitable[Done]]
Keep = Callable[[int, str, str, str], Checkpoint]


class StepActivities:
    def __init__(
        self, home: Path, projects: Projects, blobs: BlobStore, environments: Environments, runner: CommandRunner
    ) -> None:
        self._home = home
        self._projects = projects
        self._blobs = blobs
        self._environments = environments
        self._runner = runner

    @activity.defn(name=WORK)
    async def work(self, request: Work) -> StepReport:
        """Carry out one step of the plan; what it leaves in the workspace is its checkpoint."""
        return await self._attempt(request, lambda scene: self._carry_out(scene, request))

    @activity.defn(name=RUN_COMMAND)
    async def run_command(self, request: RunCommand) -> StepReport:
        """Run one command of the manifest; new untracked files it leaves are dropped again."""
        return await self._attempt(request, lambda scene: self._run_one(scene, request), drops_new_files=True)

    # -- one attempt

    async def _attempt(self, request: StepRequest, body: Body, *, drops_new_files: bool = False) -> StepReport:
        """Take the workspace at its checkpoint, do ``body``, record both what it did and that it did it."""
        workspace = await in_thread(self._workspace, request)
        try:
            recorded = await in_thread(self._begin, workspace, request)
            if recorded is not None:
                return _recorded(workspace, request, recorded)
            done = await self._body(workspace, request, body)
            keep: Keep = workspace.checkpoint_command if drops_new_files else workspace.checkpoint
            record = done.report.model_dump_json()
            kept = await in_thread(keep, request.number, request.step_id, request.title, record)
        finally:
            workspace.release()
        return await in_thread(_told, workspace, done, kept)

    async def _body(self, workspace: Workspace, request: StepRequest, body: Body) -> Done:
        """Do the step. What a cancel cuts short is kept; one that comes after the body meets a whole checkpoint."""
        try:
            return await body(self._scene(workspace, request))
        except asyncio.CancelledError:
            if not activity.is_worker_shutdown():
                await in_thread(_keep_partial, workspace, request)
            raise

    def _workspace(self, request: StepRequest) -> Workspace:
        repository = self._projects.get(request.run.project)
        return open_workspace(repository, request.run.execution_id, request.stream_id)

    def _begin(self, workspace: Workspace, request: StepRequest) -> StepOutcome | None:
        again = activity.info().attempt > 1
        marked = marker(request.run.execution_id, request.stream_id)
        return workspace.begin(
            request.number,
            request.step_id,
            reap=(lambda: reap(marked)) if again else (lambda: None),
            wait=LOCK_SECONDS,
        )

    def _scene(self, workspace: Workspace, request: StepRequest) -> Scene:
        environ = self._environments.get(request.run.execution_id)
        return Scene(self._home, workspace, request, environ, self._runner)

    # -- what a step does

    async def _carry_out(self, scene: Scene, request: Work) -> Done:
        plan = Plan.model_validate_json(self._blobs.get_text(request.plan_ref))
        provider = choose_provider(await settle_model(request.model, scene.environ), scene.environ)
        tools = ToolBox(scene.workspace.root, trusted=True, owned=request.owns, run_command=scene.shell)
        carried: Carried = await carry_out(provider, tools, plan.steps[request.index])
        report = StepReport(
            checkpoint="",
            output=shown(carried.output),
            log=scene.log,
            notes=carried.notes[:MAX_NOTES],
            failure=carried.failure,
            usage=carried.usage,
            attempts=activity.info().attempt,
        )
        return Done(report, carried.edited)

    async def _run_one(self, scene: Scene, request: RunCommand) -> Done:
        root, project = scene.workspace.root, scene.workspace.repository.folder
        command = request.command
        if command is None:
            found = find_test_command(root, dependencies=project)
            if found is None:
                return Done(_no_tests())
            outcome, tests = await scene.run(found.argv, None), True
        else:
            resolved = resolve(command.command, root, dependencies=project)
            tests = is_test_command(command.command, root)
            outcome = await scene.run(resolved.argv, command.timeout_ms)
        return Done(_command_report(request, outcome, tests=tests).model_copy(update={"log": scene.log}))


def _command_report(request: RunCommand, outcome: CommandOutcome, *, tests: bool) -> StepReport:
    left = f"{outcome.leftovers} background processes were still running and were ended"
    return StepReport(
        checkpoint="",
        output=shown(outcome.output),
        notes=(left,) if outcome.leftovers else (),
        tests_passed=tests and outcome.ok and not ran_nothing(outcome.output),
        failure=None if outcome.ok else command_failure(request.title, outcome),
        attempts=activity.info().attempt,
    )


def _no_tests() -> StepReport:
    failure = Failure(
        code="tests_required",
        message="constraints.requireTests is set, but no command runs tests, and the project has no test script",
        hint="Add a test command to the stream's commands, or a test script to the project "
        "(package.json, Makefile, pyproject.toml, …).",
    )
    return StepReport(checkpoint="", failure=failure, attempts=activity.info().attempt)


def _recorded(workspace: Workspace, request: StepRequest, done: StepOutcome) -> StepReport:
    """This very step was done by an attempt whose report was lost: nothing is done twice."""
    report = StepReport.model_validate_json(done.result_json)
    changed = changed_paths(workspace.repository, workspace.commit(request.number), done.commit)
    return report.model_copy(
        update={"checkpoint": done.commit, "changed": len(changed), "attempts": activity.info().attempt}
    )


def _told(workspace: Workspace, done: Done, kept: Checkpoint) -> StepReport:
    """The report with what the checkpoint showed; an edit that is not in it may have been of a file git ignores."""
    changed = {path for change in kept.changed for path in (change.path, change.old_path)}
    missing = [path for path in done.edited if path not in changed]
    notes = [
        f"{path}: git ignores it, so it will not land in the project"
        for path in (workspace.ignored(missing) if missing else ())
    ]
    return done.report.model_copy(
        update={
            "checkpoint": kept.commit,
            "changed": len(kept.changed),
            "dropped": kept.dropped[:50],
            "notes": (*done.report.notes, *notes)[:MAX_NOTES],
        }
    )


def _keep_partial(workspace: Workspace, request: StepRequest) -> None:
    """What a cancelled step had done so far, as a checkpoint under another step id: it does not count as done."""
    workspace.checkpoint(request.number, f"{request.step_id}/partial", f"partial: {request.title}", "")
