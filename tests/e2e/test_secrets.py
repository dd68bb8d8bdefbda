"""Canaries: where secrets of the environment and of outputs must not turn up."""

import asyncio
import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from orchex.settings import Settings
from orchex.stack.client import running_stack, stop_stack
from orchex.stack.launch import orchex_argv
from tests.chaos.harness import Lab
from tests.cli.conftest import environment
from tests.e2e.manifests import manifest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

OURS = {"ORCHEX_API_KEY": "canary-orchex-7301", "ANTHROPIC_API_KEY": "canary-model-7302", "TEMPORAL_API_KEY": ""}
THEIRS = {"DEPLOY_TOKEN": "canary-deploy-7303", "PLAIN": "not a secret at all"}


def test_secrets_reach_neither_commands_nor_records(lab: Lab, tmp_path: Path) -> None:
    project = lab.project()
    path = tmp_path / "manifest.yaml"
    script = (
        "env | sort\necho the token is $DEPLOY_TOKEN\nprintf 'ghp_%s%s\\n' 0123456789abcdefghij ABCDEFGHIJ012345\n"
        'printf "me:$DEPLOY_TOKEN" | base64\nprintf "$DEPLOY_TOKEN" | od -An -tx1 | tr -d " \\n"'
    )
    path.write_text(manifest(script))
    done = subprocess.run(
        orchex_argv("exec", str(path), "--project", str(project), "--json"),
        env=environment(lab.home, **OURS, **THEIRS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    logs = subprocess.run(
        orchex_argv("logs", "latest"), env=environment(lab.home), capture_output=True, text=True, check=True
    ).stdout
    assert "PLAIN=not a secret at all" in logs
    assert "the token is" in logs
    secrets = [value for value in (*OURS.values(), THEIRS["DEPLOY_TOKEN"]) if value] + [
        "0123456789abcdefghijABCDEFGHIJ012345",
        base64.b64encode(f"me:{THEIRS['DEPLOY_TOKEN']}".encode()).decode(),
        THEIRS["DEPLOY_TOKEN"].encode().hex(),
    ]
    for secret in secrets:
        assert secret not in done.stdout + done.stderr + logs
        assert _files_with(lab.home, secret) == []
    history = asyncio.run(_history(lab, done.stdout.split('"id": "')[1].split('"')[0]))
    assert not [secret for secret in secrets if secret in history]


def _files_with(home: Path, secret: str) -> list[Path]:
    files = [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if secret.encode() in _bytes(path)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes() if os.access(path, os.R_OK) else b""
    except OSError:
        return b""


async def _history(lab: Lab, execution: str) -> str:
    endpoint = running_stack(Settings(home=lab.home))
    assert endpoint is not None
    assert endpoint.temporal_address is not None
    client = await Client.connect(endpoint.temporal_address)
    history = await client.get_workflow_handle(execution).fetch_history()
    return "".join(str(event) for event in history.events)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Lab]:
    """A stack of the test's own."""
    lab = Lab(tmp_path)
    yield lab
    stop_stack(Settings(home=lab.home))


@pytest.mark.parametrize("sealed", [True, False])
def test_with_a_key_temporal_keeps_nothing_that_it_could_read(own: Lab, sealed: bool) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    own.environ = {"ORCHEX_ENCRYPTION_KEY": key} if sealed else {}
    outcome = own.run(manifest("exit 61"), own.project())
    said = "failed with exit code 61"
    assert outcome.code == 1
    assert said in outcome.said
    assert (_files_with(own.home / "temporal", said) == []) is sealed
    assert _files_with(own.home, key) == []
