"""Writing journal events that have nothing to ride along with."""

from temporalio import activity

from activities.messages import RECORD_EVENTS, Carried, RecordEvents
from activities.starting import Starter
from activities.webhooks.starting import DrainStarter
from orchex.store.environments import Environments
from orchex.store.journal import Journal


class Recorder:
    def __init__(self, journal: Journal, environments: Environments, starter: Starter, drains: DrainStarter) -> None:
        self._journal = journal
        self._environments = environments
        self._starter = starter
        self._drains = drains

    @activity.defn(name=RECORD_EVENTS)
    async def record_events(self, request: RecordEvents) -> Carried:
        """Raises :class:`StorageError` when the store will not have them; the workflow asks again."""
        self._drains.start_soon(self._journal.append(request.run.execution_id, request.events))
        if any(event.type.terminal for event in request.events):
            self._environments.forget(request.run.execution_id)
            await self._starter.after(request.run.execution_id)
        return Carried()
