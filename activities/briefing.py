"""What a model is given to read before anything is asked of it: files of the project, and what the project is."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from activities.commands.environment import secret_values
from activities.commands.redaction import redact
from activities.context import gather
from orchex.domain.compiled import CompiledStream


class Briefing(NamedTuple):
    """``text`` opens every conversation of the stream; ``notes`` say what was left out."""

    text: str
    notes: tuple[str, ...]


def context_of(root: Path, stream: CompiledStream, environ: Mapping[str, str]) -> Briefing:
    """The context of a stream, without secrets."""
    pack = gather(root, stream.files, stream.depth)
    parts = [
        f"<file path={file.path!r}>\n{(root / file.path).read_text(errors='replace')}\n</file>" for file in pack.files
    ]
    return Briefing(redact("\n".join(parts), secret_values(environ)), pack.notes)
