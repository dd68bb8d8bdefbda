"""File patterns of a manifest: ``src/**/*.ts``, ``src/features/``, ``package.json``, read from the project's root."""

import re
import unicodedata
from dataclasses import dataclass

from activities.edits.globs import Globs, compile_globs
from orchex.domain.errors import InvalidInput
from orchex.domain.printing import legible, printable

_WILD = re.compile(r"[*?\[{]")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MAX_ALTERNATIVES = 64


@dataclass(frozen=True)
class Glob:
    """A compiled pattern, and how many slashes its paths have; None: any number."""

    _spec: Globs
    _depth: int | None

    def matches(self, path: str) -> bool:
        if self._depth is not None and path.count("/") != self._depth:
            return False
        return self._spec.match_file(path)


def normal(path: str) -> str:
    """Composed Unicode: a manifest may spell a name in another form than the file system does."""
    return path if path.isascii() else unicodedata.normalize("NFC", legible(path))


def quoted(text: str) -> str:
    """Between double quotes, so that it can be told where it ends."""
    return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def is_wild(pattern: str) -> bool:
    return bool(_WILD.search(pattern))


def check(pattern: str) -> str:
    """The pattern without ``./``. Raises InvalidInput for one that could leave the project."""
    reason = None
    if not pattern.strip() or "\0" in pattern:
        reason = "is empty or holds a NUL byte"
    elif pattern.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]|\\", pattern):
        reason = "is absolute"
    elif ".." in re.split(r"[/\\]", pattern):
        reason = "climbs with '..'"
    if reason:
        raise InvalidInput(f"context.files: {pattern!r} {reason}", hint="Name files beneath the project's root.")
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    return "/".join(parts) + ("/" if pattern.endswith("/") and parts else "")


def compile_glob(pattern: str) -> Glob:
    """Gitignore syntax by RE2, anchored at the root, with braces: ``*.{ts,tsx}``.

    Unlike in a .gitignore, ``src/*`` means the files in ``src``, not what lies deeper; ``src/*/`` does.
    """
    spec = compile_globs(_expanded(normal(pattern)))
    deep = "**" in pattern or pattern.endswith("/")
    uneven = any("/" in choices for choices in _BRACES.findall(pattern))
    return Glob(spec, None if deep or uneven else pattern.count("/"))


def _expanded(pattern: str) -> list[str]:
    done, waiting = [], [pattern]
    while waiting:
        match = _BRACES.search(waiting[0])
        if match is None:
            done.append(waiting.pop(0))
            continue
        first = waiting.pop(0)
        waiting += [first[: match.start()] + choice + first[match.end() :] for choice in match[1].split(",")]
        if len(waiting) + len(done) > _MAX_ALTERNATIVES:
            raise InvalidInput(f"context.files: {pattern!r} has more than {_MAX_ALTERNATIVES} alternatives in braces")
    return done
