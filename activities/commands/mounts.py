"""The private view of the project that a command gets: a mount namespace of its own.

The workspace is mounted at the project's own path, so editable installs and absolute paths hold. Dependency folders
(``node_modules``, ``.venv``) come from the user's project, read through an overlay: what a command writes there stays
in the workspace, and the user's own is never touched.

One overlay over the whole project does it, rather than one for each dependency folder, because a folder that is a
mount point cannot be removed and ``rm -rf node_modules`` has to work::

    upper   the workspace's tree: all edits land there
    lower   a mask: a whiteout for each entry of the project that is no dependency folder
    lower   the user's project, of which the mask leaves the dependency folders only

Performed by the guardian, which is a process of that command alone; needs root or user namespaces. Standard library
only: the spawner process loads this module.
"""

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from activities.commands import syscalls

Level = Literal["root", "user"]
_ROOT = Path()


class MountPlan(NamedTuple):
    """``tree`` is to appear at ``project`` with the ``dependencies`` (relative paths) of the project in it.

    ``private`` is a folder of ours on the same file system as ``tree``, kept from command to command. Of all plans
    with one ``tree`` only one may be in use at a time. ``binds`` are (source, target) pairs made before the project is
    covered: what lies beneath it and is still needed, under another name.

    For commands that are not trusted: what they write into dependency folders goes to the folder ``discard`` and is
    gone with them, and with ``writable`` everything but these folders is read-only.
    """

    project: str
    tree: str
    private: str
    dependencies: tuple[str, ...]
    level: Level
    binds: tuple[tuple[str, str], ...] = ()
    discard: str | None = None
    writable: tuple[str, ...] | None = None


def enter(plan: MountPlan) -> list[str]:
    """Move the calling process into a namespace where ``plan`` holds; returns the mount points, for ``leave``.

    Raises OSError; the process is then unfit for anything.
    """
    project, tree, private = Path(plan.project), Path(plan.tree), Path(plan.private)
    dependencies = _offered(project, tree, plan.dependencies)
    if dependencies:
        _lay_mask(private / "mask", project, dependencies)
    linked = sorted({(project / path).resolve() for path in dependencies if (project / path).is_symlink()})
    _unshare(plan.level)
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    for source, target in plan.binds:
        syscalls.mount(source, target, None, syscalls.MS_BIND)
    if dependencies:
        _overlay((private / "mask", project), tree, private / "work", project, plan.level)
    else:
        syscalls.mount(plan.tree, plan.project, None, syscalls.MS_BIND | syscalls.MS_REC)
    # Writing through a dependency folder that is a link must not reach its target either.
    for number, folder in enumerate(linked):
        area = private / "linked" / str(number)
        _overlay((folder,), area / "upper", area / "work", folder, plan.level)
    mount_points = [plan.project, *map(str, linked)]
    shielded = [] if plan.discard is None else [*_still_there(project, dependencies), *linked]
    closed = [] if plan.discard is None else _shield(shielded, Path(plan.discard), plan.level)
    if plan.writable is not None:
        _leave_writable(plan.writable)
    for folder in closed:
        syscalls.set_read_only(str(folder), True)
    return [*mount_points, *map(str, shielded), *(plan.writable or ())]


def leave(plan: MountPlan, mount_points: list[str]) -> None:
    """Unmount, once the last process of the command is gone, and clear what the overlay left. Never raises.

    A removed folder that holds dependency folders leaves a whiteout; outside the overlay it would look like a
    device file. The whiteout of a dependency folder itself stays: it is how its removal is remembered.
    """
    os.chdir("/")
    for target in reversed(mount_points):
        with suppress(OSError):
            syscalls.unmount(target, syscalls.MNT_DETACH)
    for folder in _parents(Path(path) for path in plan.dependencies):
        path = Path(plan.tree, folder)
        with suppress(OSError):
            if _is_whiteout(path):
                path.unlink()
    # The kernel makes these with mode 000, which stops an ordinary user from removing the area as a whole.
    for work in (Path(plan.private, "work/work"), *Path(plan.private).glob("linked/*/work/work")):
        with suppress(OSError):
            _clear(work)
            work.rmdir()


def _still_there(project: Path, dependencies: list[Path]) -> list[Path]:
    return [project / path for path in dependencies if _is_real_folder(project / path)]


def _shield(folders: list[Path], discard: Path, level: Level) -> list[Path]:
    """Let each folder be written to with no consequence. Returns those that have to be closed to writing instead.

    The kernel stacks two overlays and no more: where the project lies on one already, this would be a third.
    """
    closed: list[Path] = []
    for number, folder in enumerate(folders):
        area = discard / str(number)
        try:
            _overlay((folder,), area / "upper", area / "work", folder, level)
        except OSError:
            syscalls.mount(str(folder), str(folder), None, syscalls.MS_BIND)
            closed.append(folder)
    return closed


def _leave_writable(folders: Iterable[str]) -> None:
    for folder in folders:
        syscalls.mount(folder, folder, None, syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.set_read_only("/", True)
    for folder in folders:
        syscalls.set_read_only(folder, False)


def _offered(project: Path, tree: Path, dependencies: Iterable[str]) -> list[Path]:
    """The dependency folders that exist, whose parent the workspace still has, without those inside another."""
    offered: list[Path] = []
    for path in sorted({Path(path) for path in dependencies}):
        if path.is_absolute() or path == _ROOT or ".." in path.parts:
            raise OSError(errno.EINVAL, f"dependency folder {path} is not beneath the project")
        above = [parent for parent in path.parents if parent != _ROOT]
        real = all(_is_real_folder(root / parent) for root in (project, tree) for parent in above)
        if real and (project / path).is_dir() and not any(path.is_relative_to(other) for other in offered):
            offered.append(path)
    return offered


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _parents(dependencies: Iterable[Path]) -> set[Path]:
    """Every folder from the project's root (written ``.``) down to what holds a dependency folder."""
    return {parent for path in dependencies for parent in path.parents}


def _lay_mask(mask: Path, project: Path, dependencies: list[Path]) -> None:
    """Make the mask, unless the one of the last command still fits: a project's top seldom changes."""
    parents = sorted(_parents(dependencies))
    entries = (folder / entry.name for folder in parents for entry in (project / folder).iterdir())
    hidden = sorted(path for path in entries if path not in parents and path not in dependencies)
    contents = mask.with_suffix(".contents")
    wanted = b"\0".join(os.fsencode(path) for path in [*parents, _ROOT, *hidden])
    with suppress(FileNotFoundError):
        if contents.read_bytes() == wanted:
            return
        contents.unlink()
    _clear(mask)
    for folder in parents:
        (mask / folder).mkdir(parents=True, exist_ok=True)
    for path in hidden:
        os.mknod(mask / path, stat.S_IFCHR, 0)
    contents.write_bytes(wanted)


def _clear(folder: Path) -> None:
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            Path(place, name).unlink()
        for name in folders:
            Path(place, name).rmdir()


def _unshare(level: Level) -> None:
    if level == "root":
        syscalls.unshare(syscalls.CLONE_NEWNS)
        return
    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _overlay(lower: tuple[Path, ...], upper: Path, work: Path, target: Path, level: Level) -> None:
    """Paths go in as descriptors: they may hold the commas and colons that separate options."""
    for folder in (upper, work):
        folder.mkdir(parents=True, exist_ok=True)
    opened = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in (*lower, upper, work)]
    names = [f"/proc/self/fd/{descriptor}" for descriptor in opened]
    options = f"lowerdir={':'.join(names[:-2])},upperdir={names[-2]},workdir={names[-1]}"
    # Outside the initial user namespace the kernel takes only user.* attributes (overlayfs.rst, "userxattr").
    syscalls.mount("overlay", str(target), "overlay", 0, options + (",userxattr" if level == "user" else ""))
    for descriptor in opened:
        os.close(descriptor)


def _is_whiteout(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0
