"""The activities of a step: work of the plan, and commands. Each leads from one checkpoint to the next, once."""

from temporalio import activity

from activities.carrying import carry_out
from activities.checkpointing import MAX_NOTES, Checkpointing, Done
from activities.commands.resolve import find_test_command, is_test_command, resolve
from activities.commands.spec import CommandOutcome
from activities.healing import category_of, signature_of
from activities.messages import RUN_COMMAND, WORK, RunCommand, StepReport, Work
from activities.reports import command_failure, for_a_model, ran_nothing, shown
from activities.scene import Scene
from activities.threads import in_thread
from activities.tools import ToolBox
from orchex.domain.execution import Failure
from orchex.domain.plan import Plan
from orchex.store.blobs import BlobStore


class StepActivities:
    def __init__(self, checkpointing: Checkpointing, blobs: BlobStore) -> None:
        self._checkpointing = checkpointing
        self._blobs = blobs

    @activity.defn(name=WORK)
    async def work(self, request: Work) -> StepReport:
        """Carry out one step of the plan; what it leaves in the workspace is its checkpoint."""
        return await self._checkpointing.attempt(request, StepReport, lambda scene: self._carry_out(scene, request))

    @activity.defn(name=RUN_COMMAND)
    async def run_command(self, request: RunCommand) -> StepReport:
        """Run one command of the manifest; new untracked files it leaves are dropped again."""
        return await self._checkpointing.attempt(
            request, StepReport, lambda scene: self._run_one(scene, request), drops_new_files=True
        )

    async def _carry_out(self, scene: Scene, request: Work) -> Done[StepReport]:
        plan = Plan.model_validate_json(self._blobs.get_text(request.plan_ref))
        tools = ToolBox(scene.workspace.root, trusted=True, owned=request.owns, run_command=scene.shell)
        carried = await carry_out(tools, plan.steps[request.index])
        report = StepReport(
            checkpoint="",
            output=shown(carried.output),
            log=scene.log,
            notes=carried.notes[:MAX_NOTES],
            failure=carried.failure,
            attempts=activity.info().attempt,
        )
        return Done(report, carried.edited)

    async def _run_one(self, scene: Scene, request: RunCommand) -> Done[StepReport]:
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
        report = _command_report(request, outcome, tests=tests)
        if command is None and outcome.ok and not report.tests_passed:
            report = report.model_copy(update={"failure": _nothing_tested(request)})
        said = None if outcome.ok else await in_thread(self._blobs.put_text, for_a_model(scene.screen(outcome.output)))
        return Done(report.model_copy(update={"log": scene.log, "said": said}))


def _command_report(request: RunCommand, outcome: CommandOutcome, *, tests: bool) -> StepReport:
    left = f"{outcome.leftovers} background processes were still running and were ended"
    return StepReport(
        checkpoint="",
        output=shown(outcome.output),
        notes=(left,) if outcome.leftovers else (),
        tests_passed=tests and outcome.ok and not ran_nothing(outcome.output),
        failure=None if outcome.ok else command_failure(request.title, outcome),
        attempts=activity.info().attempt,
        category=None if outcome.ok else category_of(request.title, outcome),
        signature=None if outcome.ok else signature_of(outcome),
    )


def _nothing_tested(request: RunCommand) -> Failure:
    return Failure(
        code="tests_required",
        message=f"constraints.requireTests is set, and {request.title} ran, but there was no test among them",
        hint="Add a test to the project, or name the command that runs its tests among the stream's commands.",
    )


def _no_tests() -> StepReport:
    failure = Failure(
        code="tests_required",
        message="constraints.requireTests is set, but no command runs tests, and the project has no test script",
        hint="Add a test command to the stream's commands, or a test script to the project "
        "(package.json, Makefile, pyproject.toml, …).",
    )
    return StepReport(checkpoint="", failure=failure, attempts=activity.info().attempt)
