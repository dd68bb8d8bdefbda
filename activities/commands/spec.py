"""What to run and how it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from activities.commands.mounts import MountPlan
from activities.commands.watch import Allowance


@dataclass(frozen=True)
class CommandSpec:
    """One command to run.

    ``cwd`` is the folder as the command sees it: with ``mounts`` that is the project's own path. ``env`` is the
    whole environment, nothing is added but ``PWD``. ``timeout`` is in seconds. ``log_path`` receives the redacted
    output. ``secrets`` are values that must never be recorded, whatever they look like. A command that takes more
    than its ``allowance``, or writes more than ``output_limit`` bytes, is ended.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    timeout: float | None = None
    mounts: MountPlan | None = None
    log_path: Path | None = None
    secrets: tuple[str, ...] = ()
    allowance: Allowance | None = None
    output_limit: int | None = None


@dataclass(frozen=True)
class CommandOutcome:
    """How a command ended.

    Exactly one of ``exit_code`` and ``signal`` is set. ``output`` is head and tail of the plain redacted text,
    ``output_bytes`` counts what the command wrote. ``leftovers`` counts the background processes that outlived
    the command and were killed; ``survivors`` those that no signal could end (they hang inside the kernel).
    ``confinement`` is the level of the sandbox it ran in; None for a command of the user's own.
    """

    exit_code: int | None
    signal: int | None
    timed_out: bool
    duration_ms: int
    output: str
    output_bytes: int
    leftovers: int
    survivors: int
    log_path: Path | None
    confinement: str | None = None

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out
