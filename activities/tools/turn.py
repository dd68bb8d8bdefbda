"""The bookkeeping of a turn: what each call came to, which edits wait to be written, whether the turn goes on."""

from dataclasses import replace

from activities.edits.change import Change
from activities.edits.editset import EditSet
from activities.tools.definitions import ToolInput
from activities.tools.outcome import CommandAnswer, CommandRecord, ToolOutcome
from activities.tools.perform import EDITING, perform_on
from orchex.domain.errors import EditRefused
from orchex.domain.printing import encodable, printable
from orchex.domain.turn import ToolResultBlock, ToolUseBlock

MAX_OUTPUT = 20_000
NOT_RUN = "not run: "
NOT_WRITTEN = "not written: the edits of a turn are written all or none, and another one failed"


class Turn:
    """``over``: a trusted caller's call failed, nothing more is done. ``refused``: an edit failed, none is written."""

    def __init__(self, edits: EditSet) -> None:
        self.edits = edits
        self.outcomes: list[ToolOutcome] = []
        self.over = False
        self.refused = False
        self._waiting: dict[int, tuple[str, ...]] = {}

    def perform(self, call: ToolUseBlock, given: ToolInput) -> None:
        """Carry out a call that reads or edits; an edit waits for ``write``."""
        try:
            done = perform_on(self.edits, given)
        except EditRefused as refusal:
            self.refuse(call, refusal, edits=isinstance(given, EDITING))
            return
        if isinstance(given, EDITING):
            self._waiting[len(self.outcomes)] = done.paths
        self.outcomes.append(ToolOutcome(_block(call, done.answer), rung=done.rung))

    def refuse(self, call: ToolUseBlock, refusal: EditRefused, *, edits: bool) -> None:
        self.outcomes.append(ToolOutcome(_block(call, str(refusal), is_error=True)))
        self.refused = self.refused or edits
        self.over = self.over or self.edits.protection.trusted

    def skip(self, call: ToolUseBlock, reason: str) -> None:
        self.outcomes.append(ToolOutcome(_block(call, f"{NOT_RUN}{reason}", is_error=True), ran=False))

    def ran(self, call: ToolUseBlock, command: str, answer: CommandAnswer) -> None:
        failed = answer.timed_out or answer.exit_code != 0
        block = _block(call, _said(answer), is_error=failed)
        self.outcomes.append(ToolOutcome(block, command=CommandRecord(command, answer)))
        self.over = self.over or (failed and self.edits.protection.trusted)

    def write(self) -> None:
        """Write the edits that wait, all or none. Raises StorageError when the disk refuses."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        if self.refused or self.over:
            self._mark(waiting, NOT_WRITTEN)
            return
        try:
            changes = self.edits.commit()
        except EditRefused as refusal:
            self.refused, self.over = True, self.edits.protection.trusted
            self._mark(waiting, f"not written: {refusal}", ran=True)
            return
        for change in changes:
            # The last call that touched the file is the one that made it what it is now.
            index = next(index for index in reversed(waiting) if change.path in waiting[index])
            self._note(index, change)

    def _mark(self, waiting: dict[int, tuple[str, ...]], reason: str, *, ran: bool = False) -> None:
        for index in waiting:
            block = self.outcomes[index].block.model_copy(update={"content": reason, "is_error": True})
            self.outcomes[index] = ToolOutcome(block, ran=ran)

    def _note(self, index: int, change: Change) -> None:
        outcome = self.outcomes[index]
        block = outcome.block
        if change.warning:
            warning = f"warning: {printable(change.path)} parsed before and does not any more: {change.warning}"
            block = block.model_copy(update={"content": f"{block.content}\n{warning}"})
        self.outcomes[index] = replace(outcome, block=block, changes=(*outcome.changes, change))


def _block(call: ToolUseBlock, content: str, *, is_error: bool = False) -> ToolResultBlock:
    """An answer is stored and sent; a diff may name files whose names cannot be."""
    return ToolResultBlock(tool_use_id=call.id, content=encodable(content), is_error=is_error)


def _said(answer: CommandAnswer) -> str:
    """How a command ended, then its output: head and tail of what is too long."""
    if answer.timed_out:
        how = "timed out"
    else:
        how = "ended by a signal" if answer.exit_code is None else f"exit code {answer.exit_code}"
    output = answer.output
    if len(output) > MAX_OUTPUT:
        half = MAX_OUTPUT // 2
        output = f"{output[:half]}\n… {len(output) - 2 * half} characters left out …\n{output[-half:]}"
    return f"{how}\n{output}".rstrip("\n")
