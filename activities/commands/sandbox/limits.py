"""How much a confined command may use."""

from typing import NamedTuple


class Limits(NamedTuple):
    """The defaults leave a normal test run alone. ``seconds`` is wall-clock time, ``cpu_seconds`` of each process.

    ``memory`` and ``processes`` count all that the command started together, ``data`` is the memory of one process;
    ``free_disk`` is what has to stay free on the workspace's disk. Sizes are in bytes.
    """

    seconds: float = 600.0
    cpu_seconds: int = 1200
    memory: int = 8 << 30
    processes: int = 512
    file_size: int = 4 << 30
    output: int = 64 << 20
    free_disk: int = 256 << 20


DEFAULTS = Limits()
