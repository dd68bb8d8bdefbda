"""``docs/webhooks.md``: what it shows is what happens."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.webhooks.signing import signed_headers
from orchex.domain.event import EventType
from tests.api.serving import Team
from tests.fakes.webhook_receiver import Receiver
from tests.webhooks.posting import PostOffice

TEXT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_payload_shown_has_the_members_that_are_sent(post: PostOffice, team: Team, receiver: Receiver) -> None:
    post.endpoint(team, receiver.url, events=[EventType.EXECUTION_COMPLETED])
    post.story(team)
    sent = json.loads(receiver.until_count(1)[0].body)
    shown = json.loads(block("json"))
    assert shown.keys() == sent.keys()
    assert shown["data"].keys() == sent["data"].keys()
    assert shown["data"]["result"].keys() <= sent["data"]["result"].keys()


def test_the_receiver_shown_takes_what_is_signed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    body = block("json").encode()
    headers = signed_headers("evt_1", datetime.now(UTC), body, (secret,))
    assert names["receive"](body, headers, secret) == 204
    assert capsys.readouterr().out == "execution.completed exec_01…\n"
    assert names["receive"](body + b" ", headers, secret) == 401
