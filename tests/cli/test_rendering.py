"""What is shown for what happened: lines, the live picture, the last word."""

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from activities.logs import step_logs
from orchex.cli.board import Board
from orchex.cli.lines import LineView
from orchex.cli.live import LiveView
from orchex.cli.saying import Saying
from orchex.cli.summary import closing, row, state
from orchex.domain.event import EventType, JournalEntry
from orchex.domain.execution import Estimate, Failure, Result, Status, Step, StepKind, StepStatus, StreamState
from tests.cli.fake_orchestrator import BEGIN, ID, execution, journal

FAILURE = {"code": "command_failed", "message": "pytest failed with exit code 1", "hint": "", "step": 1}


def step(kind: str, index: int, title: str, **more: Any) -> tuple[EventType, dict[str, Any]]:
    return EventType(kind), {"stream": "one", "index": index, "kind": "work", "title": title, **more}


STORY = journal(
    (EventType.EXECUTION_STARTED, {"streams": ["one"]}),
    (EventType.STREAM_STARTED, {"stream": "one"}),
    (EventType.STREAM_PLANNED, {"stream": "one", "titles": ["Write"], "total": 2}),
    step("step.started", 0, "Write"),
    (EventType.STEP_RETRIED, {"stream": "one", "title": "Write", "attempt": 2}),
    step("execution.step_completed", 0, "Write", status="completed", attempts=2, tokens=1200),
    step("step.started", 1, "pytest"),
    step("execution.step_completed", 1, "pytest", status="failed", failure=FAILURE, output="1 failed\n\x1b[31mred"),
    (EventType.STREAM_FINISHED, {"stream": "one", "status": "failed", "reason": "pytest failed with exit code 1"}),
    (EventType.EXECUTION_FAILED, {"summary": "x", "failure": FAILURE}),
)
FAILED = execution(
    Status.FAILED,
    error=Failure(code="command_failed", message="pytest failed with exit code 1", hint="Mend it."),
    result=Result(success=False, summary="x"),
)


def lines(entries: list[JournalEntry]) -> str:
    out = io.StringIO()
    view = LineView(out)
    for entry in entries:
        view.show(entry)
    return out.getvalue()


def board(entries: list[JournalEntry]) -> Board:
    folded = Board()
    for entry in entries:
        folded.fold(entry)
    return folded


def test_a_pipe_gets_one_line_an_event_with_the_time_since_the_start() -> None:
    assert lines(STORY).splitlines() == [
        f"    0.0s  {ID} started",
        "    0.1s  opening a workspace",
        "    0.2s  planned: 1 step and 1 command",
        "    0.3s  ▸ Write",
        "    0.4s  ↻ Write: attempt 2",
        "    0.5s  ✓ Write (0.2 s, 2 attempts, 1,200 tokens)",
        "    0.6s  ▸ pytest",
        "    0.7s  ✗ pytest (0.1 s): pytest failed with exit code 1",
        "    0.8s  ✗ failed",
        "    0.9s  ✗ execution failed",
    ]


def test_the_stream_is_named_when_there_are_several() -> None:
    started = journal(
        (EventType.EXECUTION_STARTED, {"streams": ["one", "two"]}), (EventType.STREAM_STARTED, {"stream": "two"})
    )
    assert lines(started).splitlines()[1] == "    0.1s  two: opening a workspace"


def test_a_plan_that_waits_is_shown_with_what_to_type() -> None:
    waiting = journal(
        (EventType.EXECUTION_STARTED, {"streams": ["one"]}),
        (EventType.STREAM_PLANNED, {"stream": "one", "titles": ["Write", "Test"], "total": 2}),
        (EventType.EXECUTION_AWAITING_APPROVAL, {"stream": "one", "plan_ref": "x"}),
    )
    told = lines(waiting)
    assert "1. Write" in told
    assert "2. Test" in told
    assert f"orchex approve {ID}" in told


def test_every_kind_of_event_has_its_line() -> None:
    told = {entry.type for entry in STORY} | {
        EventType.EXECUTION_AWAITING_APPROVAL, EventType.EXECUTION_APPROVED, EventType.EXECUTION_CANCELLING,
        EventType.NOTE, EventType.STEP_TURN, EventType.EXECUTION_COMPLETED, EventType.EXECUTION_CANCELLED,
    }  # fmt: skip
    assert told == set(EventType)
    for kind in EventType:
        data = {"stream": "one", "text": "t", "plan_ref": "x", "reason": "r", "status": "failed"} | STORY[6].data
        data |= {"calls": ["view a.py"], "tokens": 7, "cost_usd": 0.1}
        entry = journal(
            (EventType.EXECUTION_STARTED, {"streams": ["one"]}), (kind, data | {"total": 1, "titles": [], "attempt": 2})
        )
        assert len(lines(entry).splitlines()) >= 2, kind


def test_hostile_titles_and_outputs_do_not_steer_the_terminal() -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07 title\nsecond"
    entries = journal(
        (EventType.EXECUTION_STARTED, {"streams": ["one"]}),
        step("step.started", 0, hostile),
        step("execution.step_completed", 0, hostile, status="failed", failure=FAILURE | {"message": hostile}),
        (EventType.NOTE, {"stream": "one", "text": hostile}),
        (EventType.STREAM_FINISHED, {"stream": "one", "status": "failed", "reason": hostile}),
    )
    ended = execution(
        Status.FAILED, error=Failure(code="x", message=hostile, hint=hostile), project=hostile, task=hostile
    )
    told = (
        lines(entries)
        + "\n".join(
            [
                *closing(ended, b"", board(entries), io.StringIO()),
                *state(ended, io.StringIO()),
                row(ended, io.StringIO()),
            ]
        )
        + picture(entries)
    )
    assert "\x1b]" not in told
    assert "\x1b[2J" not in told


def test_a_failure_ends_with_what_the_command_said_and_the_way_on() -> None:
    told = "\n".join(closing(FAILED, b"", board(STORY), io.StringIO()))
    assert "command_failed: pytest failed with exit code 1" in told
    assert "Mend it." in told
    assert "│ 1 failed\n  │ red" in told
    assert f"orchex resume {ID}" in told
    assert f"orchex undo {ID}" not in told


PATCH = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\n"


@pytest.mark.parametrize(
    ("applied", "where", "offered", "withheld"),
    [(True, "applied to /somewhere", "undo", "apply"), (False, "kept, not applied", "apply", "undo")],
)
def test_the_last_word_says_where_the_changes_are(applied: bool, where: str, offered: str, withheld: str) -> None:
    ended = execution(result=Result(success=True, summary="1 file changed", applied=applied))
    told = "\n".join(closing(ended, PATCH, Board(), io.StringIO()))
    assert "M x  +2 -1" in told
    assert where in told
    assert f"orchex diff {ID}" in told
    assert f"orchex {offered} {ID}" in told
    assert f"orchex {withheld} {ID}" not in told


def test_a_dry_run_ends_with_its_plan() -> None:
    told = "\n".join(closing(execution(options={"dryRun": True}), b"", board(STORY), io.StringIO()))
    assert "one:\n    1. Write" in told


def test_turns_are_told_as_they_come_with_what_they_take() -> None:
    turn = step("step.turn", 0, "Write", turn=0, calls=["view a.py", "run_command make"], tokens=1500, cost_usd=0.02)
    story = [*STORY[:4], *journal((EventType.EXECUTION_STARTED, {"streams": ["one"]}), turn)[1:]]
    told = lines(story).splitlines()[-2:]
    assert [line.split("  ", 3)[-1].strip() for line in told] == ["· view a.py", "· run_command make"]
    seen = re.sub(r"\x1b\[[\d;]*m", "", picture(story, close=False))
    assert "1,500 tokens  $0.02" in seen
    assert "view a.py, run_command make" in seen


def test_with_what_words_a_model_ends_a_step_is_shown() -> None:
    """It may have found that there is nothing to do, or no way to do it."""
    said = "There is no such bug.\n\nSo I changed nothing.\n\x1b[2J" + "x" * 1000
    ended = step("execution.step_completed", 0, "Write", status="completed", output=said, transcript="t")
    story = [*STORY[:4], *journal((EventType.EXECUTION_STARTED, {"streams": ["one"]}), ended)[1:]]
    told = lines(story).splitlines()[-3:]
    assert told[0].endswith("There is no such bug.")
    assert told[1].endswith("So I changed nothing.")
    assert told[2].endswith("xxx…")
    assert "There is no such bug." in picture(story)
    assert "There is no such bug." not in picture(story, close=False), "while it runs the room is for steps"


def test_a_report_in_a_failure_is_told_once_line_by_line() -> None:
    report = "the cassette holds no answer\nThe nearest is number 3\n-recorded\n+asked"
    failed = step("execution.step_completed", 0, "Write", status="failed", failure=FAILURE | {"message": report})
    finished = (EventType.STREAM_FINISHED, {"stream": "one", "status": "failed", "reason": report})
    told = lines([*STORY[:4], *journal((EventType.EXECUTION_STARTED, {"streams": ["one"]}), failed, finished)[1:]])
    assert "the cassette holds no answer" in told
    assert "number 3" not in told
    ended = execution(Status.FAILED, error=Failure(code="model_unavailable", message=report, hint="Record it anew."))
    for shown in (closing(ended, b"", Board(), io.StringIO()), state(ended, io.StringIO())):
        text = "\n".join(shown)
        assert "  │ The nearest is number 3\n  │ -recorded\n  │ +asked\n  Record it anew." in text


def test_a_dry_run_tells_what_each_step_would_touch_and_what_all_may_cost() -> None:
    plan = ({"stream": "one", "title": "Write", "files": ["a.py"], "commands": ["make"]},)
    result = Result(success=True, summary="planned", plan=plan, estimate=Estimate(tokens=12_000, cost_usd=0.5))
    document = execution(options={"dryRun": True}, result=result)
    told = "\n".join(closing(document, b"", board(STORY), io.StringIO()))
    assert "would touch a.py" in told
    assert "would run   make" in told
    assert "about 12,000 tokens, $0.50" in told


def test_a_budget_that_is_used_up_is_told_with_what_to_type() -> None:
    waiting = journal(
        (EventType.EXECUTION_STARTED, {"streams": ["one"]}),
        (EventType.EXECUTION_AWAITING_APPROVAL, {"stream": "one", "plan_ref": "x", "over_budget": "900 are used"}),
    )
    told = lines(waiting)
    assert "the budget is used up: 900 are used" in told
    assert f"orchex approve {ID}" in told
    assert "the budget is used up: 900 are used" in picture(waiting, close=False)


def picture(
    entries: list[JournalEntry],
    *,
    height: int = 30,
    close: bool = True,
    saying: Saying | None = None,
    **console: Any,
) -> str:
    out = io.StringIO()
    on = Console(file=out, force_terminal=True, width=100, height=height, highlight=False, **console)
    view = LiveView(on, saying)
    for entry in entries:
        view.show(entry)
    view.tick()
    if not close:
        told = out.getvalue()
        view.close()
        return told
    view.close()
    return out.getvalue()


def test_the_live_picture_stays_on_the_screen_whole() -> None:
    last = re.sub(r"\x1b\[\d*m", "", picture(STORY).rpartition("\x1b[?25h")[2])
    assert "one 2/2" in last
    assert "Write (0.2 s, 2 attempts, 1,200 tokens)" in last
    assert "pytest (0.1 s): pytest failed with exit code 1" in last
    assert "1,200 tokens" in last


def test_a_running_step_is_shown_with_its_attempt() -> None:
    assert "Write" in picture(STORY[:5], close=False)
    assert "attempt 2" in picture(STORY[:5], close=False)


def test_the_live_picture_never_outgrows_the_screen() -> None:
    many = [(EventType.EXECUTION_STARTED, {"streams": ["one"]})]
    many += [step("step.started", number, f"Step {number}") for number in range(100)]
    told = picture(journal(*many), height=12, close=False)
    assert told.count("\n") < 12
    assert "Step 99" in told
    assert "before" in told


def test_what_a_step_takes_is_seen_behind_a_title_that_is_too_long() -> None:
    long = journal(
        (EventType.EXECUTION_STARTED, {"streams": ["one"]}),
        step("step.started", 0, "word " * 40),
        step("execution.step_completed", 0, "word " * 40, status="failed", failure=FAILURE),
    )
    assert "… (" in re.sub(r"\x1b\[[\d;]*m", "", picture(long[:2], close=False))
    ended = re.sub(r"\x1b\[[\d;]*m", "", picture(long))
    assert "… (0.1 s)" in ended
    assert max(len(line) for line in ended.rpartition("\x1b[?25h")[2].splitlines()) <= 100


def test_the_live_picture_holds_the_end_of_what_the_step_at_work_says(tmp_path: Path) -> None:
    logs = step_logs(tmp_path, ID, "one")
    logs.mkdir(parents=True)
    begun = [(EventType.EXECUTION_STARTED, {"streams": ["one"]})]
    begun += [step("step.started", number, f"Step {number}") for number in range(100)]
    entries = journal(*begun)
    assert "│" not in picture(entries, close=False, saying=Saying(tmp_path))
    (logs / "100-1.log").write_text("of the first command\n")
    os.utime(logs / "100-1.log", (1, 1))
    (logs / "100-2.log").write_bytes(b"x" * 20_000 + b"\none\n\n\x1b[2Jtwo\n\nthr\xffee\n" + b"four " * 100)
    told = picture(entries, height=12, close=False, saying=Saying(tmp_path))
    assert told.count("\n") < 12
    assert "│ two" in told
    assert "│ thr�ee" in told
    assert "│ four four" in told
    for unseen in ("first command", "│ one", "\x1b[2J"):
        assert unseen not in told
    assert "│" not in picture(STORY, saying=Saying(tmp_path)).rpartition("\x1b[?25h")[2], "it does not stay"


def test_no_color_leaves_no_colour() -> None:
    assert "\x1b[32m" in picture(STORY)
    assert "\x1b[32m" not in picture(STORY, no_color=True)


def test_status_shows_streams_steps_and_why() -> None:
    ended = FAILED.model_copy(
        update={
            "streams": (StreamState(id="one", description="d", status="failed", reason="r"),),
            "steps": (
                Step(index=0, stream="one", kind=StepKind.WORK, title="Write", status=StepStatus.COMPLETED, attempts=3,
                     started_at=BEGIN, finished_at=BEGIN),
            ),
        }
    )  # fmt: skip
    told = "\n".join(state(ended, io.StringIO()))
    assert "✗ one  failed: r" in told
    assert "✓ Write (0.0 s, 3 attempts)" in told
    assert "command_failed: pytest failed with exit code 1" in told
