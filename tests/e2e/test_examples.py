"""Every manifest that ships runs on its sample project, through the command, with the outcome it promises."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chaos.harness import Lab, files_of, git

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MANIFESTS = Path(__file__).parents[2] / "manifests"
NAMES = sorted(path.stem for path in MANIFESTS.glob("*.yaml"))


def _make_test(project: Path) -> bool:
    return subprocess.run(["make", "-s", "test"], cwd=project, capture_output=True, check=False).returncode == 0


def test_there_are_at_least_five() -> None:
    assert len(NAMES) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_an_example_mends_its_sample(lab: Lab, name: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(MANIFESTS / "samples" / name, project, ignore=shutil.ignore_patterns("__pycache__", "build"))
    (project / ".gitignore").write_text("__pycache__/\nbuild/\n")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "as it was")
    repository = _repository(project)
    if name != "rename-and-tidy":
        assert not _make_test(project)
    outcome = lab.run((MANIFESTS / f"{name}.yaml").read_text(), project)
    assert outcome.code == 0, outcome.said
    assert _repository(project) == repository
    if name == "setup":
        subprocess.run(["make", "-s", "catalog"], cwd=project, capture_output=True, check=True)
    assert _make_test(project)


def _repository(project: Path) -> dict[str, bytes]:
    """The user's own ``.git``, byte for byte, but for git's cache of what files looked like."""
    return {name: data for name, data in files_of(project / ".git").items() if name != "index"}
