"""The runbook: a plan whose fenced blocks are its actions. No model, no cost, the same answer every time.

The steps are the items of numbered lists at the top level, and the headings:

- a numbered item is always a step; without a fence it is a note that does nothing;
- a heading is a step when a fence follows it before the next heading or item, else it is a title;
- a fence outside any item belongs to the last step before it; fences before the first step make one of their own.

Nested lists and bulleted lists make no steps; their fences belong to the step they are in.
"""

import hashlib
from dataclasses import dataclass

from markdown_it.token import Token

from activities.models.actions import Action, parse_markdown, read_actions
from orchex.domain.errors import PlanInvalid
from orchex.domain.manifest import RUNBOOK
from orchex.domain.plan import Plan, PlannedStep
from orchex.domain.turn import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock, TurnRequest, TurnResult

_TITLE_LENGTH = 200


@dataclass(frozen=True)
class _Section:
    """From one boundary to the next: ``start`` and ``end`` are lines of the plan, from 0, the end excluded."""

    start: int
    end: int
    title: str
    numbered: bool
    heading: bool = False


def parse_runbook(markdown: str) -> Plan:
    """The plan of a runbook. Raises PlanInvalid, naming the line, for a plan without actions or with broken ones."""
    text = markdown.replace("\r\n", "\n").replace("\r", "\n")
    tokens = parse_markdown(text)
    actions = read_actions(tokens)
    if not actions:
        raise PlanInvalid(
            "the plan has no action: a runbook's actions are its fenced blocks",
            hint="Add ```diff, ```sh or ```python path=src/x.py blocks to its steps"
            " (console blocks and fences without path= are prose).",
        )
    lines = text.split("\n")
    steps = []
    for section in _sections(tokens, len(lines)):
        own = [action for action in actions if section.start < action.line <= section.end]
        if own or section.numbered:
            steps.append(_step(section, own, "\n".join(lines[section.start : section.end])))
    return Plan(steps=tuple(steps))


def _step(section: _Section, actions: list[Action], text: str) -> PlannedStep:
    title = section.title or (actions[0].title if actions else "Note")
    return PlannedStep(
        title=title if len(title) <= _TITLE_LENGTH else title[: _TITLE_LENGTH - 1] + "…",
        text=text.strip("\n") + "\n",
        files=tuple(dict.fromkeys(file for action in actions for file in action.files)),
        commands=tuple(action.command for action in actions if action.command is not None),
    )


def _sections(tokens: list[Token], end: int) -> list[_Section]:
    starts = [_Section(0, 0, _first_text(tokens, 0), numbered=False)]
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            starts.append(_Section(token.map[0], 0, _plain(tokens[index + 1]), numbered=False, heading=True))
        elif token.type == "list_item_open" and token.level == 1 and token.info.isdigit() and token.map:
            starts.append(_Section(token.map[0], 0, _first_text(tokens, index + 1), numbered=True))
    ends = [section.start for section in starts[1:]] + [end]
    return [
        _Section(section.start, stop, section.title, section.numbered)
        for section, stop in zip(starts, ends, strict=True)
    ]


def _first_text(tokens: list[Token], index: int) -> str:
    """The first line of the paragraph or heading that stands at ``index``, else nothing."""
    if index + 1 < len(tokens) and tokens[index].type in ("paragraph_open", "heading_open"):
        return _plain(tokens[index + 1])
    return ""


def _plain(inline: Token) -> str:
    """The first line of inline Markdown without its marks, and without the colon that leads to a fence."""
    text = "".join(
        "\n" if child.type in ("softbreak", "hardbreak") else child.content for child in inline.children or ()
    )
    return text.strip().split("\n")[0].rstrip(":").strip()


class RunbookProvider:
    """Carries out the fenced blocks of a step. It never heals: a failed action ends the step."""

    name = RUNBOOK

    async def turn(self, request: TurnRequest) -> TurnResult:
        """The step is the last text block of the last message; once its results are in, the turn ends.

        Only that one block is read for actions, so that files quoted before it as context never act.
        """
        last = request.messages[-1]
        results = [block for block in last.content if isinstance(block, ToolResultBlock)]
        if results:
            return _ended(_summary(results))
        calls = _calls(_step_text(last))
        return TurnResult(content=calls, stop_reason="tool_use") if calls else _ended("A note: nothing to do.")


def _step_text(message: Message) -> str:
    texts = [block.text for block in message.content if isinstance(block, TextBlock)]
    return texts[-1] if texts else ""


def _calls(text: str) -> tuple[Block, ...]:
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return tuple(
        ToolUseBlock(id=f"toolu_{digest}_{number}", name=action.tool, input=action.input)
        for number, action in enumerate(read_actions(parse_markdown(text)), start=1)
    )


def _ended(text: str) -> TurnResult:
    return TurnResult(content=(TextBlock(text=text),), stop_reason="end_turn")


def _summary(results: list[ToolResultBlock]) -> str:
    failed = sum(result.is_error for result in results)
    done = f"{len(results) - failed} of {len(results)} actions done"
    return f"{done}. A runbook never heals: the step ends here." if failed else f"{done}."
