"""One attempt at a step: take the workspace at its checkpoint, do the step, record what it did and that it did it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from temporalio import activity

from activities.commands.environment import marker
from activities.commands.reaper import reap
from activities.commands.runner import CommandRunner
from activities.commands.sandbox.policy import SandboxPolicy
from activities.edits.ownership import Ownership
from activities.messages import StepReport, StepRequest
from activities.projects import Projects
from activities.reports import brief
from activities.scene import Scene
from activities.threads import in_thread
from activities.workspaces.diff import ChangedPath, changed_paths
from activities.workspaces.opening import open_workspace
from activities.workspaces.record import StepOutcome
from activities.workspaces.workspace import Checkpoint, Workspace
from orchex.domain.errors import OwnershipViolation
from orchex.domain.printing import printable
from orchex.store.environments import Environments

LOCK_SECONDS = 60.0
"""How long an attempt waits for the one before it to let go of the workspace."""

MAX_NOTES = 20
MAX_DROPPED = 50

Report = TypeVar("Report", bound=StepReport)


class Done(NamedTuple, Generic[Report]):
    """What a step has to report, and the paths that it edited itself."""

    report: Report
    edited: tuple[str, ...] = ()


Body = Callable[[Scene], Awaitable[Done[Report]]]
Keep = Callable[[int, str, str, str], Checkpoint]


class Checkpointing:
    """Leads a stream from one checkpoint to the next, exactly once, whatever happens to an attempt."""

    def __init__(
        self,
        home: Path,
        projects: Projects,
        environments: Environments,
        runner: CommandRunner,
        policy: SandboxPolicy,
    ) -> None:
        self._home = home
        self._projects = projects
        self._environments = environments
        self._runner = runner
        self._policy = policy

    async def attempt(
        self,
        request: StepRequest,
        kind: type[Report],
        body: Body[Report],
        *,
        first: int | None = None,
        drops_new_files: bool = False,
    ) -> Report:
        """Do ``body`` and record its report with the checkpoint; what was recorded already is not done again.

        ``first`` is the checkpoint from which changed files are counted, when the step began before this request.
        """
        workspace = await in_thread(self._workspace, request)
        try:
            recorded = await in_thread(self._begin, workspace, request)
            if recorded is not None:
                return _recorded(workspace, request, recorded, kind, first)
            done = await self._body(workspace, request, body)
            keep: Keep = workspace.checkpoint_command if drops_new_files else workspace.checkpoint
            record = done.report.model_dump_json()
            kept = await in_thread(keep, request.number, request.step_id, request.title, record)
        finally:
            workspace.release()
        _require_owned(request, kept.changed)
        return await in_thread(_told, workspace, done, kept, first)

    async def _body(self, workspace: Workspace, request: StepRequest, body: Body[Report]) -> Done[Report]:
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
        return Scene(self._home, workspace, request, environ, self._runner, self._policy, request.owns)


def _require_owned(request: StepRequest, changed: Sequence[ChangedPath]) -> None:
    """Whatever wrote it, an edit or a command: a file of somebody else's ends the stream, with its work kept."""
    touched = [path for change in changed for path in (change.path, change.old_path) if path is not None]
    others = Ownership(request.owns).violated_by(touched)
    if others:
        raise OwnershipViolation(
            f"step {request.title!r} changed what its stream does not own: {', '.join(map(printable, others[:10]))}"
            f"{f' and {len(others) - 10} more' if len(others) > 10 else ''}",
            hint=f"The stream owns {', '.join(request.owns)}. Widen `owns`, or leave those files to another stream.",
        )


def _recorded(
    workspace: Workspace, request: StepRequest, done: StepOutcome, kind: type[Report], first: int | None
) -> Report:
    """This very step was done by an attempt whose report was lost: nothing is done twice."""
    report = kind.model_validate_json(done.result_json)
    _require_owned(request, changed_paths(workspace.repository, workspace.commit(request.number), done.commit))
    changed = _changed_since(workspace, request.number if first is None else first, done.commit)
    return report.model_copy(
        update={"checkpoint": done.commit, "changed": changed, "attempts": activity.info().attempt}
    )


def _told(workspace: Workspace, done: Done[Report], kept: Checkpoint, first: int | None) -> Report:
    """The report with what the checkpoint showed; an edit that is not in it may have been of a file git ignores."""
    changed = {path for change in kept.changed for path in (change.path, change.old_path)}
    missing = [path for path in done.edited if path not in changed]
    notes = [
        f"{printable(path)}: git ignores it, so it will not land in the project"
        for path in (workspace.ignored(missing) if missing else ())
    ]
    count = len(kept.changed) if first is None else _changed_since(workspace, first, kept.commit)
    return done.report.model_copy(
        update={
            "checkpoint": kept.commit,
            "changed": count,
            "dropped": tuple(brief(printable(path)) for path in kept.dropped[:MAX_DROPPED]),
            "notes": tuple(map(brief, (*done.report.notes, *notes)[:MAX_NOTES])),
        }
    )


def _changed_since(workspace: Workspace, number: int, commit: str) -> int:
    return len(changed_paths(workspace.repository, workspace.commit(number), commit))


def _keep_partial(workspace: Workspace, request: StepRequest) -> None:
    """What a cancelled step had done so far, as a checkpoint under another step id: it does not count as done."""
    workspace.checkpoint(request.number, f"{request.step_id}/partial", f"partial: {request.title}", "")
