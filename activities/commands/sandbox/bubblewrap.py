"""The outer wall: the command line of bwrap(1) that gives a command a file system and processes of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.commands.sandbox.view import View

_SHARED_MEMORY = 256 << 20


@dataclass(frozen=True)
class Room:
    """The parts of the file system that are the command's own. All paths are as the guardian sees them.

    ``writable`` is the project's folder, within ``top``, which is else read-only. ``protected`` lie in it and are
    read-only too; ``readable`` are beside the view, for git. ``scratch`` holds ``tmp`` and ``home``.
    """

    cwd: Path
    top: Path
    writable: Path
    protected: tuple[Path, ...]
    readable: tuple[Path, ...]
    scratch: Path


def arguments(program: str, view: View, room: Room, *, sized: bool) -> list[str]:
    """Up to and with the ``--``: what follows is run inside. ``sized``: this bwrap knows ``--size``."""
    return [
        program,
        # Also as root: a user namespace is what keeps root inside from being root outside.
        *("--unshare-user", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"),
        *_system(view),
        # bwrap leaves these open to root, whom the kernel's settings obey without any capability.
        *("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"),
        *("--ro-bind-try", "/proc/sysrq-trigger", "/proc/sysrq-trigger"),
        *(("--size", str(_SHARED_MEMORY)) if sized else ()),
        *("--tmpfs", "/dev/shm", "--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"),
        *("--bind", str(room.scratch / "tmp"), "/tmp", "--symlink", "../tmp", "/var/tmp"),
        *_home(view, room),
        *_read_only(path for path in view.readable if not _is_system(path) and path not in view.toolchains),
        *_read_only(room.readable),
        *_workspace(room),
        # Last, since a mount point may still have to be made in them.
        *(
            word
            for path in (*view.hidden, Path("/dev"), Path("/"))
            if path.is_dir()
            for word in ("--remount-ro", str(path))
        ),
        *("--chdir", str(room.cwd), "--"),
    ]


def _is_system(path: Path) -> bool:
    return path.parent == Path("/")


def _system(view: View) -> Iterator[str]:
    for path in filter(_is_system, view.readable):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        else:
            yield from ("--ro-bind", str(path), str(path))
    for path in view.hidden:
        if path.is_dir():
            yield from ("--tmpfs", str(path))
        else:
            yield from ("--ro-bind", "/dev/null", str(path))


def _home(view: View, room: Room) -> Iterator[str]:
    """A home that is empty but for toolchains, and forgotten afterwards: programs write their caches there."""
    if view.home is not None:
        yield from ("--bind", str(room.scratch / "home"), str(view.home))
        yield from _read_only(view.toolchains)


def _read_only(paths: Sequence[Path] | Iterator[Path]) -> Iterator[str]:
    for path in paths:
        yield from ("--ro-bind", str(path), str(path))


def _workspace(room: Room) -> Iterator[str]:
    if room.writable != room.top:
        yield from ("--ro-bind", str(room.top), str(room.top))
    yield from ("--bind", str(room.writable), str(room.writable))
    yield from _read_only(room.protected)
