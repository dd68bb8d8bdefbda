"""Making a request fit a model that reads less at once than it was sent.

What is oldest and longest goes first: the answers of tools that the model has long acted on, then the context, which
it can look up again. What was shortened says so.
"""

import re
from collections.abc import Sequence

from orchex.domain.turn import Block, Message, TextBlock, ToolResultBlock

HARDEST = 3
"""Beyond this nothing is left that could be spared."""

_KEPT_MESSAGES = (10**9, 6, 4, 2)
"""Per level: the newest messages whose tool results stay whole."""

_CONTEXT_SHARE = (1.0, 1.0, 0.4, 0.1)
_SHORT = 400
_END_OF_FILE = re.compile(r"</file-[0-9a-f]{16}>\n?")


def squeeze(messages: Sequence[Message], level: int) -> tuple[Message, ...]:
    """``messages`` at level 0 to :data:`HARDEST`; the first text of the first one is the context."""
    if level == 0 or not messages:
        return tuple(messages)
    first, *rest = messages
    whole_from = len(rest) - _KEPT_MESSAGES[level]
    shortened = [
        message if index >= whole_from else message.model_copy(update={"content": _short(message.content)})
        for index, message in enumerate(rest)
    ]
    return (_with_less_context(first, _CONTEXT_SHARE[level]), *shortened)


def harder(messages: Sequence[Message], level: int) -> int | None:
    """The next level that makes ``messages`` shorter than ``level`` does; null when none is left that does."""
    size = _size(squeeze(messages, level))
    return next((more for more in range(level + 1, HARDEST + 1) if _size(squeeze(messages, more)) < size), None)


def _size(messages: Sequence[Message]) -> int:
    return sum(len(message.model_dump_json()) for message in messages)


def _with_less_context(first: Message, share: float) -> Message:
    context, *others = first.content
    if share == 1.0 or not isinstance(context, TextBlock) or not context.cache:
        return first
    kept = _whole_files(context.text[: int(len(context.text) * share)])
    note = "\n[The rest of the context is left out to fit: view the files that matter.]"
    return first.model_copy(update={"content": (context.model_copy(update={"text": kept + note}), *others)})


def _whole_files(text: str) -> str:
    """``text`` up to the end of the last file that is whole in it: a file without its end could say what it likes."""
    begun = text.rfind("\n<file-")
    ended = max((match.end() for match in _END_OF_FILE.finditer(text)), default=0)
    return text if begun < ended else text[:begun]


def _short(content: tuple[Block, ...]) -> tuple[Block, ...]:
    return tuple(
        block.model_copy(update={"content": f"{block.content[:_SHORT]}\n[shortened to fit]"})
        if isinstance(block, ToolResultBlock) and len(block.content) > _SHORT
        else block
        for block in content
    )
