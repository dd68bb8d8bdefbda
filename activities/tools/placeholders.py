"""``[redacted]`` is what a model is shown of a secret. It must not be written in the place of one."""

from activities.commands.redaction import REDACTED
from activities.edits.editset import EditSet
from activities.tools import definitions as tool
from orchex.domain.errors import EditRefused


def demand_no_placeholder(edits: EditSet, given: tool.ToolInput) -> None:
    """Raises EditRefused for a call that would write more of them than it takes away, or run one."""
    if _added(edits, given) > 0:
        raise EditRefused(
            f'"{REDACTED}" stands for a secret that you are not shown, and would take its place',
            hint="Leave what holds the secret as it is, and edit around it. If you mean the word itself, write it in"
            " two parts.",
        )


def _added(edits: EditSet, given: tool.ToolInput) -> int:
    match given:
        case tool.Create():
            there = edits.read(given.path)
            return given.file_text.count(REDACTED) - (there.data.count(REDACTED.encode()) if there else 0)
        case tool.StrReplace():
            return given.new_str.count(REDACTED) - given.old_str.count(REDACTED)
        case tool.Insert():
            return given.insert_text.count(REDACTED)
        case tool.ApplyPatch():
            return _lines(given.patch, "+").count(REDACTED) - _lines(given.patch, "-").count(REDACTED)
        case tool.RunCommand():
            return given.command.count(REDACTED)
    return 0


def _lines(patch: str, mark: str) -> str:
    return "\n".join(line for line in patch.splitlines() if line.startswith(mark))
