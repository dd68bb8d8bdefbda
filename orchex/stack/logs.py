"""The log files of the stack: appended to by the processes themselves, cut by the supervisor."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

LIMIT = 10_000_000
"""Bytes after which a log becomes ``<name>.1`` and starts again."""
_TAIL_BYTES = 4_000
_TAIL_LINES = 20


def open_log(path: Path) -> BinaryIO:
    """For appending, so that whoever writes goes on at the start once the file was cut."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "wb", buffering=0)


def cut(path: Path, limit: int = LIMIT) -> None:
    """Move what a log holds to ``<name>.1`` once it is too long; lines written in that instant may be
    lost.
    """
    try:
        if path.stat().st_size <= limit:
            return
        try:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
        finally:
            os.truncate(path, 0)
    except OSError:
        return  # a full disk must not end the stack over its logs


def tail(path: Path, since: int = 0) -> str:
    """The last lines of what was written from the byte ``since`` on."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= size else 0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
