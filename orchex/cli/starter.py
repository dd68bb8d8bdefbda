"""The first manifest of a project: small, harmless, and it runs as it is."""

import json
import re
from pathlib import Path

from activities.commands.resolve import ResolvedCommand, find_test_command
from orchex.domain.errors import InvalidInput, StorageError
from orchex.manifest import schema_text

MANIFEST = "orchex.yaml"
SCHEMA = "orchex.schema.json"

_TEMPLATE = """\
# yaml-language-server: $schema={schema}
#
# A manifest holds streams of work. Each runs in a private copy of the project and lands whole or not at all.
#   check it   orchex validate {manifest}
#   run it     orchex exec {manifest}
#   undo it    orchex undo latest

name: {name}
version: "1.0.0"
description: A first manifest for this project.

# No model is asked: the fenced blocks of a plan are carried out as they stand.
model: runbook

streams:
  hello:
    description: Write a note, and see that the project still works.
    plan: |
      1. Write the note.

         ```markdown path=ORCHEX.md
         # Orchex was here

         This file was written by the stream `hello` of {manifest}.
         ```

      2. See that it is there.

         ```sh
         test -s ORCHEX.md
         ```
{commands}"""

_TESTED = """\
    commands:
      - command: test  # {origin}: {line}
"""
_UNTESTED = """\
    # No test command was found in this project. Name yours, and a stream that breaks it does not land:
    # commands:
    #   - command: ./run-tests.sh
"""


def write(folder: Path) -> list[Path]:
    """Write the manifest and the schema its first line points editors to; nothing that exists is touched.

    Raises :class:`InvalidInput` when there is a manifest already, :class:`StorageError` when it cannot be written.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise InvalidInput(f"{folder} is not a folder", hint="Create it first, or name another.")
    text = manifest_text(root)
    written = [_create(folder / MANIFEST, text)]
    if not (folder / SCHEMA).exists():
        written.append(_create(folder / SCHEMA, schema_text()))
    return written


def manifest_text(root: Path) -> str:
    return _TEMPLATE.format(
        schema=SCHEMA, manifest=MANIFEST, name=json.dumps(_name(root)), commands=_commands(find_test_command(root))
    )


def _commands(found: ResolvedCommand | None) -> str:
    if found is None:
        return _UNTESTED
    line = " ".join(found.argv)
    return _TESTED.format(origin=found.origin, line=re.sub(r"[^\x20-\x7e]", "?", line)[:80])


def _name(root: Path) -> str:
    """The folder's name, as far as a manifest's name may hold it."""
    return re.sub(r"[^\w .-]", "-", root.name)[:90].strip() or "project"


def _create(path: Path, text: str) -> Path:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InvalidInput(
            f"{path} is there already, and is left as it is", hint=f"Run it: orchex exec {path}."
        ) from None
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}", hint="Name a folder you can write."
        ) from error
    return path
