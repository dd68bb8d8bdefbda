"""What a resumed execution takes over from the one before."""

from datetime import UTC, datetime
from typing import Any

from orchex.domain.compiled import CompiledStream, RunContext
from orchex.domain.event import EventType, JournalEntry
from orchex.engine.resume import approved_plans, resumed
from orchex.store.tables import StreamRow
from workflows.messages import StreamInput, StreamPosition
from workflows.stream import StreamWorkflow

ASKED, APPROVED = EventType.EXECUTION_AWAITING_APPROVAL, EventType.EXECUTION_APPROVED


def told(*entries: tuple[EventType, dict[str, Any]]) -> list[JournalEntry]:
    return [
        JournalEntry(id=f"e:{n}", execution_id="exec_1", sequence=n, type=type_, at=datetime.now(UTC), data=data)
        for n, (type_, data) in enumerate(entries, 1)
    ]


def going_on(approved: set[str], before: StreamPosition | None = None) -> StreamPosition:
    run = RunContext(execution_id="exec_1", project="/project")
    compiled = CompiledStream(id="s", description="", plan_ref="c" * 64, timeout_ms=60_000, approval="plan")
    spec = {
        "workflow": StreamWorkflow.__name__,
        "input": StreamInput(run=run, stream=compiled, resume=before).model_dump(mode="json"),
    }
    row = StreamRow(
        execution_id="exec_1", stream="s", ordinal=0, description="", status="failed", base="b", plan_ref="c" * 64
    )
    _, [entry] = resumed("exec_2", spec, [row], approved)
    assert entry.resume is not None
    return entry.resume


def test_a_plan_counts_as_approved_once_somebody_said_so() -> None:
    asked, approved = (ASKED, {"stream": "s", "plan_ref": "p"}), (APPROVED, {"stream": "s"})
    assert approved_plans(told(asked)) == set()
    assert approved_plans(told(asked, (ASKED, {"stream": "t", "plan_ref": "q"}), approved)) == {"s"}


def test_leave_to_spend_more_approves_no_plan() -> None:
    over = (ASKED, {"stream": "s", "plan_ref": "p", "over_budget": "all is spent"})
    assert approved_plans(told(over, (APPROVED, {"stream": "s"}), (ASKED, {"stream": "s", "plan_ref": "p"}))) == set()


def test_an_approval_lasts_from_one_resume_to_the_next() -> None:
    assert not going_on(set()).approved
    first = going_on({"s"})
    assert first.approved
    assert going_on(set(), before=first).approved
