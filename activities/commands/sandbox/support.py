"""A level of the sandbox: what it lacks on this machine, and how to get a better one."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

Level = Literal["bubblewrap+landlock", "bubblewrap", "landlock", "none"]


class Support(NamedTuple):
    """What stands here. ``landlock`` is its ABI, 0 for none; ``closed_mounts``: all but the workspace is read-only.

    ``problem`` says what stands in the way of a better level; empty at the best.
    """

    level: Level
    bwrap: str | None = None
    bwrap_sizes: bool = False
    landlock: int = 0
    seccomp: bool = False
    closed_mounts: bool = False
    problem: str = ""

    @property
    def lacks(self) -> tuple[str, ...]:
        """What this level does not hold on this machine; ``docs/sandbox.md`` has the table."""
        return tuple(_lacks(self))


def _lacks(support: Support) -> Iterator[str]:
    if support.level == "none":
        yield "everything: a command could do whatever the user can"
        return
    if not support.seccomp:
        yield "a filter of system calls: kernel keyrings and new namespaces are within reach"
    if support.bwrap is not None:
        return
    yield "processes of its own: what `ps` tells of others is visible, their memory and environment are not"
    yield "a network of its own: there are no sockets at all, not even on loopback"
    yield "/tmp, /dev/shm and terminals: only $TMPDIR can be written"
    yield "protected files while it runs: what becomes of them is undone afterwards"
    if not support.closed_mounts:
        yield "modes and times of the user's files elsewhere; and what it leaves in dependency folders stays"
    if support.landlock < 5:
        yield "device controls of terminals it was given"
    if support.landlock < 6:
        yield "signals: it could end other processes of this user"
