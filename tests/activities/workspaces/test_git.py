import os
from pathlib import Path

import pytest

from activities.workspaces import git as git_module
from activities.workspaces.git import ObjectMissing, failure, git_binary, require_version, scrubbed_environment
from orchex.domain.errors import StackError, StorageError


def test_a_git_that_is_too_old_is_named_with_its_version() -> None:
    with pytest.raises(StackError, match=r"2\.38 or newer is needed, found: git version 2\.37\.7"):
        require_version("git version 2.37.7")
    require_version("git version 2.38.0")
    require_version("git version 3.0.0.rc1 (Apple Git-200)")


def test_a_machine_without_git_is_told_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    git_binary.cache_clear()
    try:
        with pytest.raises(StackError, match="git was not found") as caught:
            git_binary()
        assert "Install git" in caught.value.hint
    finally:
        git_binary.cache_clear()


def test_nothing_of_the_callers_git_environment_reaches_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/elsewhere/index")
    monkeypatch.setenv("GIT_EXEC_PATH", "/elsewhere")
    environment = scrubbed_environment()
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_EXEC_PATH"} & set(environment)
    assert environment["GIT_CONFIG_GLOBAL"] == os.devnull


def test_a_full_disk_and_a_pruned_object_are_told_apart_from_other_failures() -> None:
    full = failure(["add"], 128, b"error: unable to write file: No space left on device\n")
    assert isinstance(full, StorageError)
    assert "no space left on device" in full.message
    pruned = failure(["read-tree"], 128, b"error: unable to read sha1 file of a (b)\n")
    assert isinstance(pruned, ObjectMissing)
    assert type(failure(["add"], 128, b"fatal: other\n")) is git_module.GitFailed
