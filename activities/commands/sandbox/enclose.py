"""Puts the walls around a command: from what is to run, to what is run in its place."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from activities.commands.ceiling import TASKS_PER_PROCESS
from activities.commands.sandbox import bubblewrap
from activities.commands.sandbox.bubblewrap import Room
from activities.commands.sandbox.limits import Limits
from activities.commands.sandbox.rules import Rules
from activities.commands.sandbox.support import Support
from activities.commands.sandbox.view import PYTHON, View, visible_parts

PENDING = "confinement-pending"
"""In the command's ``tmp``: a file that goes away in the moment in which all walls stand."""
_DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
_PACKAGE = __name__.rpartition(".")[0]
_MODULES = ("landlock", "seccomp", "confine")
_PROGRAM = """import sys
package = type(sys)({package!r})
for name, source in zip({modules!r}, sys.argv[1:]):
    module = type(sys)(name)
    sys.modules[package.__name__ + "." + name] = module
    setattr(package, name, module)
    sys.modules[package.__name__] = package
    exec(source, module.__dict__)
module.main(type(sys.implementation)(**{rules!r}), *sys.argv[{count} + 1:])
"""
"""Neither the package's parents nor any module but those of ``_MODULES`` are there to be imported."""


class Enclosed(NamedTuple):
    argv: tuple[str, ...]
    env: dict[str, str]


def enclose(
    argv: tuple[str, ...], env: Mapping[str, str], *, support: Support, view: View, room: Room, limits: Limits
) -> Enclosed:
    """``argv`` within the walls that ``support`` offers. Makes the ``PENDING`` file, so it holds for one run."""
    (room.scratch / "tmp" / PENDING).touch()
    if support.bwrap:
        outer = bubblewrap.arguments(support.bwrap, view, room, sized=support.bwrap_sizes)
        return Enclosed((*outer, *_inner(_rules_inside(support, view, room, limits)), *argv), dict(env))
    tmp, home = str(room.scratch / "tmp"), str(room.scratch / "home")
    _link_toolchains(view, Path(home))
    return Enclosed((*_inner(_rules_alone(support, view, room, limits)), *argv), {**env, "HOME": home, "TMPDIR": tmp})


def _rules_inside(support: Support, view: View, room: Room, limits: Limits) -> Rules:
    """Bubblewrap shows nothing that may not be read, and has a network with nobody in it."""
    home = [str(view.home)] if view.home else []
    return Rules(
        pending=f"/tmp/{PENDING}",
        alone=False,
        landlock=support.landlock > 0,
        seccomp=support.seccomp,
        read=("/",),
        write=(str(room.writable), "/tmp", "/dev/shm", *home),
        devices=("/dev",),
        cpu_seconds=limits.cpu_seconds,
        file_size=limits.file_size,
        data=limits.memory,
        tasks=_tasks(limits),
    )


def _rules_alone(support: Support, view: View, room: Room, limits: Limits) -> Rules:
    shown = map(str, (*visible_parts(view), *room.readable, room.top, "/proc", "/sys/devices/system/cpu"))
    return Rules(
        pending=str(room.scratch / "tmp" / PENDING),
        alone=True,
        landlock=support.level != "none",
        seccomp=support.level != "none",
        read=tuple(shown),
        write=(str(room.writable), str(room.scratch / "tmp"), str(room.scratch / "home")),
        devices=_DEVICES,
        cpu_seconds=limits.cpu_seconds,
        file_size=limits.file_size,
        data=limits.memory,
        tasks=_tasks(limits),
    )


def _tasks(limits: Limits) -> int | None:
    """The kernel exempts root from this limit, for whom there is a control group."""
    return TASKS_PER_PROCESS * limits.processes if os.geteuid() != 0 else None


def _link_toolchains(view: View, home: Path) -> None:
    """Where the real home cannot be covered, programs are given another, from which links lead to the toolchains."""
    for path in view.toolchains:
        assert view.home is not None
        link = home / path.relative_to(view.home)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(path)


def _inner(rules: Rules) -> tuple[str, ...]:
    """The program comes in the command line: a file that a command could change must not be what confines it."""
    program = _PROGRAM.format(package=_PACKAGE, modules=_MODULES, rules=rules._asdict(), count=len(_MODULES))
    return (str(PYTHON), "-I", "-S", "-X", "utf8", "-c", program, *_sources())


@cache
def _sources() -> tuple[str, ...]:
    return tuple(Path(__file__).with_name(f"{name}.py").read_text() for name in _MODULES)
