"""The folders that a confined command may fill and that are forgotten when it has ended."""

import subprocess
from pathlib import Path


class Scratch:
    """``path`` holds ``tmp``, ``home`` and ``discard`` once it is made. Blocks: use it in a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def own(self) -> tuple[str, ...]:
        """The folders that the command itself writes to."""
        return str(self.path / "tmp"), str(self.path / "home")

    def make(self) -> None:
        self.remove()
        for name in ("tmp", "home", "discard"):
            (self.path / name).mkdir(parents=True, mode=0o700)

    def remove(self) -> None:
        """By rm(1): a command may have left folders nested deeper than Python recurses, or closed to their owner."""
        if not self.path.exists():
            return
        remove = ["rm", "-rf", "--", str(self.path)]
        if subprocess.run(remove, capture_output=True, check=False).returncode != 0:
            subprocess.run(["chmod", "-R", "u+rwx", "--", str(self.path)], capture_output=True, check=False)
            subprocess.run(remove, capture_output=True, check=False)
