"""The activity that asks a model for a plan."""

from collections.abc import Mapping, Sequence

from temporalio import activity

from activities.artifacts import ArtifactKeeper
from activities.commands.environment import secret_values
from activities.commands.redaction import redact
from activities.conversation import prompts
from activities.conversation.asking import Answer, Asker
from activities.conversation.proposals import SCHEMA, estimate, read_proposal
from activities.conversation.squeezing import HARDEST, harder, squeeze
from activities.conversation.transcript import Transcript
from activities.messages import PROPOSE_PLAN, PlanOutline, ProposedPlan, ProposePlan
from activities.models.prices import PriceList, prices_of
from activities.streams import outline
from activities.threads import in_thread
from activities.turns import first_message, lacks
from orchex.domain.errors import ContextOverflow, ModelUnavailable, PlanInvalid
from orchex.domain.execution import Failure
from orchex.domain.plan import Plan
from orchex.domain.turn import Message, StopReason, TextBlock, ToolResultBlock, TurnRequest
from orchex.store.blobs import BlobStore
from orchex.store.environments import Environments
from orchex.store.turns import Turns

_FULL: StopReason = "model_context_window_exceeded"
_READ_LESS = "Name fewer files in context.files, lower context.depth, or choose a model that reads more."


class PlanActivities:
    def __init__(
        self,
        blobs: BlobStore,
        turns: Turns,
        prices: PriceList,
        environments: Environments,
        artifacts: ArtifactKeeper,
    ) -> None:
        self._blobs = blobs
        self._turns = turns
        self._prices = prices
        self._environments = environments
        self._artifacts = artifacts
        self._asker = Asker(blobs, turns, prices)
        self._transcript = Transcript(blobs)

    @activity.defn(name=PROPOSE_PLAN)
    async def propose_plan(self, request: ProposePlan) -> ProposedPlan:
        """One proposal: a plan, or the reason why it is none, told to the model at the end of the transcript."""
        environ = await in_thread(self._environments.get, request.run.execution_id)
        transcript = request.transcript
        if transcript is None:
            transcript = await in_thread(self._begin, request, environ)
        # An answer that ran out of room stays on record, and is not sent back: it would take up the room once more.
        before = await in_thread(self._transcript.messages, transcript, without=_FULL)
        answer, level = await self._ask(request, before, environ)
        failure, notes = _refusal(answer), lacks(answer.result, request.ask.model)
        if answer.result.stop_reason == _FULL:
            more = harder(before, level)
            failure = _without_room(request, again=more is not None)
            if more is not None:
                level, notes = more, (*notes, failure.message)
        plan: PlanOutline | None = None
        told: Message | None = None
        if failure is None:
            try:
                plan = await in_thread(self._accept, request, answer, environ)
            except PlanInvalid as error:
                told = _complaint(request, answer, error)
                failure = _unusable(request, error)
        transcript = await in_thread(self._remember, request, transcript, answer, told)
        return ProposedPlan(
            plan=plan,
            transcript=transcript,
            notes=notes,
            usage=answer.usage,
            cost_usd=answer.cost_usd,
            attempts=activity.info().attempt,
            failure=failure,
            squeeze=level,
        )

    def _begin(self, request: ProposePlan, environ: Mapping[str, str]) -> str:
        context = self._blobs.get_text(request.ask.context)
        goal = self._blobs.get_text(request.goal)
        text = prompts.plan_request(request.description, goal, request.commands, request.max_steps)
        return self._transcript.begin(first_message(context, redact(text, secret_values(environ))))

    async def _ask(
        self, request: ProposePlan, before: Sequence[Message], environ: Mapping[str, str]
    ) -> tuple[Answer, int]:
        """An answer, and how far the request had to be shortened for it.

        Raises :class:`ModelUnavailable` when it fits the model in no form, and what :meth:`Asker.ask` raises.
        """
        for level in range(request.squeeze, HARDEST + 1):
            turn = TurnRequest(
                model=request.ask.model,
                system=prompts.PLANNER,
                messages=squeeze(before, level),
                output_schema=SCHEMA,
            )
            try:
                answer = await self._asker.ask(request.run, request.stream_id, request.key, request.ask, turn, environ)
            except ContextOverflow as error:
                overflow = error
                continue
            return answer, level
        raise ModelUnavailable(
            f"the context of stream {request.stream_id!r} does not fit what {request.ask.model} reads at once: "
            f"{overflow.message}",
            hint=_READ_LESS,
        )

    def _accept(self, request: ProposePlan, answer: Answer, environ: Mapping[str, str]) -> PlanOutline:
        if answer.result.stop_reason == "max_tokens":
            raise PlanInvalid("it was cut off at the length limit of an answer: plan fewer steps, in fewer words")
        plan: Plan = read_proposal(answer.result.text, request.max_steps)
        context_tokens = answer.usage.input + answer.usage.cache_read + answer.usage.cache_write
        price = prices_of(environ, self._prices).price_of(request.ask.model, activity.info().started_time)
        plan = plan.model_copy(update={"estimate": estimate(plan, context_tokens, price)})
        return outline(plan, request.run.execution_id, request.stream_id, self._blobs, self._artifacts)

    def _remember(self, request: ProposePlan, previous: str, answer: Answer, told: Message | None) -> str:
        transcript = self._transcript.add(previous, answer.ref, told)
        blobs = self._transcript.blobs(transcript) | self._transcript.blobs(previous)
        self._turns.left(request.key, (request.ask.context, *sorted(blobs)))
        return transcript


def _refusal(answer: Answer) -> Failure | None:
    if answer.result.stop_reason != "refusal":
        return None
    return Failure(
        code="model_refused",
        message=f"the model refused to plan the task: {answer.result.text.strip()[:500] or 'it gave no reason'}",
        hint="Say the task in other words, or choose another model.",
    )


def _without_room(request: ProposePlan, *, again: bool) -> Failure:
    """Of an answer that ran into the end of the model's window; ``again``: with less of the context it may not."""
    if again:
        message = f"the window of {request.ask.model} was full in mid-plan: asked again with less of the context"
        return Failure(code="context_overflow", message=message, hint=_READ_LESS, retryable=True)
    return Failure(
        code="model_unavailable",
        message=f"what {request.ask.model} reads at once has no room for a plan of stream {request.stream_id!r}, "
        "however much of the context is left out",
        hint=_READ_LESS,
    )


def _complaint(request: ProposePlan, answer: Answer, error: PlanInvalid) -> Message:
    """A call has to be answered, also where there are no tools to call."""
    results = tuple(
        ToolResultBlock(tool_use_id=call.id, content="not run: there are no tools for planning", is_error=True)
        for call in answer.result.tool_calls
    )
    return Message(role="user", content=(*results, TextBlock(text=prompts.complaint(error.message, request.max_steps))))


def _unusable(request: ProposePlan, error: PlanInvalid) -> Failure:
    return Failure(
        code="plan_invalid",
        message=f"the plan that {request.ask.model} proposed for stream {request.stream_id!r} cannot be used: "
        f"{error.message}"[:4_000],
        hint="Try again, say the task more precisely, or choose a stronger model. Nothing was changed.",
    )
