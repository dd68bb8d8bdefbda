"""The worker's side of parsing: the process is started when a file needs it, and again when one made it end."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from activities.sources.cache import ParseCache, cache_key
from activities.sources.parsed import Language, Parsed, from_document

MAX_FAILURES = 10
"""Processes that files may end before no more are started: ten files cost half a minute at most."""

_ROOT = Path(__file__).parents[2]
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from activities.sources import child; child.main()"
_GAVE_UP = Parsed(failure="its parser crashed or took too long")
_NOT_TRIED = Parsed(failure="not parsed: the parser could not be started, or too many files before it ended it")


class Parsing:
    """Parses files, each content once if there is a ``cache``. Not for use by two threads at a time."""

    def __init__(self, cache: ParseCache | None = None) -> None:
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()
        if self._cache is not None:
            self._cache.flush()

    def parse(self, language: Language, data: bytes) -> Parsed:
        """Never raises on account of ``data``: what cannot be parsed says so in ``failure``."""
        if self._cache is None:
            return self._ask(language, data)
        key = cache_key(language, data)
        known = self._cache.get(key)
        if known is None:
            known = self._ask(language, data)
            if known is not _NOT_TRIED:
                self._cache.put(key, known)
        return known

    def _ask(self, language: Language, data: bytes) -> Parsed:
        if self._failures == MAX_FAILURES:
            return _NOT_TRIED
        try:
            self._process = process = self._process or _start()
        except OSError:  # no memory or no process to be had: the caller does without imports
            self._failures = MAX_FAILURES
            return _NOT_TRIED
        assert process.stdin is not None
        assert process.stdout is not None
        line = b""
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"language": language, "bytes": len(data)}).encode() + b"\n")
            process.stdin.write(data)
            process.stdin.flush()
            line = process.stdout.readline()
        if line.endswith(b"\n"):
            return from_document(json.loads(line))
        self._failures += 1
        self._end()
        return _GAVE_UP

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _start() -> "subprocess.Popen[bytes]":
    """Nothing of our environment goes along but what the interpreter may need to find its libraries."""
    return subprocess.Popen(
        [sys.executable, "-I", "-X", "utf8", "-c", _PROGRAM, str(_ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
        start_new_session=True,
    )
