"""Starting what a team's plan held back, as soon as there is room for it."""

import logging
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError

from activities.launch import launch
from orchex.domain.subscription import PlanCatalogue
from orchex.store.admission import release_next, teams_that_wait
from orchex.store.database import Database
from orchex.store.executions import Executions

log = logging.getLogger(__name__)


class Starter:
    def __init__(self, client: Client, queue: str, database: Database, catalogue: PlanCatalogue) -> None:
        self._client = client
        self._queue = queue
        self._database = database
        self._executions = Executions(database)
        self._catalogue = catalogue

    async def after(self, execution_id: str) -> None:
        """An execution has ended: whoever of its team waits for that may go."""
        team = self._executions.team_of(execution_id)
        if team is not None:
            await self._start_next(team)

    async def start_waiting(self) -> None:
        """For every team, in case a worker died between an end and what was to follow it."""
        with self._database.read() as session:
            teams = teams_that_wait(session)
        for team in teams:
            await self._start_next(team)

    async def _start_next(self, team: str) -> None:
        with self._database.write() as session:
            released = release_next(session, team, self._catalogue, datetime.now(UTC))
        for execution_id in released:
            try:
                await launch(self._client, execution_id, self._executions.spec(execution_id), self._queue)
            except RPCError as error:  # it is not held any more: the reconciler starts it
                log.warning("%s could not be started yet: %s", execution_id, error.message)
            else:
                self._executions.started(execution_id)
