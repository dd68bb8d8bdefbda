"""An execution's journal: as a stream of server-sent events, or by the page."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from api.auth import Caller, check_key
from api.heads import ASKED
from api.models.base import Digits
from api.models.executions import EventPage
from api.negotiation import prefers
from api.openapi import answers
from api.parts import Parts
from api.problems import Problem
from api.routes.executions import Reading, ThisServer
from orchex.domain.errors import AccessDenied, StorageError
from orchex.domain.event import EventDocument, EventType
from orchex.engine.engine import Engine

router = APIRouter(tags=["Executions"])

EVENT_STREAM = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
RECHECK_SECONDS = 30.0
"""How often an open stream asks whether its key still opens anything."""
LOOK_UP_SECONDS = 1.0
"""How long a silent stream sleeps at most before it looks whether it is to end."""
RECONNECT_MS = 1000
MAX_SEQUENCE = 2**31 - 1
_NUMBER = "^[0-9]{0,9}$"
_DIGITS = re.compile("[0-9]{1,10}")
_FRAME = {
    "type": "object",
    "description": "One event of the stream.",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "Its sequence number."},
        "event": {"type": "string", "enum": sorted(EventType)},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "As in a page's `data`."},
    },
}


@router.get(
    "/executions/{id}/events",
    response_model=EventPage,
    responses=answers(200, headers={200: ("X-Accel-Buffering",)}, content={200: {EVENT_STREAM: {"schema": _FRAME}}}),
)
async def get_events(
    request: Request,
    caller: Reading,
    parts: ThisServer,
    id: str,
    after: Annotated[int | None, Query(ge=0, le=MAX_SEQUENCE, description="A number, exclusive."), Digits] = None,
    last_event_id: Annotated[
        str | None,
        Header(description="As `after`; sent by a client that reconnects.", json_schema_extra={"pattern": _NUMBER}),
    ] = None,
) -> Response:
    """What happened so far and from now on, in order, each event once; ends behind the terminal one.

    With `Accept: application/json` it is a page of what happened so far.
    """
    engine, start = parts.engine_of(caller), _start(after, last_event_id)
    if prefers(request, (EVENT_STREAM, "application/json")) == "application/json":
        return await _page(engine, id, start)
    await engine.events(id, MAX_SEQUENCE)  # not found is told before anything is streamed
    parts.watching.check_room(caller.team_id)
    return StreamingResponse(
        _stream(request, parts, caller, id, start), media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"}
    )


async def _page(engine: Engine, id: str, after: int) -> Response:
    entries = await engine.events(id, after)
    last = entries[-1].sequence if entries else after
    page = EventPage(
        data=tuple(EventDocument.of(entry) for entry in entries),
        has_more=bool(entries) and bool(await engine.events(id, last)),
        next_after=last,
    )
    return Response(page.model_dump_json(by_alias=True), 200, media_type="application/json")


async def _stream(request: Request, parts: Parts, caller: Caller, id: str, after: int) -> AsyncIterator[bytes]:
    """Frames until the last event, until this server stops, or until the key opens nothing any more."""
    engine, loop = parts.engine_of(caller), asyncio.get_running_loop()
    checked = told = loop.time()
    with parts.watching.stream(caller.team_id), suppress(StorageError, AccessDenied):  # the client comes again
        yield f"retry: {RECONNECT_MS}\n\n".encode()
        if ASKED in request.scope:
            return
        while not parts.draining.is_set():
            entries = await engine.events(id, after)
            for entry in entries:
                after = entry.sequence
                yield _frame(EventDocument.of(entry))
                if entry.type.terminal:
                    return
            if entries:
                told = loop.time()
                continue
            head = await parts.watching.heads.grown(id, after, LOOK_UP_SECONDS)
            if head is not None and head.ended and head.sequence <= after:
                return
            if loop.time() >= told + KEEP_ALIVE_SECONDS:
                told = loop.time()
                yield b": keep-alive\n\n"
            if loop.time() >= checked + RECHECK_SECONDS:
                checked = loop.time()
                await check_key(request)


def _frame(event: EventDocument) -> bytes:
    return f"id: {event.sequence}\nevent: {event.type}\ndata: {event.model_dump_json(by_alias=True)}\n\n".encode()


def _start(after: int | None, last_event_id: str | None) -> int:
    """Where to go on from; a client that reconnects knows better than the address it began with."""
    if last_event_id:
        if not (_DIGITS.fullmatch(last_event_id) and int(last_event_id) <= MAX_SEQUENCE):
            detail = "is not a sequence number"
            error = {"pointer": "header:Last-Event-ID", "detail": detail, "code": "last_event_id"}
            raise Problem("validation_failed", f"Last-Event-ID {detail}", errors=[error])
        return int(last_event_id)
    return after or 0
