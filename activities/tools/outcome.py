"""What a tool call comes to."""

from dataclasses import dataclass
from typing import Protocol

from activities.edits.change import Change
from activities.edits.ladder import Rung
from orchex.domain.turn import ToolResultBlock


class CommandAnswer(Protocol):
    """How a command ended: ``exit_code`` is None when a signal or the time-out ended it."""

    @property
    def exit_code(self) -> int | None: ...

    @property
    def output(self) -> str: ...

    @property
    def timed_out(self) -> bool: ...


@dataclass(frozen=True)
class CommandRecord:
    command: str
    answer: CommandAnswer


@dataclass(frozen=True)
class ToolOutcome:
    """``block`` goes back to whoever made the call; the rest is for the journal.

    ``changes`` were written by this call (empty when the edits of the turn were refused), ``rung`` is the lowest
    rung of the ladder it needed, ``ran`` is false when the call was not carried out because an earlier one failed.
    """

    block: ToolResultBlock
    changes: tuple[Change, ...] = ()
    rung: Rung | None = None
    command: CommandRecord | None = None
    ran: bool = True

    @property
    def failed(self) -> bool:
        return self.block.is_error
