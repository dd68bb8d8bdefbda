"""The command on a terminal: the live view, Ctrl-C, and a worker that is killed in mid-run."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from orchex.domain.execution import Execution, Status
from orchex.settings import Settings
from orchex.stack.client import running_stack
from tests.cli.conftest import Orchex, read_until
from tests.cli.test_executions import GOOD, SLOW

Write = Callable[[str, str], Path]
CTRL_C = b"\x03"


def latest(orchex: Orchex) -> Execution:
    return Execution.model_validate_json(orchex("status", "latest", "--json").stdout)


def test_a_terminal_shows_the_steps_and_then_the_changes(orchex: Orchex, write: Write) -> None:
    terminal = orchex.terminal("run", "mend", "--plan", str(write("plan.md", GOOD)))
    assert terminal.end() == 0
    assert "\x1b[32m✓\x1b[0m Mend the greeting" in terminal.screen
    assert "M greeting.txt  +1 -1" in terminal.screen
    assert terminal.screen.count("\x1b[?25l") == terminal.screen.count("\x1b[?25h"), "the cursor is there again"


def test_a_terminal_shows_what_a_command_says_while_it_runs(orchex: Orchex, write: Write) -> None:
    talk = "1. Talk\n\n   ```sh\n   echo it said this; until test -e go; do sleep 0.1; done\n   ```\n"
    terminal = orchex.terminal("run", "talk", "--plan", str(write("plan.md", talk)))
    terminal.until("│ it said this")
    terminal.type(CTRL_C)
    assert terminal.end() == 5


def test_logs_that_are_followed_come_as_they_are_said_and_each_line_once(
    orchex: Orchex, write: Write, tmp_path: Path
) -> None:
    """Half a line waits for its end; a step whose worker is killed says everything anew."""
    flag = tmp_path / "flag"
    wait = f"until test -e {flag}; do sleep 0.1; done"
    said = (f"echo one; printf half; {wait}; echo -line; echo two", "echo three")
    talk = "1. Talk\n" + "".join(f"\n   ```sh\n   {line}\n   ```\n" for line in said)
    execution = orchex("run", "talk", "--detach", "--plan", str(write("plan.md", talk))).stdout.strip()
    with orchex.start("logs", "-f", execution) as following:
        read_until(following, "│ one")
        os.kill(child(orchex, "python"), signal.SIGKILL)
        read_until(following, "attempt 2")
        read_until(following, "│ one")
        flag.touch()
        assert following.stdout is not None
        rest = following.stdout.read()
    assert [line.rpartition("│ ")[2] for line in rest.splitlines() if "│" in line] == ["half-line", "two", "three"]
    assert rest.index("│ three") < rest.index("✓ Talk")


def test_a_dumb_terminal_gets_lines(orchex: Orchex, write: Write) -> None:
    terminal = orchex.terminal("run", "mend", "--plan", str(write("plan.md", GOOD)), TERM="dumb")
    assert terminal.end() == 0
    assert "✓ Mend the greeting" in terminal.screen
    assert "\x1b" not in terminal.screen


def test_no_color_leaves_the_terminal_without_colour(orchex: Orchex, write: Write) -> None:
    terminal = orchex.terminal("run", "mend", "--plan", str(write("plan.md", GOOD)), NO_COLOR="1")
    assert terminal.end() == 0
    assert "✓" in terminal.screen
    assert "\x1b[3" not in terminal.screen


def test_a_diff_is_coloured_on_a_terminal(orchex: Orchex, write: Write) -> None:
    orchex("run", "mend", "--plan", str(write("plan.md", GOOD)))
    terminal = orchex.terminal("diff", "latest")
    assert terminal.end() == 0
    assert "\x1b[32m+hello\x1b[0m" in terminal.screen


def test_ctrl_c_cancels_and_waits_for_it(orchex: Orchex, write: Write) -> None:
    terminal = orchex.terminal("run", "wait", "--plan", str(write("plan.md", SLOW)))
    terminal.until("Wait")
    terminal.type(CTRL_C)
    terminal.until("Ctrl-C again leaves it to itself")
    assert terminal.end() == 5
    assert "cancelled" in terminal.screen
    assert "Traceback" not in terminal.screen
    assert latest(orchex).status is Status.CANCELLED


def test_ctrl_c_twice_gives_the_terminal_back(orchex: Orchex, write: Write) -> None:
    """The worker is stopped meanwhile, so that the cancel cannot come first."""
    terminal = orchex.terminal("run", "wait", "--plan", str(write("plan.md", SLOW)))
    terminal.until("Wait")
    worker = child(orchex, "python")
    os.kill(worker, signal.SIGSTOP)
    try:
        terminal.type(CTRL_C)
        terminal.until("Ctrl-C again leaves it to itself")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    finally:
        os.kill(worker, signal.SIGCONT)
    last = terminal.screen.rpartition("left to itself: exec_")[2]
    assert "Wait" not in last, "it is the last word, below the picture"
    assert "orchex logs -f exec_" in terminal.screen
    orchex("cancel", "latest")


def test_json_on_a_terminal_keeps_progress_out_of_stdout(orchex: Orchex, write: Write) -> None:
    with orchex.start("run", "mend", "--plan", str(write("plan.md", GOOD)), "--json") as process:
        out, _ = process.communicate(timeout=60)
    assert json.loads(out)["status"] == "completed"
    terminal = orchex.terminal("run", "mend", "--plan", str(write("plan.md", GOOD)), "--json")
    assert terminal.end() == 0
    assert "planned: 2 steps" in terminal.screen, "stderr is the terminal too"


def test_a_killed_worker_costs_a_line_and_nothing_else(alone: Orchex, write: Write) -> None:
    marks = alone.folder.parent / "marks"
    gate = alone.folder.parent / "gate"
    plan = (
        f"1. First\n\n   ```sh\n   echo first >> {marks}\n   ```\n"
        f"2. Second\n\n   ```sh\n   while ! test -e {gate}; do sleep 0.05; done; echo second >> {marks}\n   ```\n"
    )
    with alone.start("run", "mark", "--plan", str(write("plan.md", plan))) as process:
        read_until(process, "▸ Second")
        os.kill(child(alone, "python"), signal.SIGKILL)
        gate.touch()
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert rest.count("the worker was lost; going on from its last checkpoint") == 1
    assert rest.count("✓ Second") == 1
    assert "▸ First" not in rest
    assert marks.read_text().splitlines()[0] == "first"
    assert marks.read_text().count("first") == 1


def test_a_killed_stack_is_started_again(alone: Orchex, write: Write) -> None:
    gate = alone.folder.parent / "gate"
    plan = f"1. Wait for the gate\n\n   ```sh\n   while ! test -e {gate}; do sleep 0.05; done\n   ```\n"
    with alone.start("run", "wait", "--plan", str(write("plan.md", plan))) as process:
        read_until(process, "▸ Wait for the gate")
        endpoint = running_stack(Settings(home=alone.home))
        assert endpoint is not None
        os.kill(endpoint.pid, signal.SIGKILL)
        gate.touch()
        rest, _ = process.communicate(timeout=90)
    assert process.returncode == 0, rest
    assert rest.count("the worker was lost") == 1


def test_up_runs_until_ctrl_c(alone: Orchex) -> None:
    terminal = alone.terminal("up")
    terminal.until("ready: API at http://127.0.0.1:")
    running = running_stack(Settings(home=alone.home))
    assert running is not None
    second = alone("up")
    assert second.returncode == 6
    assert f"(pid {running.pid}), with its API at {running.api_url}" in second.stderr
    assert running_stack(Settings(home=alone.home)) == running, "the first one was not asked to leave"
    terminal.type(CTRL_C)
    assert terminal.end() == 0
    assert running_stack(Settings(home=alone.home)) is None


def test_an_embedded_worker_is_not_started_by_hand(alone: Orchex) -> None:
    ended = alone("worker", "--embedded")
    assert ended.returncode == 6
    assert "orchex up" in ended.stderr


def test_ctrl_c_ends_watching_and_leaves_the_execution_alone(orchex: Orchex, write: Write) -> None:
    execution = orchex("run", "wait", "--plan", str(write("plan.md", SLOW)), "--detach").stdout.strip()
    for watching in (["logs", "-f", execution], ["status", "--watch", execution]):
        terminal = orchex.terminal(*watching)
        terminal.until("Wait")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        assert "Traceback" not in terminal.screen
    assert latest(orchex).status is Status.RUNNING
    orchex("cancel", execution)


def test_reading_does_without_a_worker_that_is_gone(alone: Orchex, write: Write) -> None:
    alone("run", "mend", "--plan", str(write("plan.md", GOOD)))
    endpoint = running_stack(Settings(home=alone.home))
    assert endpoint is not None
    os.kill(endpoint.pid, signal.SIGSTOP)
    try:
        os.kill(child(alone, "python"), signal.SIGKILL)
        assert latest(alone).status is Status.COMPLETED
    finally:
        os.kill(endpoint.pid, signal.SIGCONT)


def child(orchex: Orchex, name: str) -> int:
    """The pid of the stack's child whose program's name starts with ``name``."""
    endpoint = running_stack(Settings(home=orchex.home))
    assert endpoint is not None
    children = Path(f"/proc/{endpoint.pid}/task/{endpoint.pid}/children").read_text().split()
    return next(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().startswith(name))
