import json
import sys
from pathlib import Path

from tests.cli.conftest import Orchex
from tests.fakes.messages_server import serve

KEY = "sk-ant-secret-0123456789"


def test_doctor_finds_what_is_needed_here(alone: Orchex) -> None:
    ended = alone("doctor")
    assert ended.returncode == 0, ended.stdout
    for word in ("Python", "git", "home", "Temporal", "mount namespaces", "store", "stack", "model"):
        assert word in ended.stdout
    assert "✗" not in ended.stdout


def test_doctor_as_json_names_each_check(alone: Orchex) -> None:
    checks = {check["name"]: check for check in json.loads(alone("doctor", "--json").stdout)["checks"]}
    assert checks["Python"]["found"] == ".".join(map(str, sys.version_info[:3]))
    assert {check["outcome"] for check in checks.values()} <= {"ok", "note"}


def test_doctor_says_what_to_do_about_what_is_missing(alone: Orchex, tmp_path: Path) -> None:
    ended = alone("doctor", PATH=str(tmp_path))
    assert ended.returncode == 1
    assert "✗ git" in ended.stdout
    assert "Install git" in ended.stdout


def test_doctor_tells_what_confines_a_model_s_commands(alone: Orchex) -> None:
    found = {check["name"]: check for check in json.loads(alone("doctor", "--json").stdout)["checks"]}["sandbox"]
    level = found["found"].split()[0].rstrip(";")
    assert level in ("bubblewrap+landlock", "bubblewrap", "landlock", "none")
    assert bool(found["cure"]) == (level != "bubblewrap+landlock")


def test_doctor_refuses_a_home_that_others_can_write(alone: Orchex) -> None:
    alone.home.mkdir()
    alone.home.chmod(0o777)
    ended = alone("doctor")
    assert ended.returncode == 1
    assert "chmod go-w" in ended.stdout


def test_doctor_says_when_the_temporal_server_does_not_answer(alone: Orchex) -> None:
    ended = alone("doctor", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert ended.returncode == 1
    assert "✗ Temporal" in ended.stdout
    assert "127.0.0.1:1" in ended.stdout


def test_doctor_names_what_to_set_where_no_model_can_be_reached(alone: Orchex) -> None:
    told = alone("doctor").stdout
    for word in ("model: runbook", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        assert word in told


def test_doctor_tries_the_key_without_showing_or_spending_it(alone: Orchex) -> None:
    with serve([{"text": "never asked"}], keys=[KEY]) as server:
        good = alone("doctor", ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY=KEY)
        bad = alone("doctor", ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY=f"{KEY}x")
    assert (good.returncode, bad.returncode) == (0, 0), "runbooks need no key"
    assert "✓ model" in good.stdout
    assert "! model" in bad.stdout
    assert "ANTHROPIC_API_KEY holds a key that the server does not accept" in bad.stdout
    assert KEY not in good.stdout + good.stderr + bad.stdout + bad.stderr
    assert server.turns == []


def test_doctor_refuses_prices_with_mistakes(alone: Orchex, tmp_path: Path) -> None:
    bad = tmp_path / "prices.yaml"
    bad.write_text("models: dear")
    ended = alone("doctor", ORCHEX_PRICES=str(bad))
    assert ended.returncode == 1
    assert str(bad) in ended.stdout
