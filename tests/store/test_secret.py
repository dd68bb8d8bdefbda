"""The server's secret: made once, kept to this user, and different for each purpose."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchex.domain.errors import StorageError
from orchex.store.secret import FILE, Secret, load_secret


def test_a_home_gets_a_secret_that_only_its_user_can_read(tmp_path: Path) -> None:
    first = load_secret(None, tmp_path / "home")
    path = tmp_path / "home" / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_secret(None, tmp_path / "home").digest("key") == first.digest("key")
    assert [entry.name for entry in path.parent.iterdir()] == [FILE]


def test_processes_that_begin_at_once_share_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        digests = {secret.digest("key") for secret in pool.map(lambda _: load_secret(None, tmp_path), range(64))}
    assert len(digests) == 1


def test_a_configured_secret_leaves_no_file(tmp_path: Path) -> None:
    assert load_secret("x" * 40, tmp_path).digest("key") == Secret("x" * 40).digest("key")
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="secret key"):
        load_secret(None, tmp_path / "file")


def test_what_is_sealed_comes_back_and_does_not_show() -> None:
    secret = Secret("x" * 40)
    sealed = secret.seal("orchex_sk_clear")
    assert "orchex_sk_clear" not in sealed
    assert secret.seal("orchex_sk_clear") != sealed
    assert secret.unseal(sealed) == "orchex_sk_clear"


def test_another_secret_neither_opens_nor_matches() -> None:
    sealed = Secret("x" * 40).seal("text")
    with pytest.raises(StorageError, match="another secret key"):
        Secret("y" * 40).unseal(sealed)
    assert Secret("x" * 40).digest("key") != Secret("y" * 40).digest("key")
