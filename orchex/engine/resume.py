"""What a resumed execution starts from: the positions its predecessor's streams reached."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from activities.messages import PlanOutline
from orchex.domain.compiled import RunContext
from orchex.domain.errors import InvalidInput
from orchex.domain.event import EventType, JournalEntry
from orchex.store.tables import StreamRow
from workflows.manifest import ManifestWorkflow
from workflows.messages import ManifestInput, ManifestStream, StreamInput, StreamPosition


def resumed(
    new_id: str, spec: Mapping[str, Any], rows: Sequence[StreamRow], approved: Set[str]
) -> tuple[RunContext, tuple[ManifestStream, ...]]:
    """The streams that did not complete, each from its last whole step, under a new execution id.

    ``approved`` are the streams whose plan was: any other that asks for it waits for an approval again.
    """
    run, streams = _before(spec)
    by_id = {row.stream: row for row in rows}
    left = tuple(
        ManifestStream(stream=entry.stream, resume=_position(by_id[entry.stream.id], _approved(entry, approved)))
        for entry in streams
        if by_id[entry.stream.id].status != "completed"
    )
    if not left:
        raise InvalidInput("every stream of that execution completed: there is nothing to resume")
    return run.model_copy(update={"execution_id": new_id}), left


def approved_plans(decided: Iterable[JournalEntry]) -> set[str]:
    """The streams whose plan was approved, by the entries that ask for approval and that tell of it, in order.

    An approval to go on past the budget says nothing about a plan that was not shown yet.
    """
    asked: dict[str, bool] = {}
    approved = set()
    for entry in decided:
        stream = entry.data["stream"]
        if entry.type is EventType.EXECUTION_AWAITING_APPROVAL:
            asked[stream] = "over_budget" not in entry.data
        elif asked.get(stream):
            approved.add(stream)
    return approved


def plans_of(streams: Sequence[ManifestStream]) -> set[str]:
    """The references that the streams bring with them."""
    plans = {entry.resume.plan.ref for entry in streams if entry.resume and entry.resume.plan}
    return plans | {entry.stream.plan_ref for entry in streams}


def _before(spec: Mapping[str, Any]) -> tuple[RunContext, tuple[ManifestStream, ...]]:
    if spec["workflow"] == ManifestWorkflow.__name__:
        many = ManifestInput.model_validate(spec["input"])
        return many.run, many.streams
    one = StreamInput.model_validate(spec["input"])
    return one.run, (ManifestStream(stream=one.stream, resume=one.resume),)


def _approved(entry: ManifestStream, approved: Set[str]) -> bool:
    return entry.stream.id in approved or (entry.resume is not None and entry.resume.approved)


def _position(row: StreamRow, approved: bool) -> StreamPosition | None:
    if row.plan_ref is None or row.base is None:
        return None
    return StreamPosition(
        plan=PlanOutline(ref=row.plan_ref, titles=tuple(row.plan_titles)),
        base=row.base,
        checkpoint=row.resumable,
        cursor=row.cursor,
        approved=approved,
    )
