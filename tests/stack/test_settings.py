import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchex.domain.errors import InvalidInput
from orchex.settings import load_settings

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become a user with no home")


def test_the_home_follows_xdg_and_ignores_a_relative_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert load_settings().home == Path("/state/orchex")
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert load_settings().home == Path("/home/ada/.local/state/orchex")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert load_settings().home == Path("/home/ada/.local/state/orchex")


def test_orchex_home_is_expanded_and_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("ORCHEX_HOME", "~/runs")
    assert load_settings().home == Path("/home/ada/runs")
    monkeypatch.setenv("ORCHEX_HOME", "here")
    assert load_settings().home == tmp_path / "here"


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHEX_IDLE_SECONDS", "")
    assert load_settings().idle_seconds == 900


def test_a_mistake_names_the_variable_and_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHEX_IDLE_SECONDS", "soon")
    monkeypatch.setenv("ORCHEX_HOME", "~nobody-of-that-name/x")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert "ORCHEX_IDLE_SECONDS: Input should be a valid number" in caught.value.message
    assert "ORCHEX_HOME: " in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_the_idle_time_is_at_least_a_second(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ORCHEX_IDLE_SECONDS", value)
    with pytest.raises(InvalidInput, match="ORCHEX_IDLE_SECONDS"):
        load_settings()


def test_a_secret_in_a_setting_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHEX_DATABASE_URL", "postgresql://ada:hunter2@db/orchex")
    monkeypatch.setenv("ORCHEX_IDLE_SECONDS", "hunter2")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"])
def test_temporals_own_configuration_means_an_external_server(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert not load_settings().external_temporal
    monkeypatch.setenv(name, "something")
    assert load_settings().external_temporal


@needs_root
def test_no_home_at_all_is_a_clear_error() -> None:
    program = (
        "import os; from orchex.settings import load_settings; os.setuid(54321)\n"
        "from orchex.domain.errors import InvalidInput\n"
        "try: load_settings()\n"
        "except InvalidInput as error: print(error)\n"
    )
    environment = {"PATH": os.environ["PATH"]}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert "HOME is not set" in result.stdout
    assert "Set ORCHEX_HOME" in result.stdout


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "nonsense://host/name",
        "mysql://host/name",
        "sqlite://host",
        "/tmp/x.db",
        "postgresql://host:port/name",
    ],
)
def test_an_address_of_no_database_is_refused_before_it_is_used(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ORCHEX_DATABASE_URL", url)
    with pytest.raises(InvalidInput, match="ORCHEX_DATABASE_URL") as refused:
        load_settings()
    assert "ORCHEX_DATABASE_URL: must be the address of a database: postgresql://USER@HOST" in refused.value.message


def test_encryption_keys_are_32_bytes_each_and_a_mistake_does_not_repeat_them(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    monkeypatch.setenv("ORCHEX_ENCRYPTION_KEY", f"{first}, {second}")
    assert load_settings().encryption_keys == (base64.b64decode(first), base64.b64decode(second))
    for wrong in (first[:-8], f"{first},{second[1:]}", f"{first}\nmore", ",", "ü" * 44):
        monkeypatch.setenv("ORCHEX_ENCRYPTION_KEY", wrong)
        with pytest.raises(InvalidInput, match="openssl rand -base64 32") as caught:
            load_settings()
        assert first[:12] not in str(caught.value)
