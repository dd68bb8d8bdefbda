"""What of the machine a confined command sees: an allow-list, so that a secret nobody thought of is hidden too.

The system's own folders, toolchains that live in the user's home, whatever is on PATH, and nothing else of the home,
of other projects or of Orchex.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SYSTEM_NAMES = "/usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc /opt /nix/store /nix/var/nix /gnu/store /snap"
_SYSTEM = tuple(map(Path, _SYSTEM_NAMES.split()))
_TOOLCHAINS = """
    .local/bin .local/lib .local/share/uv .local/share/pipx .local/pipx .local/share/virtualenvs .virtualenvs
    .local/share/pypoetry .cache/pypoetry/virtualenvs .poetry/bin .pyenv .conda miniconda3 anaconda3 miniforge3
    .nvm .local/share/fnm .fnm .volta .npm/_cacache .local/share/pnpm .bun .deno/bin .yarn/bin
    .cargo/bin .cargo/registry .cargo/git .rustup go/bin go/pkg/mod sdk .gvm
    .m2/repository .m2/wrapper .gradle/wrapper .gradle/jdks .sdkman/candidates .jdks .rbenv .rvm .gem/ruby
    .asdf .local/share/mise .proto .dotnet .nuget/packages .ghcup .opam .elan .juliaup .julia/packages .swiftly
    .config/composer/vendor .composer/vendor .nix-profile .local/state/nix/profiles Android/Sdk .pub-cache
    .cache/ms-playwright .cache/puppeteer .cache/Cypress
"""
"""Beneath the home. Each without the files beside it that hold credentials (``.cargo/credentials.toml``)."""
_VIRTUAL_ENVIRONMENTS = (".venv", "venv", "env")
_PROGRAM_FOLDERS = frozenset({"bin", "sbin", "shims", "Scripts"})
_SIGNS_OF_A_PREFIX = ("pyvenv.cfg", "conda-meta", "lib", "libexec")

PYTHON = Path(os.path.realpath(sys.executable))
"""The interpreter that closes the sandbox from inside: the one this process runs, without its virtual environment."""


@dataclass(frozen=True)
class View:
    """``readable`` are folders and files that exist, none inside another; ``hidden`` lie in them and must not show.

    ``home`` is the user's, null when there is none worth the name; ``toolchains`` those of ``readable`` within it.
    """

    readable: tuple[Path, ...]
    hidden: tuple[Path, ...]
    home: Path | None

    @property
    def toolchains(self) -> tuple[Path, ...]:
        home = self.home
        return tuple(path for path in self.readable if home is not None and path.is_relative_to(home))


def look_around(environ: Mapping[str, str], *, project: Path, ours: Sequence[Path], extra: Sequence[Path] = ()) -> View:
    """The view under the environment of whoever started the execution.

    ``ours`` stays out of sight whatever is on PATH: Orchex's home, and the project where the workspace does not cover
    it. ``extra`` is what the settings let in beside.
    """
    home = _home(environ)
    whole = [*ours, *([home] if home else [])]
    wanted = [
        *_SYSTEM,
        *([home / name for name in _TOOLCHAINS.split()] if home else []),
        *_installed_around(map(Path, environ.get("PATH", "").split(os.pathsep)), whole),
        *_installed_around(_interpreters(project), whole),
        Path(sys.base_prefix),
        PYTHON,
        *extra,
    ]
    kept = [
        path
        for path in wanted
        if path != Path("/") and path.exists() and not any(path.is_relative_to(it) for it in ours)
    ]
    readable = tuple(_outermost(path for path in kept if not _holds(path, whole) or path in _SYSTEM or path in extra))
    hidden = [*ours, *([home] if home and not any(path == home for path in extra) else []), *_private_to_root()]
    beneath = tuple(path for path in hidden if any(path != root and path.is_relative_to(root) for root in readable))
    return View(readable, beneath, home)


def visible_parts(view: View) -> list[Path]:
    """``readable`` without ``hidden``, for a mechanism that knows no exceptions: folders are taken apart instead."""
    return [part for path in view.readable for part in _without(path, view.hidden)]


def _home(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("HOME", "")
    home = Path(named)
    usable = home.is_absolute() and ".." not in home.parts and home != Path("/") and home.is_dir()
    return home if usable and home not in _SYSTEM else None


def _interpreters(project: Path) -> Iterator[Path]:
    """Where the Pythons are that the project's own virtual environments were made from."""
    for name in _VIRTUAL_ENVIRONMENTS:
        try:
            lines = (project / name / "pyvenv.cfg").read_text(errors="replace").splitlines()
        except OSError:
            continue
        yield from (Path(line.partition("=")[2].strip()) for line in lines if line.partition("=")[0].strip() == "home")


def _installed_around(folders: Iterable[Path], never: Sequence[Path]) -> Iterator[Path]:
    """The folders, each with its installation: a ``bin`` is of little use without the ``lib`` beside it."""
    for folder in folders:
        if not folder.is_absolute() or ".." in folder.parts or not folder.is_dir() or _holds(folder, never):
            continue
        yield folder
        prefix = folder.parent
        installed = folder.name in _PROGRAM_FOLDERS and any((prefix / sign).exists() for sign in _SIGNS_OF_A_PREFIX)
        if installed and len(prefix.parts) > 2 and not (prefix / ".git").exists() and not _holds(prefix, never):
            yield prefix


def _holds(path: Path, inner: Iterable[Path]) -> bool:
    """Whether ``path`` is, or is above, one of ``inner``."""
    return any(one.is_relative_to(path) for one in inner)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def _without(path: Path, hidden: Sequence[Path]) -> Iterator[Path]:
    if path in hidden:
        return
    if not any(one.is_relative_to(path) for one in hidden):
        yield path
        return
    for child in sorted(path.iterdir()):
        yield from _without(child, hidden)


@cache
def _private_to_root() -> tuple[Path, ...]:
    """What in ``/etc`` only root may read. As root the file modes would not hold it back."""
    if os.geteuid() != 0:
        return ()
    found: list[Path] = []
    for place, folders, files in os.walk("/etc"):
        private = [name for name in [*folders, *files] if not _world_readable(Path(place, name))]
        found += [Path(place, name) for name in private]
        folders[:] = [name for name in folders if name not in private]
    return tuple(found)


def _world_readable(path: Path) -> bool:
    mode = path.lstat().st_mode
    return stat.S_ISLNK(mode) or bool(mode & (stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH))
