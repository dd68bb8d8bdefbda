"""The environment of an execution's commands."""

import errno
import os
from pathlib import Path
from typing import TextIO

import pytest

from orchex.domain.errors import StorageFull
from orchex.store.environments import Environments


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(tmp_path)


def test_an_environment_comes_back_as_it_was(environments: Environments) -> None:
    environ = {"PATH": "/bin", "EMPTY": "", "STRAY": "\udcff", "LINES": "a\nb", "TEXT": "schön"}
    environments.keep("exec_1", environ)
    assert environments.get("exec_1") == environ


def test_only_its_owner_can_read_it_whatever_the_umask(environments: Environments, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        environments.keep("exec_1", {"TOKEN": "secret"})
    finally:
        os.umask(before)
    [path] = (tmp_path / "environments").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_of_it_is_left_when_it_is_forgotten(environments: Environments, tmp_path: Path) -> None:
    environments.keep("exec_1", {"TOKEN": "secret"})
    environments.keep("exec_2", {"TOKEN": "other"})
    environments.forget("exec_1")
    environments.forget("exec_1")
    assert [path.read_text() for path in (tmp_path / "environments").iterdir()] == ['{"TOKEN": "other"}']


def test_what_a_full_disk_takes_only_half_of_is_not_left(
    environments: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_environ: object, file: TextIO) -> None:
        file.write("SECRET")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchex.store.environments.json.dump", full)
    with pytest.raises(StorageFull, match="No space left"):
        environments.keep("exec_1", {"TOKEN": "secret"})
    assert list((tmp_path / "environments").iterdir()) == []


def test_an_execution_started_elsewhere_gets_the_worker_s_own(
    environments: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_S_OWN", "yes")
    assert environments.get("exec_elsewhere")["WORKER_S_OWN"] == "yes"


def test_an_environment_kept_again_replaces_the_first(environments: Environments) -> None:
    environments.keep("exec_1", {"LONG": "x" * 1000})
    environments.keep("exec_1", {"SHORT": "y"})
    assert environments.get("exec_1") == {"SHORT": "y"}
