"""What is tried out before a command runs leaves nothing behind, however it ends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from activities.commands import namespaces
from activities.commands.sandbox import levels
from activities.dependencies import mount_plan, prepare
from activities.workspaces.opening import close, open_workspace
from activities.workspaces.project import open_project


@contextmanager
def _killed(prefix: str, dir: Path) -> Iterator[str]:
    """A temporary folder whose maker dies before it is removed."""
    yield tempfile.mkdtemp(prefix=prefix, dir=dir)


def test_a_probe_that_is_killed_leaves_nothing_once_the_workspace_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "_known", {})
    monkeypatch.setattr(levels, "_known", {})
    monkeypatch.setattr(tempfile, "TemporaryDirectory", _killed)
    (tmp_path / "project").mkdir()
    workspace = open_workspace(open_project(tmp_path / "home", tmp_path / "project"), "exec_1", "api")
    prepare(workspace, has_setup=True)
    mount_plan(workspace)
    assert list(tmp_path.rglob("orchex-probe-*"))
    close(workspace)
    assert not list(tmp_path.rglob("orchex-*"))
