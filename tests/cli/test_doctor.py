import json
import sys
from pathlib import Path

from tests.cli.conftest import Orchex


def test_doctor_finds_what_is_needed_here(alone: Orchex) -> None:
    ended = alone("doctor")
    assert ended.returncode == 0, ended.stdout
    for word in ("Python", "git", "home", "Temporal", "mount namespaces", "store", "stack"):
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
