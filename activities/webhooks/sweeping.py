"""Starting the drains that should be under way and are not: a process died, or Temporal was away, between the two."""

from datetime import UTC, datetime

from activities.threads import in_thread
from activities.webhooks.starting import DrainStarter
from orchex.store.database import Database
from orchex.store.webhooks.draining import overdue_endpoints


class WebhookSweep:
    def __init__(self, starter: DrainStarter, database: Database) -> None:
        self.starter = starter
        self._database = database

    async def restart_overdue(self) -> None:
        await self.starter.start(await in_thread(self._overdue))

    def _overdue(self) -> list[str]:
        with self._database.read() as session:
            return overdue_endpoints(session, datetime.now(UTC))
