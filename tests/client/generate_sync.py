"""Write ``orchex/client/sync`` from ``orchex/client/aio``: ``python -m tests.client.generate_sync``.

What differs between the two is words: the source says them the asynchronous way, and this table the other way.
"""

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[2] / "orchex" / "client"
SOURCE, TARGET = CLIENT / "aio", CLIENT / "sync"

_FIRST_PARTY = ("--config", "lint.isort.known-first-party = ['orchex']")
_WORDS = [
    (r"asyncio\.sleep", "time.sleep"),
    (r"import asyncio", "import time"),
    (r"AsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync([A-Z]\w+)", r"\1"),
    (r"\b__a(enter|exit|iter|next)__", r"__\1__"),
    (r"\baclosing\b", "closing"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\baclose\(", "close("),
    (r"\baread\(", "read("),
    (r"\baiter_bytes\(", "iter_bytes("),
    (r"orchex\.client\.aio\b", "orchex.client.sync"),
    (r"The asynchronous client, by hand\.", "The synchronous client, generated."),
]


def generated() -> dict[str, str]:
    """The text of each module of ``sync``, by its file name."""
    return {path.name: _translate(path) for path in sorted(SOURCE.glob("*.py"))}


def _translate(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text)
    header = (
        f"# Generated from orchex/client/aio/{path.name} by `python -m tests.client.generate_sync`. Edit that one.\n\n"
    )
    return _formatted(header + text, TARGET / path.name)


def _formatted(text: str, path: Path) -> str:
    """As ruff would have it: the order of imports and the breaks of lines depend on the words."""
    for arguments in (
        ["check", "--select", "I,C416,UP028", "--fix-only", "--unsafe-fixes", "--quiet", *_FIRST_PARTY],
        ["format", "--quiet"],
    ):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    modules = generated()
    for path in TARGET.glob("*.py"):
        if path.name not in modules:
            path.unlink()
    for name, text in modules.items():
        (TARGET / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
