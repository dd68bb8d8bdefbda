"""The files beneath a folder, in order, without following a link or entering what is not the project's own."""

import os
from collections.abc import Iterator

from activities.edits.paths import WorkTree

_NOT_ITS_OWN = """
    .git .hg .svn .jj node_modules bower_components .venv venv __pycache__ .tox .nox .mypy_cache .ruff_cache
    .pytest_cache .gradle .terraform .next .nuxt .turbo
"""
SKIPPED_FOLDERS = frozenset(_NOT_ITS_OWN.split())
MAX_DEPTH = 100
"""Each folder on the way down holds a descriptor and two frames of the stack."""


def walk(tree: WorkTree, folder: tuple[str, ...] = ()) -> Iterator[tuple[str, os.stat_result | None]]:
    """Relative path and status of every entry that is no folder. Names that are no UTF-8 hold surrogate escapes.

    A folder more than ``MAX_DEPTH`` deep is not entered: it is an entry itself.
    """
    try:
        with tree.folder(folder) as descriptor:
            yield from _walk(descriptor, "/".join(folder))
    except (FileNotFoundError, NotADirectoryError):
        return


def _walk(descriptor: int, prefix: str) -> Iterator[tuple[str, os.stat_result | None]]:
    with os.scandir(descriptor) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{prefix}/{entry.name}" if prefix else entry.name
        if entry.name == ".git":  # a file, where this is a worktree or a submodule
            continue
        if not entry.is_dir(follow_symlinks=False) or path.count("/") >= MAX_DEPTH:
            yield path, _status(entry)
        elif entry.name not in SKIPPED_FOLDERS:
            yield from _beneath(descriptor, entry.name, path)


def _beneath(parent: int, name: str, path: str) -> Iterator[tuple[str, os.stat_result | None]]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=parent)
    except OSError:  # unreadable, or gone since it was listed
        return
    try:
        yield from _walk(descriptor, path)
    finally:
        os.close(descriptor)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None
