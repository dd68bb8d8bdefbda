"""What ``confine`` is told, from outside."""

from typing import NamedTuple


class Rules(NamedTuple):
    """What the command may do. The paths are as seen from inside.

    ``pending`` is removed when all walls stand. ``alone``: no bubblewrap around, so what its namespaces would hold is
    refused altogether. ``tasks`` is the largest number of tasks, processes and threads, beside those that the user
    runs already; None for root, whom the kernel exempts.
    """

    pending: str
    alone: bool
    landlock: bool
    seccomp: bool
    read: tuple[str, ...]
    write: tuple[str, ...]
    devices: tuple[str, ...]
    cpu_seconds: int
    file_size: int
    data: int
    tasks: int | None
