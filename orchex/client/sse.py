"""Server-sent events, decoded as bytes come (the HTML standard, 9.2.6)."""

import re
from dataclasses import dataclass

from orchex.client.errors import UnexpectedAnswer

LARGEST_EVENT = 4 * 1024 * 1024
"""Bytes; whatever is longer is not one of this API's."""
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class ServerSentEvent:
    """``id`` is the last one that was sent, also by an event before this one."""

    event: str
    data: str
    id: str


class Decoder:
    """Feed it chunks, however they are cut; it hands out what is complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._event = ""
        self._data: list[str] = []
        self._id = ""
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Raises :class:`UnexpectedAnswer` for an event beyond ``LARGEST_EVENT``."""
        text = self._rest + chunk
        held = text.endswith(b"\r")  # the first half of a line end, perhaps
        lines = _LINE_END.split(text[:-1] if held else text)
        self._rest = lines.pop() + (b"\r" if held else b"")
        if self._size + len(self._rest) > LARGEST_EVENT:
            raise UnexpectedAnswer(f"the server sent an event of more than {LARGEST_EVENT:,} bytes")
        return [event for line in lines if (event := self._line(line.decode(errors="replace"))) is not None]

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatched()
        self._size += len(line)
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatched(self) -> ServerSentEvent | None:
        """An event without data is none, by the standard."""
        event = ServerSentEvent(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event, self._data, self._size = "", [], 0
        return event
