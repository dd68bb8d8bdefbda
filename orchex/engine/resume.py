"""What a resumed execution starts from: the positions its predecessor's streams reached."""

from collections.abc import Mapping, Sequence
from typing import Any

from activities.messages import PlanOutline
from orchex.domain.compiled import RunContext
from orchex.domain.errors import InvalidInput
from orchex.store.tables import StreamRow
from workflows.manifest import ManifestWorkflow
from workflows.messages import ManifestInput, ManifestStream, StreamInput, StreamPosition


def resumed(
    new_id: str, spec: Mapping[str, Any], rows: Sequence[StreamRow]
) -> tuple[RunContext, tuple[ManifestStream, ...]]:
    """The streams that did not complete, each from its last whole step, under a new execution id."""
    run, streams = _before(spec)
    by_id = {row.stream: row for row in rows}
    left = tuple(
        ManifestStream(stream=entry.stream, resume=_position(by_id[entry.stream.id]))
        for entry in streams
        if by_id[entry.stream.id].status != "completed"
    )
    if not left:
        raise InvalidInput("every stream of that execution completed: there is nothing to resume")
    return run.model_copy(update={"execution_id": new_id}), left


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


def _position(row: StreamRow) -> StreamPosition | None:
    if row.plan_ref is None or row.base is None:
        return None
    return StreamPosition(
        plan=PlanOutline(ref=row.plan_ref, titles=tuple(row.plan_titles)),
        base=row.base,
        checkpoint=row.resumable,
        cursor=row.cursor,
    )
