"""What a long conversation leaves in a workflow's history: references, never the conversation."""

import asyncio
import json

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from orchex.settings import Settings
from orchex.stack.client import running_stack
from tests.chaos.harness import Lab, git
from tests.fakes.messages_script import Answer, Asked
from tests.fakes.messages_server import serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STEPS, TURNS = 4, 25
CONTEXT_BYTES = 100_000
LINES = CONTEXT_BYTES // 50
MARK = "a line of the context that is in every request"

MANIFEST = """
name: long
version: 1.0.0
description: a long conversation
streams:
  s:
    description: read for long
    plan: Read the file piece by piece.
    context: {files: [big.txt], depth: minimal}
    constraints: {timeout: 600000}
"""


def script(asked: Asked) -> Answer:
    if "planner" in asked.system:
        step = {"title": "Read", "text": "Read on.", "files": [], "commands": []}
        return Answer(text=json.dumps({"steps": [step] * STEPS}))
    if asked.turn < TURNS - 1:
        return Answer(text="I read on. " * 50, tools=[("view", {"path": "big.txt", "view_range": [1, 200]})])
    return Answer(text="I have read it.")


def test_a_hundred_turns_on_100_kb_of_context_leave_less_than_a_megabyte(lab: Lab) -> None:
    project = lab.project()
    (project / "big.txt").write_text("".join(f"{number:06} {MARK}\n" for number in range(LINES)))
    git(project, "add", "-A")
    with serve(script) as server:
        lab.environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "sk-ant-none-0001"}
        try:
            outcome = lab.run(MANIFEST, project)
        finally:
            lab.environ = {}
    assert outcome.code == 0, outcome.said
    assert len(server.turns) == 1 + STEPS * TURNS
    assert all(MARK in json.dumps(entry.body) for entry in server.turns)

    events = asyncio.run(history(lab, outcome.execution))
    assert sum(event.ByteSize() for event in events) < 1_000_000
    assert max(event.ByteSize() for event in events) < 64 * 1024
    assert not [event for event in events if MARK.encode() in event.SerializeToString()]
    scheduled = [
        event.ByteSize() for event in events if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    early, late = scheduled[5:15], scheduled[-15:-5]
    assert sum(late) < 1.2 * sum(early), "a turn's share of the history must not grow with the conversation"


async def history(lab: Lab, execution: str) -> list[HistoryEvent]:
    endpoint = running_stack(Settings(home=lab.home))
    assert endpoint is not None
    assert endpoint.temporal_address is not None
    client = await Client.connect(endpoint.temporal_address)
    return list((await client.get_workflow_handle(execution).fetch_history()).events)
