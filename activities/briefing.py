"""What a model is given to read before anything is asked of it: what the project is, and files of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from activities.commands.environment import secret_values
from activities.commands.redaction import redact
from activities.context import gather, project_brief, render
from activities.edits.paths import WorkTree
from orchex.domain.compiled import CompiledStream


class Briefing(NamedTuple):
    """``text`` opens every conversation of the stream; ``notes`` say what was left out."""

    text: str
    notes: tuple[str, ...]


def context_of(root: Path, stream: CompiledStream, environ: Mapping[str, str], cache: Path | None = None) -> Briefing:
    """The context of a stream, without secrets. ``cache`` is a folder for what parsers tell."""
    secrets = secret_values(environ)

    def without_secrets(text: str) -> str:
        return redact(text, secrets)

    pack = gather(root, stream.files, stream.depth, cache=cache)
    brief = project_brief(root, redact=without_secrets)
    files = render(pack, WorkTree(root), redact=without_secrets)
    return Briefing(f"{brief}\n{files}", pack.notes)
