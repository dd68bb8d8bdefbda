"""The API against its own description, by schemathesis: every check, every phase, two teams that must not meet."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from orchex.store.blobs import BlobStore
from orchex.store.executions import Executions
from tests.api.serving import Served
from tests.api.stories import begin, end, keep

SEED = 20261125
SECONDS = 60
CONFIG = """
seed = {seed}
max-time = {seconds}
continue-on-failure = true

[auth.wfc]
path = "{users}"
peers = ["alice", "bob"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "402", "403", "404", "405", "409", "412", "413", "415", "422", "429"]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "401", "402", "403", "404", "409", "412", "416", "429"]

{operations}
"""

SEMANTIC = {
    "GET /v1/executions": "400",  # a cursor is an id of the list
    "GET /v1/api-keys": "400",
    "GET /v1/audit": "400",
    "GET /v1/teams/{id}/members": "400",
    "POST /v1/executions": "422",  # a manifest is YAML with rules of its own, a project one of the server's
    "POST /v1/executions/{id}/resume": "422",  # what has not ended has nothing to resume
    "POST /v1/api-keys": "422",  # an end is in the future
    "POST /v1/api-keys/{id}/rotate": "422",
    "POST /v1/teams/{id}/members": "422",  # an address that mail could go to
    "POST /v1/billing/subscription": "422",  # a plan is one of the catalogue's
    "PATCH /v1/teams/{id}": "422",  # a name is printable
    "GET /v1/usage/history": "422",  # a month is one that there is
    "GET /v1/webhooks": "400",
    "GET /v1/webhooks/{id}/deliveries": "400",
    "POST /v1/webhooks": "422",  # an address is one that may be sent to
    "PATCH /v1/webhooks/{id}": "422",
    "POST /v1/webhooks/{id}/rotate-secret": "422",  # 60.0 is an integer to a schema
    "POST /v1/webhooks/{id}/recover": "422",  # a window ends after it begins
}
"""What a schema cannot say: the status with which each operation refuses what its schema allows."""


@contextmanager
def finishing(served: Served) -> Iterator[None]:
    """While it lasts, whatever is started ends, and leaves an artifact: the journal says so, as a worker's would."""
    database, over = served.office.database, threading.Event()
    blob = BlobStore(served.parts.engine.home / "blobs").put(b"what it made")

    def finish() -> None:
        while not over.wait(0.1):
            for execution in Executions(database).unfinished():
                begin(database, execution)
                keep(database, execution, "a.patch", "patch", blob, 12)
                end(database, execution)

    worker = threading.Thread(target=finish, name="finishing")
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(shared: Served, tmp_path: Path) -> None:
    users = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {shared.office.team().key}"}]}
        for name in ("alice", "bob")
    ]
    (tmp_path / "users.json").write_text(json.dumps({"auth": users}))
    config = tmp_path / "schemathesis.toml"
    operations = "".join(
        f'[[operations]]\ninclude-name = "{name}"\nchecks.positive_data_acceptance.expected-statuses = '
        f'["2xx", "401", "402", "403", "404", "409", "412", "429", "{status}"]\n\n'
        for name, status in SEMANTIC.items()
    )
    config.write_text(CONFIG.format(seed=SEED, seconds=SECONDS, users=tmp_path / "users.json", operations=operations))
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config)),
        *("run", f"{shared.url}/openapi.json", "--checks", "all", "--workers", "1"),
    ]
    with finishing(shared):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    (tmp_path / "report.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout, f"not all of the phase {phase} was run"
    assert "object_level_authorization" not in done.stdout.partition("WARNINGS")[2], "the check was skipped"


def test_the_description_is_one_and_names_every_status(shared: Served) -> None:
    document = httpx2.get(f"{shared.url}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            assert {"401", "403", "429", "500", "503"} <= statuses, (method, path)
            for status, response in operation["responses"].items():
                assert "X-Request-Id" in response["headers"], (method, path, status)
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)
