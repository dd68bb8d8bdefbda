"""Idempotency-Key: a request that comes again gets the answer of the first time, and does nothing again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col

from orchex.domain.errors import IdempotencyInProgress, IdempotencyKeyReused
from orchex.store.dialect import insert_missing
from orchex.store.secret import Secret
from orchex.store.tables import IdempotencyRow

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=30)
"""How long a claim without an answer is believed to be under way; after that its server is taken for dead. Longer than
a start may take: two writes that wait their ten seconds, and Temporal's patience.
"""


@dataclass(frozen=True)
class KeyedRequest:
    """``fingerprint`` is a SHA-256, in hex, over what must be the same: method, path and body,
    and, of an answer that is not for everybody in the team, who asks.
    """

    team_id: str
    route: str
    key: str
    fingerprint: str


@dataclass(frozen=True)
class Claim:
    """The request is the caller's to carry out. ``resource`` is what it makes, or, when ``taken_over``, what somebody
    who died before answering has made already.
    """

    resource: str | None
    taken_over: bool = False


@dataclass(frozen=True)
class Answer:
    """What was answered the first time; ``body`` is JSON."""

    status: int
    body: str


class Idempotency:
    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def claim(
        self, session: Session, request: KeyedRequest, now: datetime, resource: str | None = None
    ) -> Claim | Answer:
        """In the transaction of what the request writes: both are there, or neither is.

        Raises :class:`IdempotencyInProgress`, :class:`IdempotencyKeyReused`.
        """
        fresh = {
            **vars(request),
            "resource": resource,
            "claimed_at": now,
            "expires_at": now + KEPT,
        }
        if insert_missing(session, IdempotencyRow, [fresh]):
            return Claim(resource)
        row = session.get(IdempotencyRow, (request.team_id, request.route, request.key), with_for_update=True)
        if row is None:  # it went away in between
            raise IdempotencyInProgress("a request with this Idempotency-Key was just given up")
        if row.expires_at <= now:
            for name, value in {**fresh, "status": None, "answer": None}.items():
                setattr(row, name, value)
            return Claim(resource)
        if row.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused("this Idempotency-Key came with another request before", hint="Use a new key.")
        if row.status is not None and row.answer is not None:
            return Answer(row.status, self._secret.unseal(row.answer))
        if row.claimed_at > now - LEASE:
            raise IdempotencyInProgress("a request with this Idempotency-Key is being carried out")
        row.claimed_at = now
        return Claim(row.resource, taken_over=True)

    def answered(self, session: Session, request: KeyedRequest, now: datetime) -> Answer | None:
        """The answer, if this very request has had one; claims nothing."""
        row = session.get(IdempotencyRow, (request.team_id, request.route, request.key))
        if row is None or row.expires_at <= now or row.fingerprint != request.fingerprint:
            return None
        return None if row.status is None or row.answer is None else Answer(row.status, self._secret.unseal(row.answer))

    def finish(self, session: Session, request: KeyedRequest, answer: Answer) -> None:
        """Keep the answer for whoever asks again."""
        row = session.get(IdempotencyRow, (request.team_id, request.route, request.key), with_for_update=True)
        if row is not None:
            row.status, row.answer = answer.status, self._secret.seal(answer.body)

    def release(self, session: Session, request: KeyedRequest) -> None:
        """Forget a claim whose request came to nothing, so that it may be tried again at once."""
        session.exec(
            delete(IdempotencyRow).where(
                col(IdempotencyRow.team_id) == request.team_id,
                col(IdempotencyRow.route) == request.route,
                col(IdempotencyRow.key) == request.key,
                col(IdempotencyRow.status).is_(None),
            )
        )


def purge(session: Session, now: datetime) -> None:
    """Forget answers that are older than a day."""
    session.exec(delete(IdempotencyRow).where(col(IdempotencyRow.expires_at) <= now))
