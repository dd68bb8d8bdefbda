"""Dependency folders: installed, ignored by git, large. They are found here, and copied where a copy costs nothing."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from activities.workspaces.excludes import DEPENDENCY_FOLDERS, DEPENDENCY_FOLDERS_WHEN_IGNORED
from activities.workspaces.objects import storage_error
from activities.workspaces.project import ProjectRepository
from orchex.domain.errors import ProjectRefused

_FICLONE = 0x40049409
_DEPTH = 6
_NAMES = frozenset(DEPENDENCY_FOLDERS + DEPENDENCY_FOLDERS_WHEN_IGNORED)


def dependency_folders(repository: ProjectRepository, *, depth: int = _DEPTH) -> list[str]:
    """The dependency folders of the project, relative to it, sorted: known names, ignored, at most ``depth`` down.

    Git lists ignored folders without descending into them. A folder that is ignored as a whole for another reason
    (``build/node_modules``) is not looked into; a symbolic link to a folder counts as what it is, a file.
    """
    listed = ("ls-files", "-o", "-i", "--exclude-standard", "--directory", "-z")
    index = repository.directory / "snapshot.index"
    found = repository.git.names(
        *listed, "--", repository.prefix.rstrip("/") or ".", index=index, work_tree=repository.top
    )
    paths = (name.removeprefix(repository.prefix).rstrip("/") for name in found if name.endswith("/"))
    return sorted(path for path in paths if path.rpartition("/")[2] in _NAMES and path.count("/") < depth)


def can_reflink(source: Path, target: Path) -> bool:
    """Whether a file in the folder ``target`` can share its blocks with one in the folder ``source``."""
    original = next(_files(source), None)
    if original is None:
        return True
    try:
        with original.open("rb") as shared, tempfile.TemporaryFile(dir=target) as copy:
            fcntl.ioctl(copy.fileno(), _FICLONE, shared.fileno())
    except OSError:
        return False
    return True


def copy_dependencies(repository: ProjectRepository, names: list[str], root: Path) -> None:
    """Give the checkout ``root`` reflink copies of these folders: a change on either side never shows on the other.

    A folder that is there already stays. Raises ProjectRefused, naming the cure, where the file system cannot share
    blocks: a plain copy of gigabytes is never made unasked.
    """
    for name in names:
        source, target = repository.folder / name, root / name
        if target.exists() or not source.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not can_reflink(source, target.parent):
            raise ProjectRefused(
                f"{name} cannot be used in a workspace: this machine allows no mount namespace, and the file system"
                " has no reflink copies",
                hint=f"Add setup commands to the stream that install what {name} holds (for example `npm ci`),"
                " allow user namespaces, or put ORCHEX_HOME and the project on btrfs or XFS.",
            )
        _clone(source, target)


def _clone(source: Path, target: Path) -> None:
    temporary = target.with_name(f"{target.name}.orchex-copy")
    try:
        if temporary.exists():
            shutil.rmtree(temporary)
        done = subprocess.run(
            ["cp", "-a", "--reflink=always", "--", source, temporary], capture_output=True, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(temporary, ignore_errors=True)
            raise ProjectRefused(
                f"{source} cannot be copied: {done.stderr.decode(errors='replace').strip().splitlines()[0]}",
                hint="Add setup commands to the stream that install it.",
            )
        temporary.rename(target)
    except OSError as error:
        raise storage_error(error) from error


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        paths = (Path(place) / name for name in names)
        yield from (path for path in paths if path.is_file() and not path.is_symlink())
