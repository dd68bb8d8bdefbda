"""The tool set of one step: performs the calls of a turn over the workspace."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from activities.edits.editset import EditSet
from activities.edits.paths import WorkTree
from activities.edits.protection import Protection
from activities.threads import in_thread
from activities.tools.definitions import TOOLS, RunCommand, read_input
from activities.tools.outcome import CommandAnswer, ToolOutcome
from activities.tools.perform import EDITING
from activities.tools.placeholders import demand_no_placeholder
from activities.tools.turn import Turn
from orchex.domain.errors import EditRefused
from orchex.domain.turn import ToolUseBlock


class ToolBox:
    """Consecutive calls that edit form one set, written all or none; views between them see it as staged.

    A command first has the set before it written. ``trusted`` (a runbook): the first call that fails, a command's
    exit code included, ends the turn, and the calls after it are answered "not run". Otherwise the turn goes on, but
    runs no command over edits that were refused, and writes nothing that stands for a secret. ``owned`` are the globs
    that unlock protected files.
    """

    def __init__(
        self,
        root: Path,
        *,
        trusted: bool,
        owned: Sequence[str],
        run_command: Callable[[str], Awaitable[CommandAnswer]],
    ) -> None:
        self._tree = WorkTree(root)
        self._protection = Protection(trusted=trusted, owned=owned)
        self._run_command = run_command

    async def perform(self, calls: Sequence[ToolUseBlock]) -> list[ToolOutcome]:
        """One outcome per call, in order. Raises what no call can mend: StorageError, and errors of ``run_command``."""
        turn = Turn(EditSet(self._tree, self._protection))
        for call in calls:
            await self._perform(turn, call)
        await in_thread(turn.write)
        return turn.outcomes

    async def _perform(self, turn: Turn, call: ToolUseBlock) -> None:
        if turn.over:
            turn.skip(call, "an earlier call of this turn failed")
            return
        try:
            given = read_input(call.name, call.input)
            if not self._protection.trusted:
                await in_thread(demand_no_placeholder, turn.edits, given)
        except EditRefused as refusal:
            turn.refuse(call, refusal, edits=TOOLS.get(call.name) in EDITING)
            return
        if not isinstance(given, RunCommand):
            await in_thread(turn.perform, call, given)
            return
        await in_thread(turn.write)
        if turn.refused:
            turn.skip(call, "the edits before it were refused")
        else:
            turn.ran(call, given.command, await self._run_command(given.command))
