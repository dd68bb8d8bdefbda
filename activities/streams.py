"""The activities at both ends of a stream: opening its workspace with a plan, and closing it with a result."""

from pathlib import Path

from temporalio import activity

from activities.artifacts import ArtifactKeeper
from activities.context import gather
from activities.dependencies import prepare
from activities.messages import (
    FINISH_STREAM,
    OPEN_STREAM,
    FinishedStream,
    FinishStream,
    OpenedStream,
    OpenStream,
    PlanOutline,
)
from activities.models.provider import settle_model
from activities.models.runbook import RunbookProvider, parse_runbook
from activities.projects import Projects, landing_id
from activities.threads import in_thread
from activities.workspaces.apply import apply
from activities.workspaces.opening import close, open_workspace
from activities.workspaces.workspace import Workspace
from orchex.domain.errors import MergeConflict, ModelUnavailable, PlanInvalid, WorkspaceLost
from orchex.domain.execution import Failure
from orchex.store.blobs import BlobStore
from orchex.store.environments import Environments

MAX_PLAN_STEPS = 300
TITLE_CHARACTERS = 120
"""Together they keep the outline of a plan well under 64 KB."""

MAX_NOTES = 20


class StreamActivities:
    def __init__(
        self,
        projects: Projects,
        blobs: BlobStore,
        environments: Environments,
        artifacts: ArtifactKeeper,
        host_queue: str | None,
    ) -> None:
        self._projects = projects
        self._blobs = blobs
        self._environments = environments
        self._artifacts = artifacts
        self._host_queue = host_queue

    @activity.defn(name=OPEN_STREAM)
    async def open_stream(self, request: OpenStream) -> OpenedStream:
        """Plan first: a plan that cannot be carried out costs no workspace. A dry run opens none."""
        outline = await self._plan(request)
        base, notes = await in_thread(self._open, request)
        return OpenedStream(base=base, queue=self._host_queue, plan=outline, notes=notes)

    async def _plan(self, request: OpenStream) -> PlanOutline:
        stream = request.stream
        model = await settle_model(stream.model, self._environments.get(request.run.execution_id))
        if model != RunbookProvider.name:
            raise ModelUnavailable(f"{model} cannot plan yet: only a runbook can", hint="Write model: runbook.")
        plan = parse_runbook(self._blobs.get_text(stream.plan_ref))
        if len(plan.steps) > MAX_PLAN_STEPS:
            raise PlanInvalid(
                f"the plan of stream {stream.id!r} has {len(plan.steps)} steps; a stream takes up to {MAX_PLAN_STEPS}",
                hint="Split it into several streams.",
            )
        ref = self._blobs.put(plan.model_dump_json().encode())
        self._artifacts.plan(request.run.execution_id, stream.id, ref)
        return PlanOutline(ref=ref, titles=tuple(_short(step.title) for step in plan.steps))

    def _open(self, request: OpenStream) -> tuple[str | None, tuple[str, ...]]:
        """The base of the workspace and what there is to say about the context."""
        repository = self._projects.open(request.run.project)
        if request.run.dry_run:
            return None, self._notes(request, repository.folder)
        start = request.start or request.base
        workspace = open_workspace(repository, request.run.execution_id, request.stream.id, start)
        prepared = prepare(workspace, has_setup=bool(request.stream.setup))
        return request.base or workspace.base, (*prepared, *self._notes(request, workspace.root))

    def _notes(self, request: OpenStream, root: Path) -> tuple[str, ...]:
        stream = request.stream
        if not stream.files and stream.depth == "moderate":  # what every stream says that asks for no context
            return ()
        return gather(root, stream.files, stream.depth).notes[:MAX_NOTES]

    @activity.defn(name=FINISH_STREAM)
    async def finish_stream(self, request: FinishStream) -> FinishedStream:
        """Make the patch, land it if asked, close the workspace. Nothing here asks how the stream went."""
        return await in_thread(self._finish, request)

    def _finish(self, request: FinishStream) -> FinishedStream:
        run, repository = request.run, self._projects.get(request.run.project)
        workspace = Workspace(repository, run.execution_id, request.stream_id)
        final = _last_checkpoint(workspace, request.number)
        changed = self._artifacts.work(run.execution_id, request.stream_id, repository, request.base, final)
        failure = None
        if request.land:
            try:
                apply(repository, request.base, final, landing_id(run.execution_id, request.stream_id))
            except MergeConflict as error:
                failure = Failure(code=error.code, message=error.message, hint=error.hint, retryable=True)
        close(workspace)
        return FinishedStream(
            checkpoint=final, changed=changed, landed=request.land and failure is None, failure=failure
        )


def _last_checkpoint(workspace: Workspace, number: int) -> str:
    """One further than the workflow knows of, when a step was cut short and its partial work was kept."""
    try:
        return workspace.commit(number + 1)
    except WorkspaceLost:
        return workspace.commit(number)


def _short(title: str) -> str:
    return title if len(title) <= TITLE_CHARACTERS else f"{title[: TITLE_CHARACTERS - 1]}…"
