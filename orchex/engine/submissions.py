"""Executions of teams: admitted under their plan, once per Idempotency-Key, and started or taken back."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from orchex.domain.access import Actor, Principal
from orchex.domain.errors import StackError, StorageError
from orchex.domain.execution import Accepted, Status
from orchex.domain.subscription import PlanCatalogue
from orchex.engine.engine import Engine
from orchex.store.admission import admit
from orchex.store.audit import write_audit
from orchex.store.database import Database
from orchex.store.executions import Acceptance, Executions
from orchex.store.idempotency import Answer, Idempotency, KeyedRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """What a team's caller asks for. ``keyed`` is null without an Idempotency-Key, ``environ`` as in a start."""

    prepared: Acceptance
    caller: Principal
    actor: Actor
    keyed: KeyedRequest | None = None
    environ: Mapping[str, str] | None = None


class Submitted(NamedTuple):
    """``replayed``: the answer of an earlier request with the same key; nothing was done for this one."""

    accepted: Accepted
    replayed: bool


class Submissions:
    """One transaction holds the claim on the key, the place in the quota and the execution; Temporal is told next."""

    def __init__(self, database: Database, engine: Engine, idempotency: Idempotency, catalogue: PlanCatalogue) -> None:
        self._database = database
        self._engine = engine
        self._executions = Executions(database)
        self._idempotency = idempotency
        self._catalogue = catalogue

    def engine_of(self, caller: Principal, actor: Actor, environ: Mapping[str, str] | None = None) -> "CallerEngine":
        """The engine for one caller: it knows the team's executions, and what it starts is submitted here.

        ``environ`` is what commands inherit, whatever a caller would have them inherit.
        """
        return CallerEngine(self._engine, self, caller, actor, environ)

    async def submit(self, submission: Submission) -> Submitted:
        """Start what is asked for, or hold it back while the team's plan allows no more at once.

        Raises :class:`StackError` when Temporal does not answer: then what was accepted is taken back, with its key
        and its place in the quota, so that asking again begins anew and nothing runs later by surprise. Raises
        :class:`PaymentRequired`, :class:`Conflict`, :class:`IdempotencyKeyReused` and :class:`TooMany` before
        anything is kept.
        """
        kept = await asyncio.to_thread(self._accept, submission)
        if isinstance(kept, Answer):
            return Submitted(Accepted.model_validate_json(kept.body), replayed=True)
        if not kept.held:
            await self._launch(kept, submission)
        status = Status.QUEUED if kept.held else Status.RUNNING
        accepted = Accepted.of(kept.id, status, kept.created_at)
        try:
            if not kept.held or submission.keyed is not None:
                await asyncio.to_thread(self._settle, accepted, submission.keyed)
        except StorageError as error:  # it is under way: the journal tells so too, and the key's claim knows it
            log.warning("that %s has started is not written down yet: %s", kept.id, error.message)
        return Submitted(accepted, replayed=False)

    def _accept(self, submission: Submission) -> Acceptance | Answer:
        try:
            return self._accepted(submission)
        except BaseException:
            self._engine.keep_environment(submission.prepared.id, None)
            raise

    def _accepted(self, submission: Submission) -> Acceptance | Answer:
        now, caller = datetime.now(UTC), submission.caller
        prepared = submission.prepared.model_copy(update={"team_id": caller.team_id, "created_by": caller.key_id})
        with self._database.write() as session:
            if submission.keyed is not None:
                claim = self._idempotency.claim(session, submission.keyed, now, prepared.id)
                if isinstance(claim, Answer):
                    return claim
                if claim.taken_over and claim.resource:  # whoever was to answer died; what it accepted is still there
                    return self._executions.accepted(session, claim.resource)
            admitted = admit(session, prepared, self._catalogue, now)
            self._executions.add(session, admitted)
            write_audit(session, caller.team_id, submission.actor, "execution.created", admitted.id)
            self._engine.keep_environment(admitted.id, submission.environ)
        return admitted

    async def _launch(self, kept: Acceptance, submission: Submission) -> None:
        try:
            await self._engine.begin(kept.id, kept.spec)
        except StackError:
            if await asyncio.to_thread(self._withdraw, kept, submission):
                raise

    def _withdraw(self, kept: Acceptance, submission: Submission) -> bool:
        """Take it back; false when it has started after all.

        A start whose answer was lost finds no row: its worker does nothing then.
        """
        with self._database.write() as session:
            if not self._executions.withdraw(session, kept.id):
                return False
            if submission.keyed is not None:
                self._idempotency.release(session, submission.keyed)
            write_audit(session, submission.caller.team_id, submission.actor, "execution.withdrawn", kept.id)
        self._engine.keep_environment(kept.id, None)
        return True

    def _settle(self, accepted: Accepted, keyed: KeyedRequest | None) -> None:
        """Write down that it runs, and the answer for whoever asks again."""
        with self._database.write() as session:
            if accepted.status is Status.RUNNING:
                self._executions.mark_started(session, accepted.id)
            if keyed is not None:
                self._idempotency.finish(session, keyed, Answer(202, accepted.model_dump_json(by_alias=True)))


class CallerEngine(Engine):
    """An engine in one caller's name."""

    def __init__(
        self,
        engine: Engine,
        submissions: Submissions,
        caller: Principal,
        actor: Actor,
        environ: Mapping[str, str] | None,
    ) -> None:
        super().__init__(engine.client, engine.database, engine.home, engine.queue, caller.team_id)
        self._submissions = submissions
        self._caller = caller
        self._actor = actor
        self._environ = environ

    async def _launch(self, accepted: Acceptance, environ: Mapping[str, str] | None) -> str:
        submission = Submission(accepted, self._caller, self._actor, environ=self._environ)
        return (await self._submissions.submit(submission)).accepted.id
