"""The main job on a sample project, twice: undisturbed, and with the worker killed by SIGKILL in mid-run.

Runs the installed ``orchex`` as a user would, in a home and on copies of its own that are removed at the end.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "manifests" / "quickstart.yaml"
SAMPLE = ROOT / "manifests" / "samples" / "quickstart"
ORCHEX = Path(sys.executable).with_name("orchex")
KILLED_IN = "Print June"
"""The step during which the second run loses its worker."""

_NEXT = f"""
What was made for this is gone again. In a project of yours:

  alias orchex={ORCHEX}   (or for good, from here: uv tool install .   or   pipx install .)
  orchex init && orchex exec orchex.yaml"""

_BOLD, _DIM, _GREEN, _RED, _END = ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="orchex-demo-") as folder:
        area = Path(folder)
        os.environ["ORCHEX_HOME"] = str(area / "home")
        try:
            first = _undisturbed(area / "invoice")
            second = _killed(area / "invoice-again")
        finally:
            stop_stack()
        if first != second:
            _say("the two results differ", _RED)
            return 1
        _say("\nBoth runs left the same files, byte for byte.", _GREEN)
        _say(_NEXT)
    return 0


def _undisturbed(project: Path) -> dict[str, bytes]:
    _title("1. A project with a failing test, mended by a manifest")
    copy_sample(project)
    _expect_tests(project, passing=False)
    _say(f"\n$ orchex exec manifests/quickstart.yaml --project {project.name}", _BOLD)
    subprocess.run([ORCHEX, "exec", MANIFEST, "--project", project], check=True)
    _say("\n$ git diff   (the project itself, uncommitted, as you would have edited it)", _BOLD)
    subprocess.run(["git", "-C", project, "-c", "core.pager=cat", "diff", "--color=auto"], check=True)
    _expect_tests(project, passing=True)
    return _files(project)


def _killed(project: Path) -> dict[str, bytes]:
    _title("2. The same again, and its worker is killed with SIGKILL in mid-run")
    copy_sample(project)
    _say(f"\n$ orchex exec manifests/quickstart.yaml --project {project.name}", _BOLD)
    command = [str(word) for word in (ORCHEX, "exec", MANIFEST, "--project", project)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        killed = False
        for line in run.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if KILLED_IN in line and not killed:
                killed = True
                pid = _worker_pid()
                os.kill(pid, signal.SIGKILL)
                _say(f"     >>> kill -9 {pid}   (the worker)", _RED)
    if run.returncode != 0 or not killed:
        raise SystemExit(f"the run ended with exit code {run.returncode}, killed: {killed}")
    _expect_tests(project, passing=True)
    _tell_checkpoints()
    return _files(project)


def _tell_checkpoints() -> None:
    """Every step has one checkpoint, however many attempts it took."""
    answer = subprocess.run([ORCHEX, "status", "latest", "--json"], capture_output=True, check=True)
    steps = json.loads(answer.stdout)["steps"]
    _say("\nEach step was recorded once:", _BOLD)
    for step in steps:
        again = f"{step['attempts']} attempts" if step["attempts"] > 1 else "1 attempt"
        _say(f"  {step['status']:<10} {again:<10}  {step['title']}", _RED if step["attempts"] > 1 else "")
    indexes = [step["index"] for step in steps]
    if indexes != list(range(len(steps))):
        raise SystemExit(f"steps were recorded out of order or twice: {indexes}")


def copy_sample(project: Path) -> None:
    shutil.copytree(SAMPLE, project, ignore=shutil.ignore_patterns("__pycache__"))
    identity = ["-c", "user.name=You", "-c", "user.email=you@example.com"]
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "An invoice calculator"]):
        subprocess.run(["git", "-C", project, *words], check=True)


def _expect_tests(project: Path, *, passing: bool) -> None:
    _say("\n$ make test", _BOLD)
    done = subprocess.run(["make", "-s", "test"], cwd=project, capture_output=True, text=True, check=False)
    tail = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-3:]
    _say("\n".join(f"  {line}" for line in tail), _GREEN if done.returncode == 0 else _RED)
    if (done.returncode == 0) is not passing:
        raise SystemExit(f"the sample's tests should {'pass' if passing else 'fail'} here")


def _files(project: Path) -> dict[str, bytes]:
    listed = subprocess.run(
        ["git", "-C", project, "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=True
    )
    names = sorted(set(os.fsdecode(listed.stdout).split("\0")) - {""})
    return {name: (project / name).read_bytes() for name in names}


def _worker_pid() -> int:
    """The child of the stack that runs ``orchex worker``."""
    stack = _stack()["pid"]
    for pid in Path(f"/proc/{stack}/task/{stack}/children").read_text().split():
        if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    raise SystemExit("the stack has no worker")


def _stack() -> dict[str, int]:
    endpoint: dict[str, int] = json.loads((Path(os.environ["ORCHEX_HOME"]) / "stack" / "endpoint.json").read_text())
    return endpoint


def stop_stack() -> None:
    with suppress(OSError, ValueError):
        pid = _stack()["pid"]
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        select.select([handle], [], [], 15)
        os.close(handle)


def _title(text: str) -> None:
    _say(f"\n{text}\n{'─' * len(text)}", _BOLD)


def _say(text: str, style: str = "") -> None:
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    sys.stdout.write(f"{style}{text}{_END}\n" if coloured and style else f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
