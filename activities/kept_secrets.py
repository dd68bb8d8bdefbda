"""Secrets that a project keeps in files of its own, such as ``.env``: known, so that nobody is told them."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from activities.commands.environment import SHORTEST_SECRET, names_a_secret, secret_values
from activities.context.sensitive import may_hold_secrets
from activities.edits.walk import SKIPPED_FOLDERS

MAX_DEPTH = 2
"""Folders down from the root: ``packages/web/.env`` is found."""

MAX_FOLDERS = 300
MAX_FILES = 50
MAX_BYTES = 64 * 1024

_ENTRY = re.compile(r"""(?<![\w.-])([\w.-]{1,100})["']?[ \t]*[:=][ \t]*("[^"\n]*"|'[^'\n]*'|[^\s"',;}\]]+)""")
"""``NAME=value``, ``name: value``, ``"name": "value"``. A name begins where a word does: else a long word would be
tried from each of its letters.
"""

_ORDINARY = re.compile(r"[a-z]+|\$\{?\w+\}?")
"""``postgres`` is a password in many a project, and a word in all of its files; ``$OTHER`` only names one."""


def known_secrets(root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values in ``environ`` and in the files of the project at ``root`` that must not be told."""
    found = {value for text in _texts(root) for value in _values(text)}
    return tuple(dict.fromkeys((*secret_values(environ), *sorted(found, key=lambda it: (-len(it), it)))))


def _values(text: str) -> Iterator[str]:
    for name, given in _ENTRY.findall(text):
        value = given[1:-1] if given[0] in "\"'" else given
        if len(value) >= SHORTEST_SECRET and names_a_secret(name) and not _ORDINARY.fullmatch(value):
            yield value


def _texts(root: Path) -> Iterator[str]:
    for number, path in enumerate(_files(root)):
        if number == MAX_FILES:
            return
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield file.read(MAX_BYTES).decode("utf-8", "replace")


def _files(root: Path) -> Iterator[str]:
    """Files that may hold secrets, the upper ones first; no link is followed."""
    waiting, entered = [(str(root), "", 0)], 0
    while waiting and entered < MAX_FOLDERS:
        folder, relative, depth = waiting.pop(0)
        entered += 1
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = f"{relative}{entry.name}"
            if not entry.is_dir(follow_symlinks=False):
                if may_hold_secrets(path):
                    yield entry.path
            elif depth < MAX_DEPTH and entry.name not in SKIPPED_FOLDERS:
                waiting.append((entry.path, f"{path}/", depth + 1))
