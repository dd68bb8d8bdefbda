"""Cassettes: turns that were recorded from a real model, and are replayed without one.

``ORCHEX_CASSETTE`` is ``record:FILE`` or ``replay:FILE``. A cassette is a file of JSON lines: a header, then one line
for each turn, ``{"digest", "request", "result"}``. What is secret is taken out of both before they are written.

A replay is a function of the request: the same one gets the same answer, whoever asks and however often, so that a
retried step or a new worker goes on as it would have. Of several answers to one request the one recorded last counts,
since the conversation went on from that one. A request that was not recorded is an error that shows what drifted.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from pydantic import ValidationError

from activities.commands.environment import secret_values
from activities.commands.redaction import redact
from activities.models.drift import drift
from activities.noise import steady
from activities.threads import in_thread
from orchex.domain.errors import ModelUnavailable
from orchex.domain.turn import TurnRequest, TurnResult

VARIABLE = "ORCHEX_CASSETTE"
VERSION = 1

_VERBATIM = frozenset({"id", "tool_use_id", "signature", "data", "type", "role"})
"""Members whose value is no text of anybody's, but in what a model calls a tool with; a signature that lost a piece
would be worthless.
"""

Json = dict[str, Any]


class _Takes(Protocol):
    async def turn(self, request: TurnRequest) -> TurnResult: ...


@dataclass(frozen=True)
class Cassette:
    """What ORCHEX_CASSETTE asks for. ``secrets`` are values to take out of what is written and compared."""

    mode: Literal["record", "replay"]
    file: Path
    secrets: tuple[str, ...] = ()


def read_cassette(environ: Mapping[str, str]) -> Cassette | None:
    """The cassette that ``environ`` names; None when it names none. Raises ModelUnavailable."""
    value = environ.get(VARIABLE, "").strip()
    if not value:
        return None
    mode, _, name = value.partition(":")
    if mode not in ("record", "replay") or not Path(name).is_absolute():
        raise ModelUnavailable(
            f"{VARIABLE} is {value!r}: it must be record:FILE or replay:FILE, FILE with its whole path",
            hint=f"Correct {VARIABLE}, or unset it to do without a cassette.",
        )
    return Cassette("record" if mode == "record" else "replay", Path(name), tuple(secret_values(environ)))


class RecordingProvider:
    """Lets another provider answer, and writes down what it said before anybody acts on it."""

    def __init__(self, name: str, inner: _Takes, cassette: Cassette) -> None:
        self.name = name
        self._inner = inner
        self._cassette = cassette

    async def turn(self, request: TurnRequest) -> TurnResult:
        """A file that cannot be written is told before the answer is paid for."""
        await in_thread(_append, self._cassette.file, None)
        result = await self._inner.turn(request)
        try:
            await in_thread(self._write, request, result)
        except ModelUnavailable as error:
            error.usage = result.usage
            raise
        return result

    def _write(self, request: TurnRequest, result: TurnResult) -> None:
        asked = _canonical(request, self._cassette.secrets)
        said = _redacted(result.model_dump(mode="json"), self._cassette.secrets)
        record = {"digest": _digest(asked), "request": asked, "result": said}
        _append(self._cassette.file, json.dumps(record))


class ReplayingProvider:
    """Answers from a cassette, without a key and without a network. ``usage`` is what the answer cost back then."""

    name = "cassette"

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette

    async def turn(self, request: TurnRequest) -> TurnResult:
        """Raises ModelUnavailable, with what drifted, for a request that was not recorded."""
        return await in_thread(self._find, request)

    def _find(self, request: TurnRequest) -> TurnResult:
        turns = _load(self._cassette.file)
        asked = _canonical(request, self._cassette.secrets)
        found = turns.results.get(_digest(asked))
        if found is not None:
            return found
        drifted = drift(_meant(asked), [_meant(turn) for turn in turns.requests])
        raise ModelUnavailable(
            f"the cassette {self._cassette.file} holds no answer to this request\n{drifted}",
            hint=f"Record it anew ({VARIABLE}=record:FILE, with a key), or undo what changed since.",
        )


def recorded_model(cassette: Cassette) -> str:
    """The model that a cassette begins with. Raises ModelUnavailable."""
    turns = _load(cassette.file)
    if not turns.requests:
        raise ModelUnavailable(f"the cassette {cassette.file} holds no turns", hint="Record some first.")
    return str(turns.requests[0]["model"])


# -- what is compared


def _canonical(request: TurnRequest, secrets: tuple[str, ...]) -> Json:
    """``request`` without secrets and without what does not change its meaning: marks for caching."""
    asked = _redacted(request.model_dump(mode="json"), secrets)
    for message in asked["messages"]:
        for block in message["content"]:
            block.pop("cache", None)
    asked["tools"].sort(key=lambda tool: tool["name"])
    return asked


def _digest(asked: Json) -> str:
    """The same for requests that mean the same."""
    return hashlib.sha256(json.dumps(_meant(asked), sort_keys=True).encode()).hexdigest()


def _meant(asked: Json) -> Json:
    """What is compared: how long a test took, or what is left of a budget, asks for nothing."""
    return _each_text({name: value for name, value in asked.items() if name != "max_tokens"}, steady)


def _redacted(value: Json, secrets: tuple[str, ...]) -> Json:
    return _each_text(value, lambda text: redact(text, secrets))


def _each_text(value: Json, change: Callable[[str], str]) -> Json:
    """``value`` with every text in it changed that is somebody's words."""

    def changed(value: object, name: str = "", *, called: bool = False) -> object:
        if isinstance(value, str):
            return value if name in _VERBATIM and not called else change(value)
        if isinstance(value, dict):
            return {
                change(key) if called else key: changed(inner, key, called=called or key == "input")
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [changed(inner, name, called=called) for inner in value]
        return value

    return {key: changed(inner, key) for key, inner in value.items()}


# -- the file


@dataclass(frozen=True)
class _Turns:
    results: Mapping[str, TurnResult]
    requests: tuple[Json, ...]


def _append(path: Path, record: str | None) -> None:
    """One whole line, on disk before this returns; other writers wait. The half line of a killed one is taken back.

    Without a ``record`` only the file is made ready.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _make_ready(file, path)
            if record is not None:
                file.write(record.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unusable(path, f"it cannot be written: {error.strerror or error}") from None


def _make_ready(file: BinaryIO, path: Path) -> None:
    file.seek(0)
    first = file.readline()
    if not first:
        file.write(json.dumps({"cassette": VERSION}).encode() + b"\n")
        return
    _check_header(first, path)
    size = file.seek(0, os.SEEK_END)
    kept = _end_of_last_line(file, size)
    if kept < size:
        file.truncate(kept)


def _end_of_last_line(file: BinaryIO, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - 65536)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _load(path: Path) -> _Turns:
    try:
        found = path.stat()
        return _parsed(path, found.st_mtime_ns, found.st_size)
    except FileNotFoundError:
        raise _unusable(path, "there is no such file") from None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None


@lru_cache(maxsize=4)
def _parsed(path: Path, _mtime: int, _size: int) -> _Turns:
    """The cassette as it was when it had this age and size."""
    results: dict[str, TurnResult] = {}
    requests: list[Json] = []
    with path.open("rb") as file:
        _check_header(file.readline(), path)
        for number, line in enumerate(file, start=2):
            if not line.endswith(b"\n"):
                raise _unusable(path, f"line {number} breaks off: its recording was cut short", _CUT_SHORT)
            try:
                record = json.loads(line)
                results[str(record["digest"])] = TurnResult.model_validate(record["result"])
                requests.append(_request_of(record))
            except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
                raise _unusable(path, f"line {number} is no recorded turn") from None
    return _Turns(results, tuple(requests))


_CUT_SHORT = "Delete that line, or record again: a recording takes it back by itself."


def _request_of(record: Json) -> Json:
    request = record["request"]
    if not isinstance(request["messages"], list) or not isinstance(request["model"], str):
        raise TypeError
    return dict(request)


def _check_header(line: bytes, path: Path) -> None:
    try:
        header = json.loads(line)
        version = header["cassette"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unusable(path, "it does not begin as a cassette does") from None
    if version != VERSION:
        raise _unusable(path, f"it is of version {version!r}, and this release reads version {VERSION}")


def _unusable(path: Path, reason: str, cure: str = "") -> ModelUnavailable:
    return ModelUnavailable(
        f"the cassette {path} cannot be used: {reason}",
        hint=cure or f"Correct the path in {VARIABLE}, or record a new one.",
    )
