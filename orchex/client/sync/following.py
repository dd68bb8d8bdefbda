# Generated from orchex/client/aio/following.py by `python -m tests.client.generate_sync`. Edit that one.

"""An execution's events as they come, whatever becomes of the connection in between."""

import time
from collections.abc import Generator, Mapping
from contextlib import closing

from pydantic import ValidationError

from orchex.client.calls import Call, segment
from orchex.client.deadline import Deadline
from orchex.client.errors import ApiError, ClientError, ConnectionFailed, UnexpectedAnswer, WaitTimedOut
from orchex.client.models import Event, EventPage, ExecutionDocument
from orchex.client.retries import Patience
from orchex.client.sse import ServerSentEvent
from orchex.client.sync.transport import Transport

SILENCE_SECONDS = 45.0
"""Three keep-alives of the server: a connection that is silent for longer is dead."""
PATIENCE_SECONDS = 60.0
"""How long a server may be away, while it restarts, before somebody who waits is told."""
_ANSWER_SECONDS = 30.0
_SLACK_SECONDS = 1.0
_NO_STREAM_HERE = frozenset({405, 406, 415, 501})


class Follower:
    """Tells every event after sequence number ``after`` once, in order, up to the terminal one.

    It listens to server-sent events. A connection that ends is resumed at the last event. Where no stream gets through,
    as behind a proxy that holds it back, pages of the same events are asked for again and again.
    """

    def __init__(self, transport: Transport, execution_id: str, after: int, deadline: Deadline) -> None:
        self._transport = transport
        self._path = f"/executions/{segment(execution_id)}"
        self._after = after
        self._deadline = deadline
        self._patience = Patience(PATIENCE_SECONDS)
        self._streams = True

    def run(self) -> Generator[Event, None, None]:
        """Raises :class:`WaitTimedOut`, and a :class:`ClientError` that is final or has lasted too long."""
        ended = False
        while True:
            self._deadline.check()
            before, failure = self._after, None
            try:
                with closing(self._stream() if self._streams else self._page()) as events:
                    for event in events:
                        yield event
                        if event.terminal:
                            return
                if self._after == before:
                    if ended:  # it was before this round, so that no event can have come behind it
                        return
                    ended = self._has_ended()
            except WaitTimedOut:
                raise
            except ClientError as error:
                failure = error
            if self._after > before:
                self._patience.answered()
            time.sleep(self._deadline.bounded(self._patience.pause(failure)))

    def document(self) -> ExecutionDocument:
        """The document, once the events are through; asked for as patiently as they were."""
        self._patience.answered()
        while True:
            try:
                return self._document()
            except ClientError as error:
                failure = error
            self._deadline.check()
            time.sleep(self._deadline.bounded(self._patience.pause(failure)))

    def _stream(self) -> Generator[Event, None, None]:
        """Until the server ends it. A connection whose silence could outlast the deadline is exchanged for another."""
        heard = False
        try:
            while True:
                silence = self._deadline.bounded(SILENCE_SECONDS)
                with self._transport.events(self._listen(silence)) as bunches:
                    for bunch in bunches:
                        heard = True
                        yield from self._new(_decoded(bunch))
                        self._deadline.check()
                        if self._deadline.bounded(SILENCE_SECONDS) < silence - _SLACK_SECONDS:
                            break
                    else:
                        return
        except UnexpectedAnswer:
            self._streams = False
        except ApiError as error:
            if error.status not in _NO_STREAM_HERE and error.code != "concurrency_limited":
                raise
            self._streams = False
        except ConnectionFailed as error:
            self._streams = heard or not error.timed_out
            raise

    def _page(self) -> Generator[Event, None, None]:
        page = (self._transport.send_once(self._read("/events", {"after": self._after}))).model(EventPage)
        yield from self._new(page.data)

    def _has_ended(self) -> bool:
        return (self._document()).status.terminal

    def _document(self) -> ExecutionDocument:
        return (self._transport.send_once(self._read(""))).model(ExecutionDocument)

    def _listen(self, silence: float) -> Call:
        resumed = {"Last-Event-ID": str(self._after)} if self._after else {}
        return Call("GET", f"{self._path}/events", headers=resumed, timeout=silence)

    def _read(self, path: str, query: Mapping[str, int] | None = None) -> Call:
        return Call("GET", self._path + path, query=query or {}, timeout=self._deadline.bounded(_ANSWER_SECONDS))

    def _new(self, events: tuple[Event, ...]) -> list[Event]:
        """Those not told yet; they count as told."""
        new = [event for event in events if event.sequence > self._after]
        self._after = new[-1].sequence if new else self._after
        return new


def _decoded(bunch: list[ServerSentEvent]) -> tuple[Event, ...]:
    """Those with an id, which is the sequence number. Raises :class:`UnexpectedAnswer`."""
    try:
        return tuple(
            Event.model_validate_json(sent.data).model_copy(update={"sequence": int(sent.id)})
            for sent in bunch
            if sent.id.isdecimal()
        )
    except ValidationError as error:
        raise UnexpectedAnswer("the server sent an event that cannot be read") from error
