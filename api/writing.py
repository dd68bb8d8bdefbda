"""Writes that are one transaction of the database: the Idempotency-Key, the change, its audit row and the answer."""

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import BaseModel
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response

from api.auth import Caller
from api.idempotency import keyed_request, replay
from api.parts import Parts
from orchex.store.idempotency import Answer, KeyedRequest


async def write_once(
    parts: Parts,
    request: Request,
    caller: Caller,
    key: str | None,
    status: int,
    change: Callable[[Session], BaseModel],
    *,
    tells_secret: bool = False,
) -> Response:
    """Answer with what ``change`` returns. With a ``key``, a second time is answered alike and changes nothing.

    An answer that ``tells_secret`` is given again to nobody but whom it was given to: ``change``, which looks at what
    its caller may have, is not called again. An error that ``change`` raises undoes everything, the use of the key too.
    """
    keyed = await keyed_request(request, key, caller, personal=tells_secret)
    answer, again = await parts.writing(_carry_out, parts, keyed, status, change)
    return replay(answer) if again else Response(answer.body, answer.status, media_type="application/json")


async def answered_before(parts: Parts, request: Request, caller: Caller, key: str | None) -> Response | None:
    """The answer of the first time, for a change that begins with something that is not in the database."""
    keyed = await keyed_request(request, key, caller)
    if keyed is None:
        return None
    answer = await parts.reading(_look_up, parts, keyed)
    return replay(answer) if answer else None


def _look_up(parts: Parts, keyed: KeyedRequest) -> Answer | None:
    with parts.database.read() as session:
        return parts.idempotency.answered(session, keyed, datetime.now(UTC))


def _carry_out(
    parts: Parts, keyed: KeyedRequest | None, status: int, change: Callable[[Session], BaseModel]
) -> tuple[Answer, bool]:
    with parts.database.write() as session:
        if keyed is not None:
            claim = parts.idempotency.claim(session, keyed, datetime.now(UTC))
            if isinstance(claim, Answer):
                return claim, True
        answer = Answer(status, change(session).model_dump_json(by_alias=True))
        if keyed is not None:
            parts.idempotency.finish(session, keyed, answer)
        return answer, False
