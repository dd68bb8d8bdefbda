"""Where a project lies: which folder it is, and what git says of it."""

import os
from dataclasses import dataclass
from pathlib import Path

from activities.workspaces.git import NOTHING_RUNS, GitFailed, persons_environment, run_git
from orchex.domain.errors import ProjectRefused


@dataclass(frozen=True)
class Layout:
    """Where a project lies. ``top`` is git's toplevel (without git the project itself), ``prefix`` the way down to it.

    ``index`` and ``exclude`` are the person's own files; empty without git. ``prefix`` is ``""`` or ends in ``/``.
    """

    folder: str
    top: str
    prefix: str
    object_format: str
    objects: str
    index: str
    exclude: str
    excludes_file: str

    @property
    def has_git(self) -> bool:
        return bool(self.objects)


def current_folder() -> Path:
    """Raises :class:`ProjectRefused` when there is none any more."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ProjectRefused(
            "the folder this was started in does not exist any more",
            hint="Change to one that does, or name the project.",
        ) from error


def find_project(start: Path) -> Path:
    """The git toplevel around ``start``, else ``start``. A toplevel that is ``$HOME`` or ``/`` does not count."""
    start = start.resolve()
    try:
        answer = _rev_parse(start, "--show-toplevel")
    except (GitFailed, OSError):
        return start
    top = Path(os.fsdecode(answer.rstrip(b"\n"))).resolve()
    return start if _too_wide(top) else top


def admitted(folder: Path, home: Path) -> Path:
    """The real path of a folder that can be worked on. Raises :class:`ProjectRefused` for one that cannot."""
    hint = "Name the project's folder with --project."
    try:
        real = folder.resolve(strict=True)
        kind = real.is_dir()
    except FileNotFoundError as error:
        raise ProjectRefused(f"{folder} does not exist", hint=hint) from error
    except (OSError, RuntimeError) as error:
        raise ProjectRefused(f"{folder} cannot be reached: {error}", hint=hint) from error
    if not kind:
        raise ProjectRefused(f"{folder} is not a folder", hint=hint)
    if _too_wide(real):
        raise ProjectRefused(f"{real} is not worked on as a project: it holds everything you have", hint=hint)
    if real.is_relative_to(home.resolve()):
        raise ProjectRefused(f"{real} lies within Orchex's own home {home}", hint=hint)
    if not os.access(real, os.R_OK | os.X_OK):
        raise ProjectRefused(f"{real} cannot be read", hint="Give yourself read permission on it (chmod u+rx).")
    return real


def _too_wide(real: Path) -> bool:
    try:
        return Path.home().resolve().is_relative_to(real)
    except RuntimeError:
        return real == Path("/")


def _rev_parse(folder: Path, *questions: str) -> bytes:
    return run_git(
        *NOTHING_RUNS, "rev-parse", "--path-format=absolute", *questions, environment=persons_environment(), cwd=folder
    ).stdout


def layout_of(real: Path) -> Layout:
    """What git says of a folder that was admitted. Raises :class:`ProjectRefused` where git cannot work."""
    questions = ("--show-toplevel", "--git-path", "objects", "--git-path", "index", "--git-path", "info/exclude")
    try:
        answer = _rev_parse(real, *questions, "--show-object-format", "--show-prefix")
    except GitFailed as error:
        if "not a git repository" in error.stderr and not (real / ".git").is_file():
            return _without_git(real)
        raise ProjectRefused(
            f"git cannot work in {real}: {error.stderr.strip()}", hint="Mend what git says, or name another folder."
        ) from error
    fields = os.fsdecode(answer).split("\n")
    if len(fields) != 7:
        raise ProjectRefused(f"{real}: a path of its repository holds a line break", hint="Rename that folder.")
    top, objects, index, exclude, object_format, prefix, _ = fields
    if prefix and _ignored(real):
        return _without_git(real)
    return Layout(str(real), top, prefix, object_format, objects, index, exclude, _excludes_file(real))


def _without_git(real: Path) -> Layout:
    return Layout(str(real), str(real), "", "sha1", "", "", "", _excludes_file(real))


def _ignored(real: Path) -> bool:
    """A folder that the repository around it ignores is a project of its own, without git."""
    arguments = (*NOTHING_RUNS, "check-ignore", "-q", real)
    return run_git(*arguments, environment=persons_environment(), cwd=real, accept=(0, 1)).returncode == 0


def _excludes_file(real: Path) -> str:
    answer = run_git(
        *("config", "--type=path", "--get", "core.excludesFile"),
        environment=persons_environment(),
        cwd=real,
        accept=(0, 1),
    ).stdout
    if answer.strip():
        return str(real / os.fsdecode(answer.rstrip(b"\n")))
    configuration = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return f"{configuration}/git/ignore"
