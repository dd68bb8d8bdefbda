"""The command against a whole server, from a folder that knows nothing of it."""

import json
import signal
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import read_until
from tests.e2e.cloud import Cloud, runbook, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_a_task_runs_on_the_server_from_a_folder_that_knows_nothing_of_it(cloud: Cloud) -> None:
    (cloud.laptop / "m.yaml").write_text(runbook("echo from afar > greeting.txt; echo a word"))
    ended = cloud.orchex("exec", "m.yaml", "mend", "--project", "sample")
    assert ended.returncode == 0, ended.stderr
    assert "✓ Write it" in ended.stdout
    assert "applied to sample" in ended.stdout
    assert (cloud.project / "greeting.txt").read_text() == "from afar\n"
    assert "│ a word" in cloud.orchex("logs").stdout
    assert "+from afar" in cloud.orchex("diff", "latest").stdout
    assert json.loads(cloud.orchex("status", "--json").stdout)["status"] == "completed"
    assert not (cloud.laptop / "home").exists()


def test_json_is_the_document_that_the_server_answers(cloud: Cloud) -> None:
    (cloud.laptop / "m.yaml").write_text(runbook())
    told = json.loads(cloud.orchex("exec", "m.yaml", "--no-apply", "--json").stdout)
    url, headers = f"{cloud.url}/v1{told['statusUrl']}", {"Authorization": f"Bearer {cloud.key}"}
    assert told == httpx2.get(url, headers=headers, trust_env=False).json()


def test_ctrl_c_cancels_on_the_real_server(cloud: Cloud, tmp_path: Path) -> None:
    (cloud.laptop / "long.yaml").write_text(runbook(f"touch {tmp_path}/begun; sleep 60"))
    process = cloud.start("exec", "long.yaml")
    read_until(process, "▸ Write it")
    until(tmp_path / "begun")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 5, output


def test_the_command_follows_through_a_kill_of_the_api(cloud: Cloud, tmp_path: Path) -> None:
    (cloud.laptop / "slow.yaml").write_text(runbook(f"touch {tmp_path}/begun; sleep 2; echo hello > greeting.txt"))
    process = cloud.start("exec", "slow.yaml")
    until(tmp_path / "begun")
    cloud.kill_api()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert output.count("✓ Write it") == 1


def test_a_plan_is_approved_from_afar(cloud: Cloud) -> None:
    (cloud.laptop / "m.yaml").write_text(runbook())
    execution = cloud.orchex("exec", "m.yaml", "--approve-plan", "--no-apply", "--detach").stdout.strip()
    with cloud.client() as client:
        for event in client.executions.events(execution):
            if event.type == "execution.awaiting_approval":
                break
    assert cloud.orchex("approve", execution).returncode == 0
    assert "completed" in cloud.orchex("status", execution, "--watch").stdout


@pytest.mark.parametrize(("more", "code"), [({"ORCHEX_API_KEY": "orchex_sk_wrong"}, 3), ({"ORCHEX_API_KEY": ""}, 3)])
def test_a_wrong_key_exits_with_3(cloud: Cloud, more: dict[str, str], code: int) -> None:
    assert cloud.orchex("list", **more).returncode == code
