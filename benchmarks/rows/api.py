"""One API process under load: reads at a fixed rate, and how many starts a second it takes.

Executions are started on a task queue that nobody polls: what is measured is the API, its database and Temporal's
acknowledgement, not the work.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from benchmarks.bench import ORCHEX, Bench
from benchmarks.load import Outcome, load, saturate
from benchmarks.measure import Line, Target, median, percentile
from benchmarks.processes import environment_of, running
from tests.databases import postgresql_server

READS = 500
"""Requests a second."""
TARGET_MS = 25.0
_BODY = json.dumps({"task": "measure it", "options": {"model": "runbook"}})
_PLANS = "plans: {all: {rate_class: any}}\nrate_classes: {any: {reads: 100000000, writes: 100000000}}\n"


@dataclass(frozen=True)
class _Api:
    url: str
    key: str

    def request(self, method: str, path: str, body: str = "") -> bytes:
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {self.key}"]
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


async def measure(bench: Bench) -> list[Line]:
    lines = await _on(bench, "SQLite", None)
    with postgresql_server(fsync=True) as server:
        return lines + (await _on(bench, "PostgreSQL", server) if server else [])


async def _on(bench: Bench, database: str, url: str | None) -> list[Line]:
    async with _serving(bench, database, url) as api:
        async with httpx2.AsyncClient(base_url=api.url, headers={"Authorization": f"Bearer {api.key}"}) as client:
            made = await client.post("/v1/executions", content=_BODY, headers={"Content-Type": "application/json"})
            path = f"/v1/executions/{made.raise_for_status().json()['id']}"
        seconds = bench.runs(20, 3)
        await load(api.url, READS / 2, 2, lambda _: api.request("GET", path))
        reads = await load(api.url, READS, seconds, lambda _: api.request("GET", path))
        starts = await saturate(api.url, bench.runs(15, 2), lambda _: api.request("POST", "/v1/executions", _BODY), 16)
    what = f"read of an execution over HTTP, {READS} a second, {database}"
    return [
        Line("api", f"{what}, p50", "ms", median(reads.seconds) * 1000),
        Line(
            "api",
            f"{what}, p99",
            "ms",
            percentile(reads.seconds, 99) * 1000,
            target=Target(TARGET_MS),
            note=_note(reads),
        ),
        Line("api", f"starts a second over HTTP, 16 at once, {database}", "/s", _rate(starts), note=_note(starts)),
    ]


def _rate(outcome: Outcome) -> float:
    return outcome.statuses[202] / outcome.took


def _note(outcome: Outcome) -> str:
    answers = ", ".join(f"{count} × {status}" for status, count in sorted(outcome.statuses.items()))
    return f"{answers} in {outcome.took:.1f} s; worst {max(outcome.seconds) * 1000:.0f} ms"


@asynccontextmanager
async def _serving(bench: Bench, database: str, url: str | None) -> AsyncIterator[_Api]:
    """``orchex api`` in a process and a home of its own, on the bench's Temporal server."""
    home = bench.area / f"api-{database}"
    project = home / "project"
    project.mkdir(parents=True)
    (home / "plans.yaml").write_text(_PLANS)
    environment = environment_of(bench, home, f"api-{database}", url) | {
        "ORCHEX_API_PORT": "0",
        "ORCHEX_PROJECTS": json.dumps({"project": str(project)}),
        "ORCHEX_PLANS": str(home / "plans.yaml"),
    }
    key = await asyncio.to_thread(_bootstrap, environment)
    async with running("api", environment, home / "api.log", "serving at ") as address:
        yield _Api(address, key)


def _bootstrap(environment: dict[str, str]) -> str:
    """The first team's key."""
    command = [str(ORCHEX), "admin", "bootstrap", "--json"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return str(json.loads(made.stdout)["key"])
