import os
import shutil
import subprocess
from pathlib import Path

import pytest

from activities.commands.namespaces import probe


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (util-linux) is not installed")
def test_the_probe_finds_overlays_where_unshare_and_mount_can_make_them(tmp_path: Path) -> None:
    for name in ("lower", "upper", "work", "target"):
        (tmp_path / name).mkdir()
    root = os.geteuid() == 0
    options = "lowerdir=lower,upperdir=upper,workdir=work" + ("" if root else ",userxattr")
    mount = f"mount -t overlay overlay -o {options} target"
    unshare = ["unshare", "-m"] if root else ["unshare", "-Urm"]
    done = subprocess.run([*unshare, "sh", "-c", mount], cwd=tmp_path, capture_output=True, check=False)
    expected = "none" if done.returncode else "root" if root else "user"
    assert probe(tmp_path).level == expected, (probe(tmp_path).reason, done.stderr)


def test_the_probe_tries_a_file_system_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe(tmp_path)
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", "/no/such/python")
    assert probe(tmp_path / "other") == found


def test_the_probe_says_why_there_is_no_support() -> None:
    support = probe(Path("/proc"))
    assert support.level == "none"
    assert "/proc" in support.reason
    assert "seccomp" in support.reason
