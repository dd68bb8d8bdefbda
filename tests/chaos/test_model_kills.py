"""SIGKILL of the worker after every single turn: nothing that was recorded is asked for, or paid for, again."""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import select

from orchex.store.database import open_database
from orchex.store.tables import TurnRow
from tests.chaos.harness import Lab, files_of
from tests.e2e import model_story as story
from tests.fakes.messages_script import Answer, Asked
from tests.fakes.messages_server import MessagesServer, serve

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


def rows_of(lab: Lab, execution: str) -> list[TurnRow]:
    database = open_database(None, lab.home)
    try:
        with database.read() as session:
            return list(session.exec(select(TurnRow).where(TurnRow.execution_id == execution)))
    finally:
        database.close()


def paid_once(lab: Lab, server: MessagesServer, execution: str) -> None:
    """The server's own log against the store's: of each turn one answer was recorded, and nothing asked after it."""
    assert server.asked_again() == []
    rows = rows_of(lab, execution)
    answered = Counter(row.key for row in rows if row.answer)
    assert set(answered.values()) == {1}
    assert len(answered) == story.TURNS
    for key in answered:
        attempts = sorted((row for row in rows if row.key == key), key=lambda row: row.attempt)
        assert [bool(row.answer) for row in attempts] == [False] * (len(attempts) - 1) + [True]


def well_ended(code: int, said: str, project: Path) -> None:
    assert code == 0, said
    files = files_of(project)
    assert {name: files[name].decode() for name in story.AFTER} == story.AFTER


def test_a_worker_killed_whenever_a_new_turn_is_asked_for_asks_no_recorded_one_again(lab: Lab) -> None:
    """The turn before is on record by then, and its tools are done: that is, after every single turn."""
    project = story.project(lab)
    killed = 0

    def script(asked: Asked) -> Answer:
        nonlocal killed
        if asked.times == 0:
            killed += 1
            lab.kill("worker")
            return Answer(hang_after=0)
        return story.answer(asked)

    with serve(script) as server:
        lab.environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "sk-ant-none-0001"}
        outcome = lab.run(story.MANIFEST, project)
    assert killed == story.TURNS
    well_ended(outcome.code, outcome.said, project)
    paid_once(lab, server, outcome.execution)


def test_a_worker_killed_as_soon_as_an_answer_is_recorded_performs_its_tools_and_asks_nothing_again(lab: Lab) -> None:
    """The answer is there, and what it asks for is not done, or only half."""
    project = story.project(lab)
    stop = threading.Event()
    killed: list[int] = []

    def kill_at_each_answer() -> None:
        database = open_database(None, lab.home)
        known: set[str] = set()
        while not stop.is_set():
            with database.read() as session:
                recorded = set(session.exec(select(TurnRow.key).where(TurnRow.answer != None)))  # noqa: E711
            if not known:
                known = recorded
            for _ in recorded - known:
                lab.kill("worker")
                killed.append(1)
            known |= recorded
            time.sleep(0.001)
        database.close()

    with serve(story.answer) as server:
        lab.environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "sk-ant-none-0001"}
        killing = threading.Thread(target=kill_at_each_answer)
        killing.start()
        try:
            outcome = lab.run(story.MANIFEST, project)
        finally:
            stop.set()
            killing.join()
    assert len(killed) >= story.TURNS // 2
    well_ended(outcome.code, outcome.said, project)
    paid_once(lab, server, outcome.execution)
