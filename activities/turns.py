"""The activity of a turn: one answer of a model, and the tools it calls, from one checkpoint to the next.

The answer is on record before a tool acts on it. When a worker dies in between, the next attempt starts from the
checkpoint before, reads the recorded answer, and performs its tools again: nothing is asked, or paid for, twice.
"""

from collections.abc import Callable
from typing import NamedTuple

from temporalio import activity

from activities.carrying import notes_of, output_of
from activities.checkpointing import MAX_NOTES, Checkpointing, Done
from activities.conversation import prompts
from activities.conversation.answers import answers
from activities.conversation.asking import Answer, Asker
from activities.conversation.squeezing import HARDEST, squeeze
from activities.conversation.transcript import Transcript
from activities.messages import TAKE_TURN, TakeTurn, TurnReport
from activities.models.prices import PriceList
from activities.reports import shown
from activities.scene import Scene
from activities.threads import in_thread
from activities.tools import ToolBox, ToolOutcome, tool_definitions
from activities.workspaces.diff import changed_paths
from orchex.domain.errors import ContextOverflow, ModelUnavailable
from orchex.domain.execution import Failure
from orchex.domain.plan import Plan
from orchex.domain.turn import Message, TextBlock, ToolUseBlock, TurnRequest, TurnResult
from orchex.store.blobs import BlobStore
from orchex.store.turns import Turns

MAX_CUT = 3
"""Answers in a row that are cut off at their length limit, or empty: then the model is not going to end by itself."""

SHOWN = 1_000
MAX_CALLS = 8
"""What a report tells of a turn, whose whole is in the transcript: there may be hundreds in one history."""

MODEL_TOOLS = tuple(tool for tool in tool_definitions() if tool.name != "apply_patch")
"""A model edits by quoting what it replaces, which shows when it is wrong; a diff only counts lines."""


class _Said(NamedTuple):
    """An answer, and how far the request had to be shortened for it."""

    answer: Answer
    squeeze: int


class TurnActivities:
    def __init__(self, checkpointing: Checkpointing, blobs: BlobStore, turns: Turns, prices: PriceList) -> None:
        self._checkpointing = checkpointing
        self._blobs = blobs
        self._turns = turns
        self._asker = Asker(blobs, turns, prices)
        self._transcript = Transcript(blobs)

    @activity.defn(name=TAKE_TURN)
    async def take_turn(self, request: TakeTurn) -> TurnReport:
        """Ask for the next move of a step and make it. Raises what :meth:`Asker.ask` raises."""
        return await self._checkpointing.attempt(
            request, TurnReport, lambda scene: self._take(scene, request), first=request.first
        )

    async def _take(self, scene: Scene, request: TakeTurn) -> Done[TurnReport]:
        transcript = request.transcript
        if transcript is None:
            transcript = await in_thread(self._begin, scene, request)
        before = await in_thread(self._transcript.messages, transcript)
        said = await self._ask(scene, request, before)
        result = said.answer.result
        outcomes = await self._perform(scene, request, result)
        told, loops = _told(result, outcomes, before, scene.screen)
        transcript = await in_thread(self._remember, request, transcript, said.answer, told)
        cut = request.cut + 1 if result.stop_reason in _CUT or _silent(result) else 0
        failure = _failure(result, cut)
        report = TurnReport(
            checkpoint="",
            output=shown(output_of(outcomes) or result.text)[-SHOWN:],
            log=scene.log,
            notes=(*lacks(result, request.ask.model), *notes_of(outcomes), *loops)[:MAX_NOTES],
            usage=said.answer.usage,
            cost_usd=said.answer.cost_usd,
            attempts=activity.info().attempt,
            sandbox=scene.sandbox,
            transcript=transcript,
            failure=failure,
            calls=tuple(_named(call, scene.screen) for call in result.tool_calls[: len(outcomes)][:MAX_CALLS]),
            finished=failure is None and told is None,
            cut=cut,
            squeeze=min(HARDEST, said.squeeze + (result.stop_reason == "model_context_window_exceeded")),
        )
        edited = tuple(dict.fromkeys(change.path for outcome in outcomes for change in outcome.changes))
        return Done(report, edited)

    # -- asking

    def _begin(self, scene: Scene, request: TakeTurn) -> str:
        """The first words of a step: the context, then what is to be done."""
        workspace = scene.workspace
        now = workspace.commit(request.number)
        changed = [change.path for change in changed_paths(workspace.repository, request.base, now)]
        if request.heal is not None:
            text = prompts.heal_request(request.heal, self._blobs.get_text(request.heal.output), changed)
        else:
            assert request.index is not None
            plan = Plan.model_validate_json(self._blobs.get_text(request.plan_ref))
            text = prompts.step_request(plan, request.index, changed)
        context = self._blobs.get_text(request.ask.context)
        return self._transcript.begin(first_message(context, scene.screen(text)))

    async def _ask(self, scene: Scene, request: TakeTurn, before: tuple[Message, ...]) -> _Said:
        """Raises :class:`ModelUnavailable` when the request fits the model in no form."""
        for level in range(request.squeeze, HARDEST + 1):
            turn = TurnRequest(
                model=request.ask.model,
                system=prompts.SYSTEM,
                messages=squeeze(before, level),
                tools=MODEL_TOOLS,
            )
            try:
                answer = await self._asker.ask(
                    request.run, request.stream_id, request.step_id, request.ask, turn, scene.environ
                )
            except ContextOverflow as error:
                overflow = error
                continue
            return _Said(answer, level)
        raise ModelUnavailable(
            f"step {request.title!r} does not fit what {request.ask.model} reads at once: {overflow.message}",
            hint="Name fewer files in context.files, lower context.depth, or choose a model that reads more.",
        )

    # -- acting

    async def _perform(self, scene: Scene, request: TakeTurn, result: TurnResult) -> list[ToolOutcome]:
        if result.stop_reason == "refusal":  # what was said before is taken back
            return []
        tools = ToolBox(scene.workspace.root, trusted=False, owned=request.owns, run_command=scene.untrusted)
        return await tools.perform(result.tool_calls) if result.tool_calls else []

    def _remember(self, request: TakeTurn, previous: str, answer: Answer, told: Message | None) -> str:
        transcript = self._transcript.add(previous, answer.ref, told)
        blobs = self._transcript.blobs(transcript)
        if request.transcript is None:
            blobs |= self._transcript.blobs(previous)
        self._turns.left(request.step_id, (request.ask.context, *sorted(blobs)))
        return transcript


def first_message(context: str, text: str) -> Message:
    """``context`` is the same for every step of a stream, so it ends a prefix that is worth caching."""
    blocks = (TextBlock(text=context, cache=True),) if context else ()
    return Message(role="user", content=(*blocks, TextBlock(text=text)))


def lacks(result: TurnResult, model: str) -> tuple[str, ...]:
    """A note, for the journal, of what the model's server turned out not to know."""
    if not result.without:
        return ()
    return (f"the server of {model} does not take {', '.join(result.without)}: going on without",)


def _named(call: ToolUseBlock, screen: Callable[[str], str]) -> str:
    """``view src/a.py``: the tool and what it was called on, for the journal."""
    about = next((str(call.input[name]) for name in ("path", "command", "pattern") if call.input.get(name)), "")
    return f"{call.name} {' '.join(screen(about).split())}".strip()[:100]


_GO_ON = {
    "max_tokens": (prompts.CUT_OFF,),
    "model_context_window_exceeded": (prompts.CUT_OFF,),
    "pause_turn": (prompts.GO_ON,),
}
"""What answers an answer that is no end. The last word must be ours: a model answers nothing that ends in its own."""

_CUT = ("max_tokens", "model_context_window_exceeded")
_ENDS = ("end_turn", "stop_sequence")


def _told(
    result: TurnResult, outcomes: list[ToolOutcome], before: tuple[Message, ...], screen: Callable[[str], str]
) -> tuple[Message | None, tuple[str, ...]]:
    """What the model is told in return, null when it waits for nothing; and notes for the journal."""
    calls = result.tool_calls if outcomes else ()
    results, loops = answers(calls, outcomes, before, screen)
    more = (prompts.SILENT,) if _silent(result) else _GO_ON.get(result.stop_reason, ())
    content = (*results, *(TextBlock(text=text) for text in more))
    return (Message(role="user", content=content) if content else None), loops


def _silent(result: TurnResult) -> bool:
    """Neither a word nor a call, or a call that is announced and not there: the step is neither done nor going on."""
    if result.tool_calls:
        return False
    return result.stop_reason == "tool_use" or (result.stop_reason in _ENDS and not result.text.strip())


def _failure(result: TurnResult, cut: int) -> Failure | None:
    if result.stop_reason == "refusal":
        return Failure(
            code="model_refused",
            message=f"the model refused to go on{f': {result.text.strip()[:500]}' if result.text.strip() else ''}",
            hint="Say the task in other words, or choose another model. The work so far is kept.",
        )
    if cut >= MAX_CUT and _silent(result):
        return Failure(
            code="model_unavailable",
            message=f"the model's answers were empty or cut off {cut} times in a row",
            hint="Split the step into smaller ones, or choose another model. The work so far is kept.",
        )
    if cut >= MAX_CUT:
        return Failure(
            code="model_unavailable",
            message=f"the model's answers were cut off at their length limit {cut} times in a row",
            hint="Split the step into smaller ones, or choose a model with longer answers.",
        )
    return None
