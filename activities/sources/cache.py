"""What parsers told, kept by what they read: the same content is parsed once, in whatever file or branch it stands."""

import hashlib
import json
import secrets
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from activities.sources.parsed import Language, Parsed, from_document, to_document

MAX_ENTRIES = 256
"""In one of the 256 files of the cache; when there are more, the older half goes."""

_FORM = 1
_KEPT_BACK = 1000

Shard = dict[str, object]


class ParseCache:
    """256 files beneath ``folder``, by the first digits of the key. They may vanish or be damaged at any time.

    Two processes that write the same file at once lose what one of them had learnt, and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, Shard] = {}
        self._new: dict[str, Shard] = {}
        self._unwritten = 0

    def get(self, key: str) -> Parsed | None:
        document = self._shard(key[:2]).get(key[2:])
        try:
            return from_document(document) if document is not None else None
        except ValueError:
            return None

    def put(self, key: str, parsed: Parsed) -> None:
        document = to_document(parsed)
        self._shard(key[:2])[key[2:]] = document
        self._new.setdefault(key[:2], {})[key[2:]] = document
        self._unwritten += 1
        if self._unwritten == _KEPT_BACK:
            self.flush()

    def flush(self) -> None:
        """Write what is new. A disk that does not take it costs parsing again."""
        for name, new in self._new.items():
            merged = _read(self._folder / name) | new
            if len(merged) > MAX_ENTRIES:
                merged = dict(list(merged.items())[-MAX_ENTRIES // 2 :])
            _write(self._folder / name, merged)
        self._new, self._unwritten = {}, 0

    def _shard(self, name: str) -> Shard:
        if name not in self._shards:
            self._shards[name] = _read(self._folder / name)
        return self._shards[name]


def cache_key(language: Language, data: bytes) -> str:
    """SHA-256 of the content, the language, and the versions of what parses it."""
    return hashlib.sha256(f"{language}\0{_versions()}\0".encode() + data).hexdigest()


@cache
def _versions() -> str:
    grammars = ("tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript", "tree-sitter-go")
    return f"{_FORM} {sys.version_info[:2]} {' '.join(version(name) for name in grammars)}"


def _read(file: Path) -> Shard:
    try:
        shard = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return shard if isinstance(shard, dict) else {}


def _write(file: Path, shard: Shard) -> None:
    temporary = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_text(json.dumps(shard))
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
