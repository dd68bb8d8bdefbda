"""The activities at both ends of a stream: opening its workspace with a plan, and closing it with a result."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from temporalio import activity

from activities.artifacts import ArtifactKeeper
from activities.briefing import Briefing, context_of
from activities.context import NO_LIMIT, gather
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
from activities.reports import brief
from activities.threads import in_thread
from activities.workspaces.apply import apply
from activities.workspaces.listing import listed_files
from activities.workspaces.merging import merged_commit
from activities.workspaces.opening import close, open_workspace
from activities.workspaces.workspace import Workspace
from orchex.domain.errors import MergeConflict, NotFound, PlanInvalid, WorkspaceLost
from orchex.domain.execution import Failure
from orchex.domain.plan import Plan
from orchex.store.blobs import BlobStore
from orchex.store.environments import Environments
from orchex.store.executions import Executions

MAX_PLAN_STEPS = 300
TITLE_CHARACTERS = 120
ALL_TITLES_BYTES = 40_000
"""Of a plan: they are part of a workflow's history, where nothing is to be larger than 64 KB."""

MAX_NOTES = 20


class _Place(NamedTuple):
    """Where a stream begins: the commit (null for a dry run), the folder to read, and what there is to say of it."""

    base: str | None
    root: Path
    notes: tuple[str, ...] = ()


class StreamActivities:
    def __init__(
        self,
        projects: Projects,
        blobs: BlobStore,
        environments: Environments,
        executions: Executions,
        artifacts: ArtifactKeeper,
        host_queue: str | None,
        parses: Path,
    ) -> None:
        self._projects = projects
        self._blobs = blobs
        self._environments = environments
        self._executions = executions
        self._artifacts = artifacts
        self._host_queue = host_queue
        self._parses = parses

    @activity.defn(name=OPEN_STREAM)
    async def open_stream(self, request: OpenStream) -> OpenedStream:
        """Settle on a model first, and plan if it is a runbook: what cannot be carried out costs no workspace.

        A dry run opens none. Nor does an execution that was taken back, or cancelled, before its start was heard of.
        """
        if await in_thread(self._executions.ended, request.run.execution_id):
            raise NotFound(f"execution {request.run.execution_id} was taken back or has ended: nothing is to be done")
        environ = await in_thread(self._environments.get, request.run.execution_id)
        model = await settle_model(request.stream.model, environ)
        if model == RunbookProvider.name:
            plan = await in_thread(self._plan, request)
            place = await in_thread(self._open, request)
            notes = await in_thread(self._notes, request, place.root)
            notes = tuple(map(brief, (*place.notes, *notes)))
            return OpenedStream(base=place.base, queue=self._host_queue, plan=plan, notes=notes)
        place = await in_thread(self._open, request)
        context = await in_thread(self._context, request, place.root, environ)
        return OpenedStream(
            base=place.base,
            queue=self._host_queue,
            model=model,
            context=await in_thread(self._blobs.put_text, context.text),
            notes=tuple(map(brief, (*place.notes, *context.notes)[:MAX_NOTES])),
        )

    def _context(self, request: OpenStream, root: Path, environ: Mapping[str, str]) -> Briefing:
        """A dry run reads the person's own folder: of that, what a workspace would hold."""
        repository = self._projects.get(request.run.project)
        listed = listed_files(repository) if request.run.dry_run else None
        return context_of(root, request.stream, environ, self._parses, listed=listed, origin=repository.folder)

    def _plan(self, request: OpenStream) -> PlanOutline:
        stream = request.stream
        plan = parse_runbook(self._blobs.get_text(stream.plan_ref))
        if len(plan.steps) > MAX_PLAN_STEPS:
            raise PlanInvalid(
                f"the plan of stream {stream.id!r} has {len(plan.steps)} steps; a stream takes up to {MAX_PLAN_STEPS}",
                hint="Split it into several streams.",
            )
        return outline(plan, request.run.execution_id, stream.id, self._blobs, self._artifacts)

    def _open(self, request: OpenStream) -> _Place:
        repository = self._projects.open(request.run.project)
        if request.run.dry_run:
            return _Place(None, repository.folder)
        base = merged_commit(repository, (request.base, *request.also)) if request.base else None
        start = request.start or base
        workspace = open_workspace(repository, request.run.execution_id, request.stream.id, start)
        prepared = prepare(workspace, has_setup=bool(request.stream.setup))
        return _Place(base or workspace.base, workspace.root, tuple(prepared))

    def _notes(self, request: OpenStream, root: Path) -> tuple[str, ...]:
        """A runbook reads no context, but what its manifest names and is not there is worth a word."""
        stream = request.stream
        origin = self._projects.get(request.run.project).folder
        return gather(root, stream.files, budget=NO_LIMIT, origin=origin).notes[:MAX_NOTES] if stream.files else ()

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


def outline(plan: Plan, execution_id: str, stream: str, blobs: BlobStore, artifacts: ArtifactKeeper) -> PlanOutline:
    """Keep a plan as an artifact; what a workflow carries of it."""
    ref = blobs.put(plan.model_dump_json().encode())
    artifacts.plan(execution_id, stream, ref)
    most = ALL_TITLES_BYTES // max(1, len(plan.steps))
    return PlanOutline(ref=ref, titles=tuple(_short(step.title, most) for step in plan.steps))


def _last_checkpoint(workspace: Workspace, number: int) -> str:
    """One further than the workflow knows of, when a step was cut short and its partial work was kept."""
    try:
        return workspace.commit(number + 1)
    except WorkspaceLost:
        return workspace.commit(number)


def _short(title: str, most_bytes: int) -> str:
    kept = title[:TITLE_CHARACTERS].encode()[:most_bytes].decode(errors="ignore")
    return title if kept == title else f"{kept[:-1]}…"
