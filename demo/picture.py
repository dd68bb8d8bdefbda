"""Draws ``docs/quickstart.svg``, the quickstart in a real terminal: ``python -m demo.picture`` (needs tmux)."""

import io
import os
import re
import shlex
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from demo.run import MANIFEST, ORCHEX, ROOT, copy_sample, stop_stack

COLUMNS, LINES = 92, 40
SECONDS = 60


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="orchex-picture-") as folder:
        os.environ["ORCHEX_HOME"] = f"{folder}/home"
        copy_sample(Path(folder) / "invoice")
        try:
            shown = _run_in_terminal(Path(folder))
        finally:
            stop_stack()
    _draw(shown.replace(f"{folder}/", "~/").rstrip())


def _run_in_terminal(folder: Path) -> str:
    """The screen after the quickstart has run and its diff was shown, with its colours."""
    script = f"""
        orchex() {{ {shlex.quote(str(ORCHEX))} "$@"; }}
        cd {shlex.quote(str(MANIFEST.parent))}
        echo '$ orchex exec quickstart.yaml --project ~/invoice'
        orchex exec quickstart.yaml --project {folder}/invoice
        cd {folder}/invoice
        echo; echo '$ make test'; make -s test 2>&1 | tail -n 3
        echo; echo '$ git status --short'; git -c color.status=always status --short
        touch {folder}/done; sleep {SECONDS}
    """
    tmux = ["tmux", "-L", folder.name]
    subprocess.run([*tmux, "new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), "bash", "-c", script], check=True)
    try:
        _wait_for(folder / "done")
        capture = [*tmux, "capture-pane", "-e", "-p"]
        return subprocess.run(capture, capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def _wait_for(path: Path) -> None:
    for _ in range(SECONDS * 10):
        if path.exists():
            return
        time.sleep(0.1)
    raise SystemExit("the quickstart did not finish")


def _draw(shown: str) -> None:
    """As SVG, with the reader's own monospaced font: a picture fetches nothing."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(shown))
    drawn = re.sub(r"@font-face\s*{[^}]*}", "", console.export_svg(title="orchex"))
    drawn = drawn.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace")
    (ROOT / "docs" / "quickstart.svg").write_text(drawn)


if __name__ == "__main__":
    main()
