"""Landing the work of a finished execution in the user's tree, and taking it back out."""

from temporalio import activity

from activities.messages import LAND, Land, Landed
from activities.projects import Projects, landing_id
from activities.threads import in_thread
from activities.workspaces.apply import apply, undo
from orchex.domain.errors import MergeConflict
from orchex.domain.execution import Failure
from orchex.store.executions import Executions
from orchex.store.tables import StreamRow


class LandingActivities:
    def __init__(self, projects: Projects, executions: Executions) -> None:
        self._projects = projects
        self._executions = executions

    @activity.defn(name=LAND)
    async def land(self, request: Land) -> Landed:
        """Each stream as one operation: in order to apply, in reverse to undo; the first conflict stops it."""
        return await in_thread(self._land, request)

    def _land(self, request: Land) -> Landed:
        paths: list[str] = []
        try:
            for stream in self._streams(request):
                paths += self._move(request, stream)
        except MergeConflict as error:
            failure = Failure(code=error.code, message=error.message, hint=error.hint, retryable=True)
            return Landed(paths=tuple(dict.fromkeys(paths)), failure=failure)
        self._executions.applied(request.run.execution_id, request.direction == "apply")
        return Landed(paths=tuple(dict.fromkeys(paths)))

    def _streams(self, request: Land) -> list[StreamRow]:
        rows = [row for row in self._executions.streams(request.run.execution_id) if row.base and row.checkpoint]
        return rows if request.direction == "apply" else rows[::-1]

    def _move(self, request: Land, stream: StreamRow) -> tuple[str, ...]:
        repository = self._projects.get(request.run.project)
        assert stream.base is not None
        assert stream.checkpoint is not None
        landing = landing_id(request.run.execution_id, stream.stream)
        if request.direction == "apply":
            return apply(repository, stream.base, stream.checkpoint, landing).paths
        return undo(repository, landing).paths
