"""Staying with an execution, with a worker that comes and goes."""

import io

import pytest

from orchex.cli import follow, waiting
from orchex.cli.exits import ExitCode
from orchex.cli.follow import Link
from orchex.cli.lines import LineView
from orchex.domain.errors import StackError
from orchex.domain.event import EventType
from orchex.domain.execution import Execution
from orchex.door.protocol import Orchestrator
from tests.cli.fake_orchestrator import ID, FakeOrchestrator, execution, journal

ENTRIES = journal(
    (EventType.EXECUTION_STARTED, {"streams": ["one"]}),
    (EventType.STREAM_STARTED, {"stream": "one"}),
    (EventType.NOTE, {"stream": "one", "text": "a note"}),
    (EventType.STREAM_FINISHED, {"stream": "one", "status": "completed", "reason": "done"}),
    (EventType.EXECUTION_COMPLETED, {"summary": "done"}),
)


class FakeBackend:
    """``reconnect`` brings what is next in ``answers``: an orchestrator or an error."""

    keep_every = 0.0
    lost = "the worker was lost; going on from its last checkpoint"

    def __init__(self, *answers: Orchestrator | Exception) -> None:
        self.answers = list(answers)
        self.kept = 0

    def connect(self) -> Orchestrator:
        return self.reconnect()

    def reconnect(self) -> Orchestrator:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def keep(self) -> None:
        self.kept += 1


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_RETRY", 0.001)


async def watch(orchestrator: Orchestrator, backend: FakeBackend) -> tuple[Execution, str]:
    out = io.StringIO()
    view = LineView(out)
    link: Link[Orchestrator] = Link(orchestrator, backend, view.say)
    return await follow.steered(ID, link, backend, view), out.getvalue()


async def test_every_entry_is_shown_once_although_the_worker_is_lost_after_each() -> None:
    flaky = FakeOrchestrator(ENTRIES, execution(), per_watch=1)
    _, told = await watch(flaky, FakeBackend(flaky))
    assert flaky.watched_after == [0, 1, 2, 3, 4]
    assert told.count("a note") == told.count("started") == told.count("execution completed") == 1


async def test_a_lost_worker_is_one_line_however_often_it_is_looked_for() -> None:
    lost = FakeOrchestrator(ENTRIES, execution(), per_watch=3)
    backend = FakeBackend(*[StackError("still starting")] * 20, FakeOrchestrator(ENTRIES, execution()))
    _, told = await watch(lost, backend)
    assert told.count("the worker was lost; going on from its last checkpoint") == 1
    assert told.count("execution completed") == 1


@pytest.mark.timeout(20)
async def test_a_stack_that_never_comes_back_is_given_up_with_a_way_to_look_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.05)
    lost = FakeOrchestrator(ENTRIES, execution(), per_watch=0)
    with pytest.raises(StackError) as given_up:
        await watch(lost, FakeBackend(StackError("cannot be started")))
    assert f"orchex status {ID}" in given_up.value.hint


async def test_a_loss_long_after_another_has_the_whole_patience_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first loss must not count when a later watch held for a while without bringing anything."""
    monkeypatch.setattr(follow, "PATIENCE", 0.0)
    monkeypatch.setattr(follow, "_HELD", -1.0)
    flaky = FakeOrchestrator(ENTRIES, execution(), per_watch=0)
    _, told = await watch(flaky, FakeBackend(*[flaky] * 5, FakeOrchestrator(ENTRIES, execution())))
    assert "execution completed" in told


@pytest.mark.timeout(20)
async def test_a_journal_that_ends_without_its_last_entry_is_the_end() -> None:
    """As that of an execution whose workflow somebody terminated from outside."""
    _, told = await watch(orchestrator := FakeOrchestrator(ENTRIES[:-1], execution()), FakeBackend(orchestrator))
    assert "completed" in told
    assert orchestrator.watched_after == [0]


async def test_the_stack_is_kept_from_leaving_meanwhile() -> None:
    backend = FakeBackend(orchestrator := FakeOrchestrator(ENTRIES, execution(), per_watch=1))
    await watch(orchestrator, backend)
    assert backend.kept > 0


async def test_the_document_at_the_end_is_the_answer() -> None:
    orchestrator = FakeOrchestrator(ENTRIES, ended := execution())
    answer, _ = await watch(orchestrator, FakeBackend(orchestrator))
    assert answer == ended


async def test_beginning_again_after_a_lost_answer_asks_for_the_same_execution() -> None:
    fake = FakeOrchestrator(ENTRIES, execution())
    asked: list[str] = []

    async def begin(_: Orchestrator, execution_id: str) -> str:
        asked.append(execution_id)
        if len(asked) < 3:
            raise StackError("the worker went away in the middle of its answer")
        return execution_id

    code = await waiting.carry_out(FakeBackend(fake), fake, begin, waiting.Manner(json=True))
    assert code is ExitCode.OK
    assert len(asked) == 3
    assert len(set(asked)) == 1
