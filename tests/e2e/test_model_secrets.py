"""Canaries in a model's work: what a project, an environment and a server hold, and where it must not turn up."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.chaos.harness import Lab, git
from tests.e2e.test_models import document, tell
from tests.e2e.test_secrets import _files_with, _history
from tests.fakes.messages_script import Answer, Asked
from tests.fakes.messages_server import MessagesServer, serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

KEY = "sk-ant-canary-of-the-api-0001"
ENVIRON = {
    "DEPLOY_TOKEN": "canary-deploy-8101",
    "PGPASSWORD": 'canary-quote"d\\-8102',
    "SIGNING_KEY": "canary-first-line-8103\ncanary-second-line-8103",
    "ORCHEX_API_KEY": "",
    "ORCHEX_SECRET_KEY": "canary-orchex-8104-which-is-long-enough",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Canary: canary-header-8105",
    "PASSED_TOKEN": "canary-passed-8106",
    "MIRROR": "https://somebody:canary-url-8107@mirror.example.org/",
}
VALUES = (
    *("canary-deploy-8101", 'canary-quote"d\\-8102', "canary-first-line-8103", "canary-second-line-8103"),
    *("canary-orchex-8104-which-is-long-enough", "canary-header-8105", "canary-passed-8106", "canary-url-8107"),
)

BODY = "MIIEowIBAAKCAQEAcanary8201Nf3T6uVwYz2kJm4pQrS5tUvWxYz0123456789ab"
TRACKED_ENV = "canary-tracked-env-8202"
IN_SOURCE = "ghp_canarycanarycanary8203canarycanary82"
IN_TASK = "glpat-canary-task-8301-canary"
IN_COMMAND = "npm_canarycanarycanarycanary8302canary"
IN_OUTPUT = "xoxb-canary-output-8303-canary"

PLAN = {"steps": [{"title": "Look", "text": f"Look around, with {KEY}.", "files": ["app.py"], "commands": []}]}
TRIED = 'echo "it got $PASSED_TOKEN and $DEPLOY_TOKEN."; env | sort'

MANIFEST = f"""
name: canaries
version: 1.0.0
description: look around
streams:
  s:
    description: look around with {IN_TASK}
    plan: "Use {IN_TASK} to look around."
    passEnv: [PASSED_TOKEN]
    context: {{files: ["*.py", "id_rsa"], depth: moderate}}
    constraints: {{timeout: 120000}}
    commands:
      - command: |-
          echo {IN_COMMAND}; echo {IN_OUTPUT}; echo $DEPLOY_TOKEN $PASSED_TOKEN; cat key.py .env; test -e done.txt
        critical: true
"""


def script(asked: Asked) -> Answer:
    """Look wherever a secret may be, try to use them, and echo all that a hostile server knows."""
    if "planner" in asked.system:
        return Answer(text=json.dumps(PLAN))
    if "a validation command fails" in asked.text:
        given = {"path": "done.txt", "file_text": "done\n"}
        return [Answer(tools=[("create", given)]), Answer(text="It is done.")][asked.turn]
    looking: list[tuple[str, dict[str, object] | str]] = [
        ("view", {"path": path}) for path in ("app.py", ".env", "id_rsa", "key.py")
    ]
    looking += [("view", {"path": "id_rsa", "view_range": [2, 3]}), ("search", {"pattern": "canary|MII"})]
    return [
        Answer(tools=looking),
        Answer(tools=[("run_command", {"command": TRIED}), ("run_command", {"command": "cat app.py key.py .env"})]),
        Answer(
            thinking=f"The key is {KEY}.",
            text=f"It says {KEY} and {VALUES[0]}.",
            tools=[("create", {"path": "told.txt", "file_text": f"{KEY}\n{VALUES[1]}\n{VALUES[3]}\n"})],
        ),
        Answer(text="That was all."),
    ][asked.turn]


def pem(kind: str) -> str:
    return f"-----BEGIN {kind}-----\n{BODY}\n{BODY}\n-----END {kind}-----"


def project(lab: Lab) -> Path:
    folder = lab.project()
    (folder / ".env").write_text(f"PASSWORD_OF_ALL={TRACKED_ENV}\n")
    (folder / "app.py").write_text(f'TOKEN = "{IN_SOURCE}"\nimport key\n')
    (folder / "key.py").write_text(f'KEY = """{pem("PRIVATE KEY")}"""\n')
    (folder / "id_rsa").write_text(pem("OPENSSH PRIVATE KEY") + "\n")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-qm", "with secrets")
    return folder


@pytest.fixture(scope="module")
def told(lab: Lab) -> tuple[MessagesServer, str, str]:
    """The server, the execution's id, and everything that could be read of it afterwards."""
    folder = project(lab)
    with serve(script) as server:
        lab.environ = {**ENVIRON, "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY}
        try:
            outcome = lab.run(MANIFEST, folder)
        finally:
            lab.environ = {}
    assert outcome.code == 0, outcome.said
    execution = outcome.execution
    read = [outcome.said, json.dumps(document(lab, outcome))]
    read += [tell(lab, "logs", execution), tell(lab, "logs", execution, "--transcript")]
    read += [json.dumps(entry.data) for entry in outcome.entries]
    return server, execution, "\n".join(read)


OWN = ("x-api-key", "authorization", "x-canary")
"""Headers by which a server lets somebody in."""

SHAPES = (TRACKED_ENV, IN_SOURCE, IN_TASK, IN_COMMAND, IN_OUTPUT, BODY)


@pytest.mark.parametrize("secret", [*VALUES, *SHAPES, KEY])
def test_no_request_holds_a_secret_but_in_the_header_for_the_key(
    told: tuple[MessagesServer, str, str], secret: str
) -> None:
    server, _, _ = told
    assert len(server.turns) >= 7
    for entry in server.turns:
        headers = {name: value for name, value in entry.headers.items() if name not in OWN}
        assert secret not in str(entry.body)
        assert json.dumps(secret)[1:-1] not in json.dumps(entry.body)
        assert secret not in str(headers)


def test_what_a_file_says_of_secrets_is_shown_without_them(told: tuple[MessagesServer, str, str]) -> None:
    """The canaries were within reach: the requests hold what stands around them."""
    server, _, _ = told
    said = json.dumps([entry.body for entry in server.turns])
    for around in ("TOKEN = ", "import key", "PASSWORD_OF_ALL", "[redacted]", "Use [redacted] to look around"):
        assert around in said


@pytest.mark.parametrize("secret", [*VALUES, KEY])
def test_no_value_of_the_environment_is_kept_anywhere(
    lab: Lab, told: tuple[MessagesServer, str, str], secret: str
) -> None:
    _, execution, read = told
    assert secret not in read
    assert secret not in asyncio.run(_history(lab, execution))
    assert _files_with(lab.home, secret) == []


@pytest.mark.parametrize("secret", [TRACKED_ENV, IN_SOURCE, IN_OUTPUT, BODY])
def test_what_has_the_shape_of_a_key_is_in_no_event_transcript_log_or_history(
    lab: Lab, told: tuple[MessagesServer, str, str], secret: str
) -> None:
    _, execution, read = told
    history = asyncio.run(_history(lab, execution))
    if secret == IN_OUTPUT:  # it stands in the manifest's own command line, too
        read, history = read.replace(f"echo {secret}", ""), history.replace(f"echo {secret}", "")
    assert secret not in read
    assert secret not in history


def test_what_passes_into_commands_reaches_them_and_their_logs_do_not_tell_it(
    lab: Lab, told: tuple[MessagesServer, str, str]
) -> None:
    """A command of the manifest sees the whole environment; one that a model asks for, what ``passEnv`` names."""
    server, execution, _ = told
    assert "│ [redacted] [redacted]\n" in tell(lab, "logs", execution)
    said = json.dumps([entry.body for entry in server.turns])
    assert "it got [redacted] and ." in said
