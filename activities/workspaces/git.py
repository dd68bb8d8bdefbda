"""Git as a subprocess: one scrubbed environment, one way to run it, one way to fail.

Nothing of the person's configuration reaches these processes: no hooks, no aliases, no signing, no prompts, no
background maintenance. Names travel NUL-terminated and pathspecs are literal. A process costs 2-3 ms, so callers count.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from orchex.domain.errors import OrchexError, StackError, StorageError

OLDEST_GIT = (2, 38)
"""``git merge-tree --write-tree`` came with 2.38."""

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Orchex",
    "GIT_AUTHOR_EMAIL": "orchex@localhost",
    "GIT_COMMITTER_NAME": "Orchex",
    "GIT_COMMITTER_EMAIL": "orchex@localhost",
}
_NO_SPACE = ("No space left on device", "Disk quota exceeded", "Out of diskspace")
_MISSING_OBJECT = re.compile(
    r"unable to read (?:sha1 file|tree|blob|object)|invalid object|bad object|missing object|"
    r"Could not read [0-9a-f]{40}|could not parse|not a valid object|unable to find [0-9a-f]{40}"
)


class GitFailed(OrchexError):
    """A git process ended with an error. ``exit_code`` and ``stderr`` are git's own."""

    def __init__(self, args: Sequence[str], exit_code: int, stderr: str) -> None:
        super().__init__(f"git {args[0] if args else ''} failed: {stderr.strip() or f'exit code {exit_code}'}")
        self.exit_code = exit_code
        self.stderr = stderr


class ObjectMissing(GitFailed):
    """An object that was borrowed from the person's repository is no longer there."""


@cache
def git_binary() -> str:
    """The path of a git that is new enough; raises StackError otherwise."""
    binary = shutil.which("git")
    if binary is None:
        raise StackError("git was not found on PATH", hint="Install git 2.38 or newer.")
    answer = subprocess.run([binary, "version"], capture_output=True, check=False, env=scrubbed_environment())
    require_version(answer.stdout.decode(errors="replace"))
    return binary


def require_version(text: str) -> None:
    """Raises StackError unless ``text`` (the answer of ``git version``) names a git that is new enough."""
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GIT:
        raise StackError(
            f"git {'.'.join(map(str, OLDEST_GIT))} or newer is needed, found: {text.strip() or 'no version'}",
            hint="Upgrade git, or put a newer one first on PATH.",
        )


def scrubbed_environment() -> dict[str, str]:
    """The environment of every git process on a private repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return (
        environment
        | {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_DEFAULT_REF_FORMAT": "files",
            "LC_ALL": "C",
        }
        | _IDENTITY
    )


def persons_environment() -> dict[str, str]:
    """For reading the person's own repository: their configuration counts, but nothing in it is run."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    kept = {name: os.environ[name] for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM") if name in os.environ}
    return environment | kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


NOTHING_RUNS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""Options for commands in the person's repository: its hooks and its file-system monitor stay silent."""


def run_git(
    *arguments: str | Path,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    accept: Sequence[int] = (0,),
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end. Raises GitFailed (or a narrower error) when the exit code is not in ``accept``."""
    words = [os.fspath(argument) for argument in arguments]
    done = subprocess.run(
        [git_binary(), *words], input=stdin, capture_output=True, check=False, env=environment, cwd=cwd or Path("/")
    )
    if done.returncode not in accept:
        raise failure(words, done.returncode, done.stderr)
    return done


def failure(words: Sequence[str], exit_code: int, stderr: bytes) -> OrchexError:
    """The error that says what git's ``stderr`` says, as narrow as it can be told."""
    text = stderr.decode(errors="replace")
    command = [word for word in words if not word.startswith("-")]
    if any(phrase in text for phrase in _NO_SPACE):
        return StorageError(f"git {command[0]}: no space left on device", hint="Free some space and try again.")
    if _MISSING_OBJECT.search(text):
        return ObjectMissing(command, exit_code, text)
    return GitFailed(command, exit_code, text)


class PrivateGit:
    """Git on one private (bare) repository, with an index and a work tree when the command needs them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._environment = scrubbed_environment() | {"GIT_DIR": os.fspath(directory)}

    def environment(self, index: Path | None = None, work_tree: Path | None = None) -> dict[str, str]:
        extra: dict[str, str] = {}
        if index is not None:
            extra["GIT_INDEX_FILE"] = os.fspath(index)
        if work_tree is not None:
            extra["GIT_WORK_TREE"] = os.fspath(work_tree)
        return self._environment | extra

    def run(
        self,
        *arguments: str | Path,
        index: Path | None = None,
        work_tree: Path | None = None,
        stdin: bytes = b"",
        accept: Sequence[int] = (0,),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command; the work tree, when given, is also the current folder."""
        environment = self.environment(index, work_tree)
        return run_git(*arguments, environment=environment, cwd=work_tree or self.directory, stdin=stdin, accept=accept)

    def line(self, *arguments: str | Path, index: Path | None = None, work_tree: Path | None = None) -> str:
        """The one-line answer of a command."""
        return self.run(*arguments, index=index, work_tree=work_tree).stdout.decode().strip()

    def names(self, *arguments: str | Path, index: Path | None = None, work_tree: Path | None = None) -> list[str]:
        """The NUL-separated answer of a command; bytes that are not UTF-8 become surrogate escapes."""
        return split_nul(self.run(*arguments, index=index, work_tree=work_tree).stdout)

    @contextmanager
    def pipe(self, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A long-lived command with open standard input and output; killed if it does not end with the block."""
        process = subprocess.Popen(
            [git_binary(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            cwd=self.directory,
        )
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise


def split_nul(answer: bytes) -> list[str]:
    return [os.fsdecode(name) for name in answer.split(b"\0") if name]
