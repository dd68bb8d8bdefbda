"""Executions through the command, on a real stack."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchex.domain.execution import Execution
from orchex.settings import Settings
from orchex.stack.client import running_stack, stop_stack
from orchex.stack.launch import orchex_argv
from tests.cli.conftest import Orchex, environment, read_until

Write = Callable[[str, str], Path]

GOOD = """\
1. Mend the greeting

   ```text path=greeting.txt
   hello
   ```

2. See it

   ```sh
   grep hello greeting.txt
   ```
"""
BAD = "1. Say something and fail\n\n   ```sh\n   echo what it said; exit 3\n   ```\n"
SLOW = "1. Wait\n\n   ```sh\n   sleep 300\n   ```\n"


@pytest.fixture
def good(write: Write) -> str:
    return str(write("good.md", GOOD))


@pytest.fixture
def bad(write: Write) -> str:
    return str(write("bad.md", BAD))


@pytest.fixture
def slow(write: Write) -> str:
    return str(write("slow.md", SLOW))


def document(text: str) -> Execution:
    return Execution.model_validate_json(text)


def test_a_task_with_a_runbook_lands_and_exits_with_0(orchex: Orchex, good: str) -> None:
    ended = orchex("run", "mend the greeting", "--plan", good)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (orchex.folder / "greeting.txt").read_text() == "hello\n"
    assert "M greeting.txt  +1 -1" in ended.stdout
    assert f"applied to {orchex.folder}" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_json_is_the_document_and_nothing_else(orchex: Orchex, good: str) -> None:
    ended = orchex("run", "mend the greeting", "--plan", good, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    shown = document(ended.stdout)
    assert shown.status == "completed"
    assert ended.stdout == shown.model_dump_json(by_alias=True, indent=2) + "\n"
    assert {"statusUrl", "createdAt", "currentStep"} <= json.loads(ended.stdout).keys()
    assert orchex("status", shown.id, "--json").stdout == ended.stdout


def test_a_failed_execution_exits_with_1_and_shows_the_output(orchex: Orchex, bad: str) -> None:
    ended = orchex("run", "fail", "--plan", bad)
    assert ended.returncode == 1
    assert "│ what it said" in ended.stdout
    assert "orchex resume exec_" in ended.stdout
    assert (orchex.folder / "greeting.txt").read_text() == "helo\n"


def test_the_logs_of_one_step_of_one_stream_are_shown_alone(orchex: Orchex, write: Write) -> None:
    shell = "\n\n         ```sh\n         {}\n         ```\n"
    streams = "".join(
        f"  {name}:\n    description: d\n    needs: {needs}\n    plan: |\n"
        f"      1. First{shell.format(f'echo {name}-one')}      2. Last{shell.format(f'echo {name}-two; exit {code}')}"
        for name, needs, code in (("a", "[]", 0), ("b", "[a]", 3))
    )
    text = f"name: test\nversion: 1.0.0\ndescription: d\nmodel: runbook\nstreams:\n{streams}"
    done = orchex("exec", str(write("two.yaml", text)))
    assert done.returncode == 1
    (offered,) = [line.split("   ")[0].split() for line in done.stdout.splitlines() if "all it said" in line]
    assert offered[3:] == ["--stream", "b", "--step", "2"]
    for arguments in (offered[1:], ["logs", "-f", "latest", "--stream", "b", "--step", "2"]):
        told = orchex(*arguments).stdout
        assert "b-two" in told
        assert "Last" in told
        for other in ("a-one", "a-two", "b-one", "First", "execution failed"):
            assert other not in told
    second = orchex("logs", "--step", "2").stdout
    assert ("a-two" in second, "b-two" in second, "a-one" in second) == (True, True, False)
    for arguments, told in ((["--step", "3"], "It took 2 steps."), (["--stream", "c"], "Its streams: a, b.")):
        refused = orchex("logs", "latest", *arguments)
        assert (refused.returncode, told in refused.stderr) == (2, True)


def test_a_failed_execution_with_json_still_prints_the_document(orchex: Orchex, bad: str) -> None:
    ended = orchex("run", "fail", "--plan", bad, "--json")
    assert ended.returncode == 1
    assert document(ended.stdout).status == "failed"


def test_no_apply_keeps_the_work_until_apply_and_undo_takes_it_back(orchex: Orchex, good: str) -> None:
    greeting = orchex.folder / "greeting.txt"
    ended = orchex("run", "mend", "--plan", good, "--no-apply")
    assert "kept, not applied" in ended.stdout
    assert greeting.read_text() == "helo\n"
    assert orchex("diff", "latest", "--stat").stdout == "M greeting.txt  +1 -1\n"
    applied = orchex("apply", "latest")
    assert (applied.returncode, applied.stdout) == (0, f"greeting.txt\n1 path applied to {orchex.folder}\n")
    assert greeting.read_text() == "hello\n"
    undone = json.loads(orchex("undo", "latest", "--json").stdout)
    assert undone == {"paths": ["greeting.txt"], "error": None}
    assert greeting.read_text() == "helo\n"


def test_what_was_applied_or_taken_out_before_is_told_as_such(orchex: Orchex, good: str) -> None:
    orchex("run", "mend", "--plan", good)
    greeting = orchex.folder / "greeting.txt"
    landed = greeting.read_text()
    greeting.write_text("mine\n")
    again = orchex("apply", "latest")
    assert (again.returncode, greeting.read_text()) == (0, "mine\n")
    assert "was applied to" in again.stdout
    assert "nothing was changed" in again.stdout
    assert "path applied" not in again.stdout
    greeting.write_text(landed)
    assert "1 path taken out of" in orchex("undo", "latest").stdout
    assert f"nothing of it is in {orchex.folder}" in orchex("undo", "latest").stdout


def test_the_diff_is_a_patch_that_git_takes(orchex: Orchex, good: str) -> None:
    orchex("run", "mend", "--plan", good, "--no-apply")
    patch = orchex("diff", "latest").stdout
    subprocess.run(["git", "apply", "-"], cwd=orchex.folder, input=patch, text=True, check=True)
    assert (orchex.folder / "greeting.txt").read_text() == "hello\n"


def test_a_conflict_names_the_files_and_exits_with_1(orchex: Orchex, good: str) -> None:
    orchex("run", "mend", "--plan", good, "--no-apply")
    (orchex.folder / "greeting.txt").write_text("good day\n")
    ended = orchex("apply", "latest")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert "greeting.txt" in ended.stderr
    assert (orchex.folder / "greeting.txt").read_text() == "good day\n"


def test_a_dry_run_shows_the_plan_and_changes_nothing(orchex: Orchex, good: str) -> None:
    ended = orchex("run", "mend", "--plan", good, "--dry-run")
    assert ended.returncode == 0
    assert "1. Mend the greeting" in ended.stdout
    assert (orchex.folder / "greeting.txt").read_text() == "helo\n"


def test_detach_prints_the_id_and_cancel_stops_it(orchex: Orchex, slow: str) -> None:
    started = orchex("run", "wait", "--plan", slow, "--detach")
    assert started.returncode == 0
    execution = started.stdout.strip()
    assert execution.startswith("exec_")
    assert len(started.stdout.splitlines()) == 1
    ended = orchex("cancel", execution, "--reason", "no time", "--json")
    assert ended.returncode == 0
    assert document(ended.stdout).status == "cancelled"
    assert "no time" in orchex("status", execution).stdout


def test_who_waits_for_a_cancelled_execution_exits_with_5(orchex: Orchex, slow: str) -> None:
    with orchex.start("run", "wait", "--plan", slow) as waiting:
        read_until(waiting, "▸ Wait")
        orchex("cancel", "latest")
        rest, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 5
    assert "■ cancelled" in rest


def test_a_plan_waits_until_it_is_approved(orchex: Orchex, good: str) -> None:
    execution = orchex("run", "mend", "--plan", good, "--approve-plan", "--detach").stdout.strip()
    with orchex.start("logs", "-f", execution) as waiting:
        read_until(waiting, "orchex approve")
        waits = orchex("status", execution).stdout
        assert "waits for: orchex approve" in waits
        assert "grep hello greeting.txt" in waits, "whoever approves a plan sees all that it does"
        approved = orchex("approve", execution)
        assert approved.returncode == 0
        assert "waits for" not in approved.stdout
        rest, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert "│ hello" in rest
    assert (orchex.folder / "greeting.txt").read_text() == "hello\n"
    again = orchex("approve", execution)
    assert again.returncode == 2
    assert "does not wait" in again.stderr


def test_a_rejected_plan_fails_as_such(orchex: Orchex, good: str) -> None:
    execution = orchex("run", "mend", "--plan", good, "--approve-plan", "--detach").stdout.strip()
    while document(orchex("status", execution, "--json").stdout).status != "awaiting_approval":
        pass
    assert orchex("reject", execution, "--reason", "too bold").returncode == 0
    assert "✗ task" in orchex("status", "--watch", execution).stdout
    ended = document(orchex("status", execution, "--json").stdout)
    assert ended.error is not None
    assert (ended.error.code, ended.error.message) == ("plan_rejected", "too bold")


def test_resume_goes_on_after_what_was_in_the_way_is_mended(orchex: Orchex, write: Write) -> None:
    flag = orchex.folder.parent / "flag"
    steps = GOOD + f"\n3. Need the flag\n\n   ```sh\n   test -e {flag}\n   ```\n"
    assert orchex("run", "mend", "--plan", str(write("plan.md", steps))).returncode == 1
    failed = orchex("status", "--json").stdout
    flag.touch()
    ended = orchex("resume", "latest")
    assert ended.returncode == 0
    assert "Mend the greeting" not in ended.stdout
    assert (orchex.folder / "greeting.txt").read_text() == "hello\n"
    assert document(orchex("status", "--json").stdout).resumed_from == document(failed).id
    nothing = orchex("resume", "latest")
    assert nothing.returncode == 2
    assert "nothing to resume" in nothing.stderr


def test_the_first_manifest_runs_as_it_is(orchex: Orchex) -> None:
    orchex("init")
    ended = orchex("exec", "orchex.yaml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (orchex.folder / "ORCHEX.md").exists()


def test_inputs_and_streams_are_chosen_on_the_command_line(orchex: Orchex, write: Write) -> None:
    stream = (
        "    description: s\n    plan: |\n      1. Write\n\n         ```text path={0}.txt\n         {1}\n         ```\n"
    )
    manifest = write(
        "m.yaml",
        'name: demo\nversion: "1.0.0"\ndescription: d\nmodel: runbook\ninputs:\n  word: {}\nstreams:\n'
        "  one:\n" + stream.format("one", "${{ inputs.word }}") + "  two:\n" + stream.format("two", "2"),
    )
    ended = orchex("exec", str(manifest), "one", "--input", "word=hi there")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (orchex.folder / "one.txt").read_text() == "hi there\n"
    assert not (orchex.folder / "two.txt").exists()


def test_commands_get_the_environment_of_who_started_them(orchex: Orchex, write: Write) -> None:
    plan = write("plan.md", "1. Say\n\n   ```sh\n   echo colour=$FAVOURITE\n   ```\n")
    orchex("run", "say", "--plan", str(plan), FAVOURITE="green")
    assert "│ colour=green" in orchex("logs", "latest").stdout


def test_a_project_elsewhere_is_worked_on(orchex: Orchex, good: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ended = orchex("run", "mend", "--plan", good, "--project", str(elsewhere))
    assert ended.returncode == 0, ended.stdout
    assert (elsewhere / "greeting.txt").read_text() == "hello\n"


def test_a_folder_below_the_toplevel_works_on_the_whole_repository(orchex: Orchex, good: str) -> None:
    below = orchex.folder / "below"
    below.mkdir()
    assert Orchex(orchex.home, below)("run", "mend", "--plan", good).returncode == 0
    assert (orchex.folder / "greeting.txt").read_text() == "hello\n"


def test_the_list_is_paged_and_filtered(orchex: Orchex, good: str, bad: str) -> None:
    for plan in (good, bad):
        orchex("run", f"task of {Path(plan).name}", "--plan", plan)
    first = json.loads(orchex("list", "--limit", "1", "--json").stdout)
    assert (first["hasMore"], len(first["data"])) == (True, 1)
    second = json.loads(orchex("list", "--limit", "1", "--json", "--before", first["nextCursor"]).stdout)
    assert (first["data"][0]["status"], second["data"][0]["status"]) == ("failed", "completed")
    failed = json.loads(orchex("list", "--status", "failed", "--json").stdout)["data"]
    assert {entry["status"] for entry in failed} == {"failed"}
    assert "task of bad.md" in orchex("list").stdout


@pytest.mark.parametrize("command", ["status", "logs", "diff", "apply", "undo", "cancel", "resume", "approve"])
def test_an_unknown_execution_exits_with_2(orchex: Orchex, good: str, command: str) -> None:
    for unknown in ("exec_01J00000000000000000000000", "nonsense"):
        ended = orchex(command, unknown)
        assert ended.returncode == 2, ended.stdout
        assert unknown in ended.stderr


def test_a_reader_that_goes_away_is_no_error(orchex: Orchex, good: str) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{' '.join(orchex_argv('run', 'mend', '--plan', good))} | head -1; cat"],
        cwd=orchex.folder,
        env=environment(orchex.home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout.endswith("started\n")
    assert ended.stderr == ""


def test_a_stack_that_cannot_start_exits_with_6(alone: Orchex, good: str, tmp_path: Path) -> None:
    ended = alone("run", "mend", "--plan", good, PATH=str(tmp_path))
    assert ended.returncode == 6
    assert "git" in ended.stderr


def test_reading_needs_no_stack_and_starts_none(alone: Orchex, good: str) -> None:
    assert alone("run", "mend", "--plan", good).returncode == 0
    settings = Settings(home=alone.home)
    read = [["status"], ["status", "--watch"], ["list"], ["logs"], ["diff"], ["status", "--json"]]
    before = [alone(*command).stdout for command in read]
    stop_stack(settings)
    assert [alone(*command).stdout for command in read] == before
    assert "hello" in before[4]
    assert running_stack(settings) is None
    assert "✓ store             schema" in alone("doctor").stdout
