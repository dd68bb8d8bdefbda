"""The same commands against a server: here a scripted one, which does what no real one does on request."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchex.manifest import parse_manifest
from tests.cli.conftest import Orchex, make_project, read_until
from tests.client.stand_in import KEY, Fault, StandIn, eventually

MANIFEST = """\
name: greet
version: 1.0.0
description: Mend the greeting
inputs:
  word: {default: hello}
streams:
  mend:
    description: Put the right word in
    model: runbook
    plan: |
      1. Write it: ${{ inputs.word }} “ünïcode” 🎉

         ```sh
         printf '%s\\n' "yes: no"   # 0x10 ~ null
         ```
    commands:
      - command: grep -q hello greeting.txt
"""


@pytest.fixture
def server() -> Iterator[StandIn]:
    stand_in = StandIn()
    stand_in.start()
    yield stand_in
    stand_in.stop()


class Remote:
    """The command in ``folder``, with the environment of somebody who works on the server."""

    def __init__(self, orchex: Orchex, server: StandIn) -> None:
        self.orchex = orchex
        self.more = {"ORCHEX_API_URL": server.url, "ORCHEX_API_KEY": KEY, "A_SECRET_OF_MINE": "canary-1812"}

    def __call__(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.orchex(*arguments, **self.more | more)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.orchex.start(*arguments, **self.more)


@pytest.fixture
def remote(tmp_path: Path, server: StandIn) -> Iterator[Remote]:
    orchex = Orchex(tmp_path / "home", make_project(tmp_path / "project"))
    yield Remote(orchex, server)
    assert not orchex.home.exists(), "something was started on this machine"


def play(server: StandIn, execution_id: str, ending: str = "completed") -> None:
    """What a server tells of an execution of one step."""
    step = {"stream": "task", "index": 1, "title": "mend it"}
    server.emit(execution_id, "execution.started", streams=["task"])
    server.emit(execution_id, "stream.started", stream="task")
    server.emit(execution_id, "stream.planned", stream="task", titles=["mend it"], total=1)
    server.emit(execution_id, "step.started", **step)
    server.emit(execution_id, "a.kind.of.a.newer.server", mood="good")
    server.emit(execution_id, "execution.step_completed", **step, status="completed", output="mended", log="task/1.log")
    server.emit(execution_id, "stream.finished", stream="task", status="completed", reason="")
    server.emit(execution_id, f"execution.{ending}")


def started(server: StandIn) -> str:
    eventually(lambda: bool(server.executions))
    return next(iter(server.executions))


@pytest.mark.parametrize(("ending", "code"), [("completed", 0), ("failed", 1), ("cancelled", 5)])
def test_a_task_is_carried_out_by_the_server_and_its_end_is_the_exit_code(
    server: StandIn, remote: Remote, ending: str, code: int
) -> None:
    process = remote.start("run", "mend the greeting", "--file", "greeting.txt", "--max-steps", "3")
    play(server, started(server), ending)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "▸ mend it" in output
    assert f"execution {ending}" in output
    body = server.requests("POST")[0].body
    assert (body["task"], body["context"], body["options"]["maxSteps"]) == (
        "mend the greeting",
        {"files": ["greeting.txt"]},
        3,
    )


def test_nothing_of_this_machines_environment_goes_to_the_server(server: StandIn, remote: Remote) -> None:
    remote("run", "a task", "--detach")
    assert "canary-1812" not in repr(server.seen)
    assert str(remote.orchex.folder) not in repr(server.seen)


def test_a_manifest_arrives_as_it_is_with_its_inputs_filled_in(server: StandIn, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MANIFEST)
    options = ["--input", "word=bonjour", "--project", "api", "--no-apply", "--detach"]
    ended = remote("exec", str(tmp_path / "m.yaml"), "mend", *options)
    assert (ended.returncode, ended.stdout) == (0, "exec_1\n")
    body = server.requests("POST")[0].body
    expected = parse_manifest(MANIFEST.replace("${{ inputs.word }}", "bonjour"), "m").model_copy(update={"inputs": {}})
    assert parse_manifest(body["manifest"], "sent") == expected
    assert (body["streams"], body["context"], body["options"]["apply"]) == (["mend"], {"project": "api"}, False)


def test_a_runbook_for_a_task_arrives_as_a_manifest(server: StandIn, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "fix.md").write_text("1. Do it\n\n   ```sh\n   true\n   ```\n")
    remote("run", "mend it", "--plan", str(tmp_path / "fix.md"), "--file", "a.txt", "--detach")
    body = server.requests("POST")[0].body
    (stream,) = yaml.safe_load(body["manifest"])["streams"].values()
    assert stream["plan"] == (tmp_path / "fix.md").read_text()
    assert stream["context"] == {"files": ["a.txt"]}
    assert body["options"]["model"] == "runbook"
    assert "task" not in body


def test_a_manifest_with_mistakes_is_not_sent(server: StandIn, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MANIFEST.replace("plan:", "plann:"))
    ended = remote("exec", str(tmp_path / "m.yaml"))
    assert ended.returncode == 2
    assert "m.yaml:" in ended.stderr
    assert not server.seen


def test_a_lost_answer_starts_nothing_twice(server: StandIn, remote: Remote) -> None:
    server.faults.append(Fault(-1))
    assert remote("run", "a task", "--detach").stdout == "exec_1\n"
    assert (len(server.requests("POST")), len(server.executions)) == (2, 1)


def test_following_goes_on_through_a_restart_of_the_server(server: StandIn, remote: Remote) -> None:
    process = remote.start("run", "a task")
    execution_id = started(server)
    server.emit(execution_id, "execution.started", streams=["task"])
    read_until(process, "started")
    server.stop()
    server.emit(execution_id, "note", text="said while nobody listened")
    server.emit(execution_id, "execution.completed")
    server.start()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "said while nobody listened" in output


def test_a_server_that_goes_away_at_the_very_end_is_waited_for(server: StandIn, remote: Remote) -> None:
    process = remote.start("run", "a task")
    execution_id = started(server)
    server.emit(execution_id, "execution.started", streams=["task"])
    read_until(process, "started")
    server.faults += [Fault(503, {"code": "draining", "retryable": True})] * 9
    server.emit(execution_id, "execution.completed")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output.count("the server does not answer; asking again") == 1
    assert "completed in" in output


def test_ctrl_c_cancels_on_the_server_and_waits(server: StandIn, remote: Remote) -> None:
    process = remote.start("run", "a task")
    server.emit(started(server), "execution.started", streams=["task"])
    read_until(process, "started")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "execution cancelled" in output
    assert server.requests("POST", "/cancel")[0].body == {"reason": "Ctrl-C"}


def test_reading_commands_read_from_the_server(server: StandIn, remote: Remote) -> None:
    remote("run", "a task", "--detach")
    play(server, "exec_1")
    server.artifacts["exec_1", "task/1.log"] = b"all that it said\n"
    server.artifacts["exec_1", "task.patch"] = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    artifact = {"name": "task.patch", "kind": "patch", "size": 60, "url": "/executions/exec_1/artifacts/task.patch"}
    server.executions["exec_1"].document["result"]["artifacts"] = [artifact]
    assert "exec_1" in remote("list").stdout
    assert json.loads(remote("list", "--json").stdout)["data"][0]["id"] == "exec_1"
    assert json.loads(remote("status", "--json").stdout)["status"] == "completed"
    assert "all that it said" in remote("logs", "latest").stdout
    assert "execution completed" in remote("logs", "-f", "exec_1").stdout
    assert remote("diff", "exec_1").stdout.encode() == server.artifacts["exec_1", "task.patch"]
    assert remote("diff", "exec_1", "--stat").stdout == "M x  +1 -1\n"
    shown = remote("status", "exec_1").stdout
    assert "orchex diff exec_1" in shown
    assert "orchex apply" not in shown
    assert "orchex undo" not in shown


def test_a_server_without_executions_says_so(remote: Remote) -> None:
    assert remote("list").stdout == "no executions\n"
    ended = remote("status")
    assert ended.returncode == 2
    assert "no execution yet at http://127.0.0.1" in ended.stderr


@pytest.mark.parametrize("verb", ["apply", "undo"])
def test_what_a_server_cannot_do_is_refused_with_a_way_on(remote: Remote, server: StandIn, verb: str) -> None:
    remote("run", "a task", "--detach")
    ended = remote(verb, "exec_1")
    assert ended.returncode == 2
    assert f"has no `{verb}`" in ended.stderr
    assert "git apply" in ended.stderr


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 3), (403, 3), (402, 4), (429, 4), (404, 2), (409, 2), (422, 2), (500, 6), (503, 6)],
)
def test_a_refusal_is_an_exit_code(server: StandIn, remote: Remote, status: int, code: int) -> None:
    problem = {"code": "a_code", "detail": "what is the matter", "retryable": False}
    server.faults.append(Fault(status, problem, {"X-Request-Id": "req_42"}))
    ended = remote("run", "a task")
    assert (ended.returncode, ended.stdout) == (code, "")
    assert "what is the matter (request req_42)" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_server_that_is_not_there_exits_with_6(server: StandIn, remote: Remote) -> None:
    server.stop()
    for command in (("list",), ("run", "a task"), ("status", "exec_1"), ("logs", "exec_1")):
        ended = remote(*command)
        assert ended.returncode == 6
        assert f"no answer from {server.url}/v1" in ended.stderr


def test_something_else_at_the_address_exits_with_6(server: StandIn, remote: Remote) -> None:
    server.faults.append(Fault(200, body=b"<html>"))
    ended = remote("list")
    assert ended.returncode == 6
    assert "Is it an Orchex server" in ended.stderr


def test_an_address_that_is_none_exits_with_2(remote: Remote) -> None:
    ended = remote("list", ORCHEX_API_URL="orchex.example.org")
    assert ended.returncode == 2
    assert "https://api.example.org" in ended.stderr


def test_a_key_alone_means_this_machine(server: StandIn, remote: Remote) -> None:
    assert remote("list", ORCHEX_API_URL="").stdout == "no executions\n"
    assert not server.seen


def test_the_key_is_never_printed(server: StandIn, remote: Remote) -> None:
    server.faults += [Fault(401, {"code": "invalid_api_key"}), Fault(500, {}), Fault(0)]
    for _ in range(3):
        ended = remote("run", "a task", "--detach", ORCHEX_DEBUG="1")
        assert KEY not in ended.stdout + ended.stderr


def test_a_live_view_shows_what_the_server_tells(server: StandIn, remote: Remote) -> None:
    terminal = remote.orchex.terminal("run", "a task", **remote.more)
    execution_id = started(server)
    play(server, execution_id)
    terminal.until("mend it")
    assert terminal.end() == 0


def test_working_on_a_server_loads_neither_temporal_nor_sql(server: StandIn) -> None:
    program = (
        "import os, sys; sys.argv[1:] = ['list']; from orchex.cli.app import run; code = run();"
        "print(code, *sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"ORCHEX_API_URL": server.url, "ORCHEX_API_KEY": KEY, "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = ended.stderr.split()
    assert code == "0"
    loaded = {name.partition(".")[0] for name in modules}
    assert not loaded.intersection({"temporalio", "sqlalchemy", "sqlmodel", "fastapi", "rich", "mcp"})
