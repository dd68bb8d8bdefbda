"""``orchex mcp`` as a process: nothing but the protocol on stdout, and an end in every case."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION

from orchex.stack.launch import ENTRY
from tests.chaos.harness import marked
from tests.cli.conftest import environment
from tests.e2e.manifests import manifest
from tests.mcp_server.conftest import ORCHEX, Stdio

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SLOW = manifest("sleep 600")
INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
PING = {"jsonrpc": "2.0", "id": 99, "method": "ping"}


def line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def call(number: int, tool: str, **arguments: Any) -> bytes:
    params = {"name": tool, "arguments": arguments}
    return line({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})


HELLO = line(INITIALIZE) + line(INITIALIZED)


def start(stdio: Stdio, *argv: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        argv or (ORCHEX, "mcp"),
        cwd=stdio.folder,
        env=environment(stdio.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def said(stdio: Stdio, said: bytes, *argv: str) -> list[dict[str, Any]]:
    """Every message on stdout when all of ``said`` comes at once and stdin ends behind it."""
    process = start(stdio, *argv)
    out, err = process.communicate(said, timeout=60)
    assert process.returncode == 0, err.decode()
    assert b"Traceback" not in err
    return [message(text) for text in out.splitlines()]


def message(text: bytes) -> dict[str, Any]:
    """A line of stdout, which must be a message of JSON-RPC."""
    found: dict[str, Any] = json.loads(text)
    assert found["jsonrpc"] == "2.0"
    assert found.keys() & {"result", "error", "method"}
    return found


def by_id(messages: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    return {message["id"]: message for message in messages if "id" in message}


def test_all_that_was_asked_is_answered_though_stdin_ends_at_once(stdio: Stdio) -> None:
    answers = by_id(said(stdio, HELLO + call(2, "orchex_list") + line(PING)))
    assert answers[1]["result"]["serverInfo"]["name"] == "orchex"
    assert answers[2]["result"]["structuredContent"]["executions"] is not None
    assert answers[99]["result"] == {}


def test_a_client_that_leaves_while_it_waits_gets_how_it_stands_and_the_run_goes_on(stdio: Stdio) -> None:
    answers = by_id(said(stdio, HELLO + call(2, "orchex_execute", task="sleep", manifest=SLOW, wait=45)))
    answer = answers[2]["result"]["structuredContent"]
    assert answer["status"] == "running"
    while not marked(answer["executionId"]):
        time.sleep(0.05)
    ended = by_id(said(stdio, HELLO + call(2, "orchex_cancel", executionId=answer["executionId"])))
    assert ended[2]["result"]["structuredContent"]["cancelled"] is True


def test_every_protocol_version_gets_the_same_answers(stdio: Stdio) -> None:
    """Structured content came with 2025-06-18; before, the text says all of it."""
    begun = said(stdio, HELLO + call(2, "orchex_execute", task="x", manifest=manifest("true"), wait=45))
    found = by_id(begun)[2]["result"]["structuredContent"]["executionId"]
    asked = call(2, "orchex_status", executionId=found, wait=45)
    seen = []
    for version in HANDSHAKE_PROTOCOL_VERSIONS:
        hello = {**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": version}}
        answers = by_id(said(stdio, line(hello) + line(INITIALIZED) + asked))
        assert answers[1]["result"]["protocolVersion"] == version
        seen.append([block["text"] for block in answers[2]["result"]["content"]])
        if "structuredContent" in answers[2]["result"]:
            assert answers[2]["result"]["structuredContent"] == json.loads(seen[-1][1])
    meta = {
        "io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    modern = json.loads(asked)
    modern["params"]["_meta"] = meta
    (answer,) = said(stdio, line(modern))
    seen.append([block["text"] for block in answer["result"]["content"]])
    assert seen == [seen[0]] * (len(HANDSHAKE_PROTOCOL_VERSIONS) + 1)


def test_an_empty_stdin_ends_it_with_nothing_said(stdio: Stdio) -> None:
    assert said(stdio, b"") == []


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"nonsense", -32700),
        (b'{"jsonrpc": "2.0", "id": 5', -32700),
        (b"\xff\xfe\x00\x80", -32700),
        (b'{"a":' * 50_000, -32700),
        (b"x" * 5_000_000, -32700),
        (b"[]", -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc": "1.0", "id": 5, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "\\ud800"}}', -32600),
        (b'{"jsonrpc": "2.0", "id": 5, "params": {"n": ' + b"9" * 5000 + b"}}", -32700),
    ],
)
def test_garbage_is_refused_and_what_follows_it_is_answered(stdio: Stdio, garbage: bytes, code: int) -> None:
    answers = said(stdio, HELLO + garbage + b"\n\n" + line(PING))
    assert [answer["error"]["code"] for answer in answers if "error" in answer] == [code]
    assert by_id(answers)[99]["result"] == {}


def test_whatever_comes_stdout_carries_protocol_only(stdio: Stdio) -> None:
    """Mangled messages from a seed, so that a failure can be had again."""
    chance = random.Random(20261125)
    good = [line(INITIALIZED), call(2, "orchex_status", executionId="x"), call(3, "orchex_list"), line(PING)]
    text = HELLO
    for _ in range(300):
        piece = bytearray(chance.choice(good))
        for _ in range(chance.randint(0, 6)):
            piece[chance.randrange(len(piece))] = chance.randrange(256)
        text += bytes(piece) if piece.endswith(b"\n") else bytes(piece) + b"\n"
    answers = said(stdio, text + line({**PING, "id": "last"}))
    assert by_id(answers)["last"]["result"] == {}


def test_what_others_print_does_not_reach_stdout(stdio: Stdio) -> None:
    """Python's own print, a native library's write to descriptor 1, a child that inherits it."""
    noise = (
        "import os, subprocess, sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "from mcp_server.tools import Tools\n"
        "listed = Tools.list_executions\n"
        "async def loud(self, *arguments):\n"
        "    print('printed', flush=True); os.write(1, b'written\\n'); subprocess.run(['echo', 'inherited'])\n"
        "    return await listed(self, *arguments)\n"
        "Tools.list_executions = loud\n"
        "from orchex.__main__ import main; main()\n"
    )
    argv = (sys.executable, "-c", noise, str(ENTRY.parents[1]), "mcp")
    process = start(stdio, *argv)
    out, err = process.communicate(HELLO + call(2, "orchex_list"), timeout=60)
    assert by_id([message(text) for text in out.splitlines()])[2]["result"]["structuredContent"]
    for text in (b"printed", b"written", b"inherited"):
        assert text in err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"])
def test_descriptors_that_are_closed_are_no_fault(stdio: Stdio, closed: str) -> None:
    """A descriptor that is free would else be taken by the next file that is opened."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" mcp {closed}', ORCHEX],
        cwd=stdio.folder,
        env=environment(stdio.home),
        input=HELLO,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert [message(text)["id"] for text in done.stdout.splitlines()] == ([1] if closed == "2>&-" else [])


def test_a_stdout_that_is_full_is_told_on_stderr(stdio: Stdio) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [ORCHEX, "mcp"],
            cwd=stdio.folder,
            env=environment(stdio.home),
            input=HELLO,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"fault" not in done.stderr


def test_a_folder_that_is_gone_is_told_when_it_is_needed(stdio: Stdio, tmp_path: Path) -> None:
    said = HELLO + call(2, "orchex_list") + call(3, "orchex_execute", manifest=manifest("true"))
    done = subprocess.run(
        ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" mcp', ORCHEX],
        cwd=tmp_path,
        env=environment(stdio.home),
        input=said,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = by_id([message(text) for text in done.stdout.splitlines()])
    assert answers[2]["result"]["isError"] is False
    assert "does not exist any more" in answers[3]["result"]["content"][0]["text"]
    assert "ORCHEX_PROJECT" in answers[3]["result"]["content"][0]["text"]


def test_a_home_that_is_a_file_is_told_with_what_to_do(stdio: Stdio, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    calls = call(2, "orchex_list") + call(3, "orchex_execute", manifest=manifest("true"))
    answers = by_id(said(Stdio(tmp_path / "file", stdio.folder), HELLO + calls))
    assert answers[2]["result"]["structuredContent"]["executions"] == []
    assert "set ORCHEX_HOME to a folder" in answers[3]["result"]["content"][0]["text"]


def test_it_ends_when_nobody_reads_its_stdout_though_stdin_stays_open(stdio: Stdio) -> None:
    with start(stdio) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(HELLO + line(PING))
        process.stdin.flush()
        assert process.wait(timeout=60) == 0
        assert b"Traceback" not in process.stderr.read()


def test_the_repository_it_runs_in_does_not_fool_it(stdio: Stdio) -> None:
    """Which may own packages of the same names as the server's own, and the SDK's."""
    for name in ("orchex", "mcp_server", "mcp", "mcp_types", "anyio", "starlette"):
        package = stdio.folder / name
        package.mkdir()
        (package / "__init__.py").write_text(f"raise SystemExit('hostile {name}')\n")
    env = environment(stdio.home, PYTHONPATH=str(stdio.folder))
    done = subprocess.run(
        [ORCHEX, "mcp"], cwd=stdio.folder, env=env, input=HELLO, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert by_id([message(text) for text in done.stdout.splitlines()])[1]["result"]


def test_a_setting_that_cannot_be_used_is_told_on_stderr(stdio: Stdio) -> None:
    process = subprocess.run(
        [ORCHEX, "mcp"],
        cwd=stdio.folder,
        env=environment(stdio.home, ORCHEX_IDLE_SECONDS="soon"),
        input=HELLO,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, b"")
    assert b"ORCHEX_IDLE_SECONDS" in process.stderr


def test_a_client_that_is_killed_leaves_no_server_behind(stdio: Stdio) -> None:
    """The pipes close with it, which is all that the server is told."""
    program = (
        "import subprocess, sys, time\n"
        "server = subprocess.Popen([sys.argv[1], 'mcp'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    argv = [sys.executable, "-c", program, ORCHEX]
    with subprocess.Popen(argv, env=environment(stdio.home), stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        server = Path(f"/proc/{int(client.stdout.readline())}")
        client.kill()
    while server.exists():
        time.sleep(0.05)
