import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from activities.commands.runner import CommandRunner
from activities.commands.spec import CommandSpec
from orchex.domain.errors import CommandNotStarted

Shell = Callable[..., CommandSpec]


async def test_a_command_runs_in_its_folder_with_exactly_its_environment(
    runner: CommandRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "of-the-worker")
    spec = CommandSpec(("/usr/bin/env",), tmp_path, {"A": "1", "BYTES": "\udcff"})
    outcome = await runner.run(spec)
    assert sorted(outcome.output.split()) == sorted(["A=1", "BYTES=\ufffd", f"PWD={tmp_path}"])
    outcome = await runner.run(replace(spec, argv=("/bin/pwd", "-P")))
    assert outcome.output == f"{tmp_path}\n"


async def test_both_streams_and_the_exit_code_are_reported(runner: CommandRunner, shell: Shell) -> None:
    outcome = await runner.run(shell("echo out; echo err >&2; exit 3"))
    assert (outcome.exit_code, outcome.signal, outcome.ok) == (3, None, False)
    assert (outcome.output, outcome.output_bytes) == ("out\nerr\n", 8)


async def test_a_command_ended_by_a_signal_says_which(runner: CommandRunner, shell: Shell) -> None:
    outcome = await runner.run(shell("kill -SEGV $$"))
    assert (outcome.exit_code, outcome.signal) == (None, signal.SIGSEGV)


async def test_a_command_has_no_input_no_terminal_and_default_signals(runner: CommandRunner, shell: Shell) -> None:
    outcome = await runner.run(
        shell("cat; (: < /dev/tty) 2>/dev/null || echo none; grep -E 'Sig(Ign|Blk)' /proc/self/status")
    )
    terminal, _, blocked, _, ignored = outcome.output.split()
    # Bits 31 and 32 belong to the C library, whose posix_spawn always ignores them.
    assert (terminal, int(blocked, 16), int(ignored, 16) & ~(3 << 31)) == ("none", 0, 0)


async def test_a_command_inherits_no_descriptor_but_the_first_three(runner: CommandRunner, shell: Shell) -> None:
    outcome = await runner.run(replace(shell(""), argv=("/bin/ls", "/proc/self/fd")))
    assert outcome.output.split() == ["0", "1", "2", "3"], "3 is the folder that ls reads"


async def test_a_missing_program_ends_with_127_and_says_so(runner: CommandRunner, shell: Shell) -> None:
    outcome = await runner.run(replace(shell(""), argv=("no-such-program",)))
    assert outcome.exit_code == 127
    assert "no-such-program: command not found" in outcome.output


async def test_a_missing_interpreter_and_a_file_that_is_no_program_are_told_apart(
    runner: CommandRunner, shell: Shell, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    outcome = await runner.run(replace(shell(""), argv=("./script",)))
    assert outcome.exit_code == 126, "not executable yet"
    script.chmod(0o755)
    outcome = await runner.run(replace(shell(""), argv=("./script",)))
    assert outcome.exit_code == 127
    assert "interpreter" in outcome.output


async def test_a_program_is_looked_for_in_the_command_s_own_path(
    runner: CommandRunner, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "mine").chmod(0o755)
    spec = shell("")
    outcome = await runner.run(replace(spec, argv=("mine",), env={**spec.env, "PATH": str(tmp_path)}))
    assert outcome.output == "mine\n"


async def test_a_missing_folder_is_an_error_that_names_it(runner: CommandRunner, shell: Shell) -> None:
    with pytest.raises(CommandNotStarted, match="/no/such/folder"):
        await runner.run(shell("true", cwd=Path("/no/such/folder")))


async def test_a_timeout_ends_the_command_and_says_so(
    runner: CommandRunner, shell: Shell, carriers: Callable[[], list[int]]
) -> None:
    outcome = await runner.run(shell("echo begun; sleep 600 & sleep 600", timeout=1.5))
    assert (outcome.timed_out, outcome.ok, carriers()) == (True, False, [])
    assert outcome.output == "begun\n[orchex] ended after 1.5 s, its time limit\n"


async def test_background_processes_of_an_ended_command_are_ended_and_counted(
    runner: CommandRunner, shell: Shell, carriers: Callable[[], list[int]]
) -> None:
    outcome = await runner.run(shell("sleep 600 & setsid sleep 601 & echo done"))
    assert (outcome.exit_code, outcome.leftovers, outcome.output) == (0, 2, "done\n")
    assert carriers() == []


async def test_the_end_of_a_command_is_not_missed_while_a_stranger_holds_its_output(
    runner: CommandRunner, shell: Shell
) -> None:
    opened: list[int] = []

    def hold(_: bytes) -> None:
        """Open the output again from a process that is no descendant of the command: this one."""
        pid = int((Path(spec.cwd) / "pid").read_text())
        opened.append(os.open(f"/proc/{pid}/fd/1", os.O_WRONLY))

    spec = shell("echo $$ > pid; echo said; sleep 0.3")
    try:
        outcome = await runner.run(spec, on_output=hold)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    assert opened
    assert outcome.exit_code == 0


async def test_all_output_arrives_when_the_command_ends_right_after_it(runner: CommandRunner, shell: Shell) -> None:
    for _ in range(20):
        outcome = await runner.run(shell("head -c 300000 /dev/zero"))
        assert outcome.output_bytes == 300_000


async def test_a_command_that_closed_its_output_is_waited_for_without_work(runner: CommandRunner, shell: Shell) -> None:
    spent = time.process_time()
    outcome = await runner.run(shell("echo x; exec >&- 2>&-; sleep 1; exit 4"))
    assert (outcome.exit_code, outcome.output) == (4, "x\n")
    assert time.process_time() - spent < 0.5


async def test_many_commands_run_at_the_same_time(runner: CommandRunner, shell: Shell) -> None:
    """Each waits until all have begun."""
    meeting = "touch began-{0}; until [ $(ls began-* | wc -l) = 30 ]; do sleep 0.2; done; echo {0}"
    outcomes = await asyncio.gather(*(runner.run(shell(meeting.format(number))) for number in range(30)))
    assert [outcome.output for outcome in outcomes] == [f"{number}\n" for number in range(30)]


async def test_a_secret_in_two_writes_is_redacted_in_output_log_and_stream(
    runner: CommandRunner, shell: Shell, tmp_path: Path
) -> None:
    heard: list[bytes] = []
    spec = shell(
        "printf 'x top-sec'; sleep 0.2; printf 'ret-value y\n'",
        secrets=("top-secret-value",),
        log_path=tmp_path / "log",
    )
    outcome = await runner.run(spec, on_output=heard.append)
    assert outcome.output == (tmp_path / "log").read_text() == b"".join(heard).decode() == "x [redacted] y\n"


async def test_a_large_environment_is_passed(runner: CommandRunner, shell: Shell) -> None:
    spec = shell("echo ${#BIG0} ${#BIG9}")
    big = {f"BIG{number}": "x" * 100_000 for number in range(10)}
    outcome = await runner.run(replace(spec, env={**spec.env, **big}))
    assert outcome.output == "100000 100000\n"


async def test_an_environment_beyond_the_kernel_s_limit_is_reported(runner: CommandRunner, shell: Shell) -> None:
    spec = shell("true")
    outcome = await runner.run(replace(spec, env={**spec.env, "BIG": "x" * 1_000_000}))
    assert outcome.exit_code == 126
    assert "too long" in outcome.output


async def test_a_listener_that_fails_ends_the_command_and_raises(
    runner: CommandRunner, shell: Shell, carriers: Callable[[], list[int]]
) -> None:
    def fail(_: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await runner.run(shell("echo x; sleep 600"), on_output=fail)
    assert carriers() == []


async def test_two_hundred_megabytes_of_output_take_constant_memory(runner: CommandRunner, shell: Shell) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    await runner.run(shell("yes some output | head -c 12000000"))
    before = resident()
    outcome = await runner.run(shell("yes some output | head -c 200000000"))
    assert outcome.output_bytes == 200_000_000
    assert resident() - before < 20_000_000


async def test_no_descriptor_is_left_open(runner: CommandRunner, shell: Shell) -> None:
    await runner.run(shell("true"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        await runner.run(shell("true"))
        with pytest.raises(CommandNotStarted):
            await runner.run(shell("true", cwd=Path("/no/such/folder")))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
