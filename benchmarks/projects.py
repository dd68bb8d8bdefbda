"""Projects to work on, and runbooks to carry out on them."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICKSTART = ROOT / "manifests" / "quickstart.yaml"
_SAMPLE = ROOT / "manifests" / "samples" / "quickstart"


def small(folder: Path) -> Path:
    """A git project of twenty little files."""
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"module_{number:02d}.py").write_text(f"VALUE = {number}\n")
    return _committed(folder)


def sample(folder: Path) -> Path:
    """A copy of the project that the quickstart mends."""
    shutil.copytree(_SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return _committed(folder)


def large(folder: Path, *, files: int, dependency_bytes: int) -> Path:
    """A git project of ``files`` files, and an ignored ``node_modules`` of that size in files of 64 KiB."""
    for number in range(files):
        path = folder / "src" / f"{number // 100:03d}" / f"{number:05d}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n" * 20)
    (folder / ".gitignore").write_text("node_modules/\n")
    content = bytes(range(256)) * 256
    for number in range(dependency_bytes // len(content)):
        path = folder / "node_modules" / f"package_{number // 20:04d}" / f"{number:05d}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return _committed(folder)


def runbook(steps: int, *, text: str, command: str = "true") -> str:
    """A plan whose steps each write one file, of one line that holds ``text``, and run one command."""
    return "\n".join(
        f"{number}. Step {number}\n\n"
        f"   ```text path=steps/{number:03d}.txt\n   {text} {number}\n   ```\n\n"
        f"   ```sh\n   {command}\n   ```\n"
        for number in range(1, steps + 1)
    )


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


def _committed(folder: Path) -> Path:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "You")
    git(folder, "config", "user.email", "you@example.com")
    git(folder, "config", "gc.auto", "0")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "as it was")
    return folder
