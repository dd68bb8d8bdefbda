"""What goes into the hand-written workflows and activities."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """Write a file with a line that holds ``text``, run ``command``, commit."""

    folder: str
    number: int
    text: str
    command: str = "true"


@dataclass(frozen=True)
class Job:
    """``steps`` steps, one activity each."""

    folder: str
    steps: int
    text: str
    command: str = "true"


@dataclass(frozen=True)
class Action:
    """One action of a runbook: ``create``, ``apply_patch`` or ``run_command``, with what it takes."""

    folder: str
    tool: str
    input: dict[str, str]


@dataclass(frozen=True)
class Checkout:
    """A private checkout of ``project`` at ``folder``; ``patch`` is where its change is written before it lands."""

    project: str
    folder: str
    patch: str
    number: int
