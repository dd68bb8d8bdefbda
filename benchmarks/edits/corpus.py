"""Public repositories that edits are taken from: a clone somebody has, or one made from the public address."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import scratch


@dataclass(frozen=True)
class Corpus:
    name: str
    address: str
    licence: str


AIDER = Corpus("aider", "https://github.com/Aider-AI/aider", "Apache-2.0")
"""Its test fixtures hold a chat in which models edited aider itself, and its history the commits that came of it."""

QUIXBUGS = Corpus("QuixBugs", "https://github.com/jkoppel/QuixBugs", "MIT")
"""Programs with one faulty line each, beside the right ones."""


class Clone:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def head(self) -> str:
        return self._git("rev-parse", "HEAD").decode().strip()

    def files(self, folder: str) -> list[str]:
        """The names in a folder at the head."""
        return self._git("ls-tree", "--name-only", f"HEAD:{folder}").decode().splitlines()

    def read(self, revision: str, path: str) -> str | None:
        """A text file; None if that revision has no such file, or the repository no such revision."""
        try:
            return self._git("show", f"{revision}:{path}").decode()
        except (subprocess.CalledProcessError, UnicodeDecodeError):
            return None

    def _git(self, *arguments: str) -> bytes:
        return subprocess.run(["git", "-C", self._folder, *arguments], capture_output=True, check=True).stdout


@contextmanager
def opened(corpus: Corpus, given: str | None) -> Iterator[Clone]:
    """``given`` is the path of a clone with its history; None: one is made, whose files come as they are read."""
    if given and Path(given).is_dir():
        yield Clone(Path(given))
        return
    with scratch() as area:
        address = given or corpus.address
        subprocess.run(["git", "clone", "--quiet", "--bare", "--filter=blob:none", address, area / "clone"], check=True)
        yield Clone(area / "clone")
