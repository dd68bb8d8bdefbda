"""What the journal's events come to in the documents that readers see."""

import pytest

from orchex.domain.errors import NotFound
from orchex.domain.event import EventType
from orchex.domain.execution import Failure, Status
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.tables import ArtifactRow
from tests.store.conftest import accept
from tests.store.writing import AT, event

STARTED = EventType.EXECUTION_STARTED
ENDS = (EventType.EXECUTION_COMPLETED, EventType.EXECUTION_FAILED, EventType.EXECUTION_CANCELLED)


class Story:
    """Appends one event after the other, as a workflow would."""

    def __init__(self, journal: Journal, execution_id: str) -> None:
        self._journal = journal
        self._id = execution_id
        self._count = 0

    def tell(self, type_: EventType, **data: object) -> "Story":
        self._count += 1
        self._journal.append(self._id, (event(f"{self._id}:{self._count}", type_, **data),))
        return self

    def plan(self, stream: str, *titles: str) -> "Story":
        planned = {"plan_ref": "p", "titles": list(titles), "total": len(titles), "cursor": 0}
        self.tell(EventType.STREAM_STARTED, stream=stream)
        return self.tell(EventType.STREAM_PLANNED, stream=stream, base="base", checkpoint="base", **planned)

    def step(self, stream: str, index: int, status: str = "completed", *, cursor: int | None = None) -> "Story":
        named = {"stream": stream, "index": index, "kind": "work", "title": f"step {index}"}
        self.tell(EventType.STEP_STARTED, **named)
        cursor = index + 1 if cursor is None else cursor
        done = {"status": status, "critical": True, "attempts": 2, "tokens": 7, "failure": None}
        return self.tell(EventType.STEP_COMPLETED, **named, **done, checkpoint=f"c{index + 1}", cursor=cursor)

    def finish(self, stream: str, status: str = "completed", **data: object) -> "Story":
        return self.tell(EventType.STREAM_FINISHED, stream=stream, status=status, reason=f"{stream} {status}", **data)


@pytest.fixture
def story(journal: Journal, execution_id: str) -> Story:
    return Story(journal, execution_id)


def test_an_accepted_execution_reads_as_it_was_asked_for(executions: Executions, execution_id: str) -> None:
    execution = executions.get(execution_id)
    assert (execution.status, execution.task, execution.options) == (Status.QUEUED, "do it", {"maxSteps": 3})
    assert [(stream.id, stream.description, stream.status) for stream in execution.streams] == [
        ("a", "the first", "pending"),
        ("b", "the second", "pending"),
    ]
    assert (execution.progress.total, execution.result, execution.error) == (None, None, None)
    assert executions.spec(execution_id)["input"] == {"deep": ["data", 1, None]}


def test_a_running_execution_tells_its_step_and_how_far_it_is(
    story: Story, executions: Executions, execution_id: str
) -> None:
    story.tell(STARTED, streams=["a", "b"]).plan("a", "step 0", "step 1", "step 2").step("a", 0)
    story.tell(EventType.STEP_STARTED, stream="a", index=1, kind="work", title="step 1")
    execution = executions.get(execution_id)
    assert (execution.status, execution.started_at, execution.current_step) == (Status.RUNNING, AT, "step 1")
    assert (execution.progress.current, execution.progress.total) == (1, 3)
    first, second = execution.steps
    assert (first.status, first.attempts, first.tokens, first.started_at, first.finished_at) == (
        "completed",
        2,
        7,
        AT,
        AT,
    )
    assert (second.status, second.finished_at) == ("running", None)


def test_progress_counts_all_streams(story: Story, executions: Executions, execution_id: str) -> None:
    story.plan("a", "x").step("a", 0).finish("a").plan("b", "x", "y", "z").step("b", 0)
    progress = executions.get(execution_id).progress
    assert (progress.current, progress.total) == (2, 4)


def test_steps_stand_in_the_order_of_their_streams(story: Story, executions: Executions, execution_id: str) -> None:
    story.plan("b", "x", "y").step("b", 1).step("b", 0).plan("a", "x").step("a", 0)
    steps = executions.get(execution_id).steps
    assert [(step.stream, step.index) for step in steps] == [("a", 0), ("b", 0), ("b", 1)]


@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_told_with_its_summary_and_failure(
    story: Story, executions: Executions, execution_id: str, end: EventType
) -> None:
    failure = Failure(code="timeout", message="too late", hint="Wait.", step=3, retryable=True)
    told = failure.model_dump(mode="json") if end is EventType.EXECUTION_FAILED else None
    story.tell(STARTED, streams=["a", "b"]).plan("a", "x").finish("a").plan("b", "x")
    story.tell(end, summary="that was it", failure=told, applied=True)
    execution = executions.get(execution_id)
    assert execution.status == end.value.removeprefix("execution.")
    assert execution.status.terminal
    assert (execution.finished_at, execution.current_step) == (AT, None)
    assert execution.result is not None
    assert (execution.result.summary, execution.result.applied) == ("that was it", True)
    assert execution.result.success is (end is EventType.EXECUTION_COMPLETED)
    assert execution.error == (failure if told else None)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "later",
    [
        *ENDS,
        STARTED,
        EventType.EXECUTION_CANCELLING,
        EventType.EXECUTION_AWAITING_APPROVAL,
        EventType.EXECUTION_APPROVED,
    ],
)
def test_a_terminal_status_never_changes(
    story: Story, executions: Executions, execution_id: str, end: EventType, later: EventType
) -> None:
    story.tell(STARTED, streams=["a", "b"]).tell(end, summary="first", failure=None, applied=False)
    before = executions.get(execution_id)
    story.tell(later, summary="second", failure=None, applied=True, stream="a", plan_ref="p", reason="")
    executions.started(execution_id)
    executions.request_cancel(execution_id, "")
    after = executions.get(execution_id)
    assert after.model_copy(update={"elapsed": 0}) == before.model_copy(update={"elapsed": 0})


def test_the_end_and_what_comes_after_it_in_one_batch_is_the_end(
    journal: Journal, executions: Executions, execution_id: str
) -> None:
    ends = [event(f"w:{n}", end, summary=end.value, failure=None, applied=False) for n, end in enumerate(ENDS)]
    journal.append(execution_id, ends)
    assert executions.get(execution_id).status is Status.COMPLETED
    assert len(journal.read(execution_id)) == 3, "the journal keeps all that was told"


def test_a_plan_that_waits_shows_and_goes_on_when_it_is_approved(
    story: Story, executions: Executions, execution_id: str
) -> None:
    story.tell(STARTED, streams=["a"]).tell(EventType.EXECUTION_AWAITING_APPROVAL, stream="a", plan_ref="p")
    assert executions.get(execution_id).status is Status.AWAITING_APPROVAL
    story.tell(EventType.EXECUTION_APPROVED, stream="a")
    assert executions.get(execution_id).status is Status.RUNNING


def test_a_stream_that_waits_for_leave_to_spend_more_says_so(
    story: Story, executions: Executions, execution_id: str
) -> None:
    waiting = {"stream": "a", "plan_ref": "p", "over_budget": "all is spent"}
    story.tell(STARTED, streams=["a"]).tell(EventType.EXECUTION_AWAITING_APPROVAL, **waiting)
    assert executions.get(execution_id).streams[0].reason == "all is spent"
    story.tell(EventType.EXECUTION_APPROVED, stream="a")
    assert executions.get(execution_id).streams[0].reason == ""


@pytest.mark.parametrize(
    "late",
    [STARTED, EventType.EXECUTION_AWAITING_APPROVAL, EventType.EXECUTION_APPROVED, EventType.EXECUTION_CANCELLING],
)
def test_an_execution_that_is_being_cancelled_stays_so_until_it_ends(
    story: Story, executions: Executions, execution_id: str, late: EventType
) -> None:
    """The row knows of a cancel at once; events from before it may still be on their way."""
    executions.request_cancel(execution_id, "")
    story.tell(late, stream="a", plan_ref="p", reason="", streams=["a"])
    assert executions.get(execution_id).status is Status.CANCELLING
    story.tell(EventType.EXECUTION_CANCELLED, summary="", failure=None, applied=False)
    assert executions.get(execution_id).status is Status.CANCELLED


def test_temporal_s_acknowledgement_does_not_overtake_what_is_known(
    story: Story, executions: Executions, execution_id: str
) -> None:
    story.tell(EventType.EXECUTION_AWAITING_APPROVAL, stream="a", plan_ref="p")
    executions.started(execution_id)
    assert executions.get(execution_id).status is Status.AWAITING_APPROVAL


def test_a_stream_keeps_what_a_resume_starts_from(story: Story, executions: Executions, execution_id: str) -> None:
    story.plan("a", "x", "y", "z").step("a", 0).step("a", 1, "failed", cursor=1)
    story.finish("a", "failed", base="base", checkpoint="half a step", changed=1, landed=False)
    row = executions.streams(execution_id)[0]
    assert (row.status, row.plan_ref, row.plan_titles) == ("failed", "p", ["x", "y", "z"])
    assert (row.base, row.cursor, row.resumable, row.checkpoint) == ("base", 1, "c1", "half a step")


def test_a_stream_that_ends_without_a_workspace_keeps_what_it_had(
    story: Story, executions: Executions, execution_id: str
) -> None:
    """A resumed stream tells its plan before it opens anything."""
    story.plan("a", "x").finish("a", "cancelled", base=None, checkpoint=None, changed=0, landed=False)
    row = executions.streams(execution_id)[0]
    assert (row.base, row.checkpoint, row.resumable) == ("base", "base", "base")


def test_a_skipped_stream_says_why(story: Story, executions: Executions, execution_id: str) -> None:
    story.finish("b", "skipped")
    assert executions.get(execution_id).streams[1].model_dump(include={"status", "reason"}) == {
        "status": "skipped",
        "reason": "b skipped",
    }


def test_no_stream_is_left_running_when_its_execution_has_ended(
    story: Story, executions: Executions, execution_id: str
) -> None:
    story.plan("a", "x").tell(EventType.EXECUTION_CANCELLED, summary="", failure=None, applied=False)
    assert [stream.status for stream in executions.get(execution_id).streams] == ["cancelled", "cancelled"]


def test_an_event_written_twice_counts_once(journal: Journal, executions: Executions, execution_id: str) -> None:
    story = Story(journal, execution_id).plan("a", "x", "y").step("a", 0).step("a", 1)
    before = executions.get(execution_id)
    Story(journal, execution_id).plan("a", "x", "y").step("a", 0)
    story.tell(EventType.NOTE, stream="a", text="")
    assert executions.get(execution_id).steps == before.steps
    assert executions.get(execution_id).progress == before.progress


# -- reading


def test_executions_are_listed_newest_first_page_by_page(executions: Executions) -> None:
    ids = sorted((accept(executions) for _ in range(5)), reverse=True)
    first = executions.page(limit=2)
    assert ([entry.id for entry in first.data], first.has_more, first.next_cursor) == (ids[:2], True, ids[1])
    last = executions.page(limit=3, before=first.next_cursor)
    assert ([entry.id for entry in last.data], last.has_more, last.next_cursor) == (ids[2:], False, None)
    assert executions.latest() == ids[0]


def test_executions_are_listed_by_status(executions: Executions) -> None:
    waiting, running = accept(executions), accept(executions)
    executions.started(running)
    assert [entry.id for entry in executions.page(statuses=(Status.QUEUED,)).data] == [waiting]
    assert [entry.id for entry in executions.page(statuses=(Status.RUNNING, Status.FAILED)).data] == [running]


def test_what_has_not_ended_is_known(executions: Executions, journal: Journal) -> None:
    ids = sorted(accept(executions) for _ in range(3))
    Story(journal, ids[1]).tell(EventType.EXECUTION_FAILED, summary="", failure=None, applied=False)
    assert executions.unfinished() == [ids[0], ids[2]]


def test_an_execution_that_does_not_exist_is_not_found(executions: Executions) -> None:
    for look in (executions.get, executions.spec):
        with pytest.raises(NotFound):
            look("exec_none")
    with pytest.raises(NotFound):
        executions.latest()


def test_artifacts_are_kept_by_name_and_rewritten(executions: Executions, execution_id: str) -> None:
    def patch(size: int) -> ArtifactRow:
        return ArtifactRow(
            execution_id=execution_id, name="a.patch", stream="a", kind="patch", size=size, blob="0" * 64
        )

    executions.keep_artifacts(execution_id, [patch(1)])
    executions.keep_artifacts(execution_id, [patch(2)])
    assert [row.size for row in executions.artifacts(execution_id, "patch")] == [2]
    assert executions.artifact(execution_id, "a.patch").blob == "0" * 64
    assert executions.artifacts(execution_id, "log") == []
    with pytest.raises(NotFound):
        executions.artifact(execution_id, "b.patch")


def test_artifacts_of_an_execution_that_is_gone_are_dropped(executions: Executions) -> None:
    executions.keep_artifacts("exec_gone", [ArtifactRow(execution_id="exec_gone", name="x", stream="a", kind="log")])
    with pytest.raises(NotFound):
        executions.artifact("exec_gone", "x")


def test_landing_and_taking_back_shows_in_the_streams_that_completed(
    story: Story, executions: Executions, execution_id: str
) -> None:
    story.finish("a").finish("b", "failed").tell(EventType.EXECUTION_FAILED, summary="", failure=None, applied=False)
    executions.applied(execution_id, True)
    assert [row.landed for row in executions.streams(execution_id)] == [True, False]
    assert (result := executions.get(execution_id).result) is not None
    assert result.applied
    executions.applied(execution_id, False)
    assert [row.landed for row in executions.streams(execution_id)] == [False, False]
