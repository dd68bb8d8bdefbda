"""``setup``: write the MCP server into the configuration of an assistant."""

import difflib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from orchex.cli import editors, options
from orchex.cli.editors import SERVER, Editor, Scope
from orchex.cli.jsonc import Document, JsoncError
from orchex.cli.text import clean, paint, put
from orchex.domain.errors import InvalidInput, StorageError

_OURS = ("type", "command", "args")
_REMOTE = ("url", "serverUrl")
_WIDEST = 160
_WRITE_BITS = 0o222


@dataclass(frozen=True)
class Change:
    editor: Editor
    file: Path
    before: str
    after: str


def setup(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="EDITOR", help="claude-code, cursor, vscode, windsurf; those found by default."),
    ] = None,
    scope: Annotated[Scope, typer.Option(help="For you everywhere, or in the files of a project.")] = "user",
    project: options.Project = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the entry out again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
) -> None:
    """Write the MCP server into the configuration of your assistant."""
    from orchex.cli.execute import project_folder

    folder = project_folder(project) if scope == "project" else Path()
    changes = [_change(editor, editor.file(scope, folder), scope, remove) for editor in editors.chosen(names or [])]
    for change in changes:
        _demand_writable(change)
    for change in changes:
        if change.before == change.after:
            put(f"{change.editor.title}: nothing to do in {change.file}")
            continue
        put("\n".join(_shown(change)))
        if not (yes or _agreed(change)):
            put(f"{change.editor.title}: left as it is")
            continue
        backup = write(change.file, change.after)
        put(f"{change.editor.title}: wrote {change.file}" + (f"; as it was: {backup}" if backup else ""))
    if scope == "project" and not remove and shutil.which(editors.COMMAND) is None:
        put("The entry names `orchex`, which is not on your PATH: `uv tool install` or `pipx install` puts it there.")
    if any(change.before != change.after for change in changes):
        put("Restart the editor, or reload its MCP servers, to have it notice.")


def _change(editor: Editor, file: Path, scope: Scope, remove: bool) -> Change:
    """Raises :class:`InvalidInput` for a file that is broken, with the place, and leaves it as it is."""
    text = read(file)
    try:
        document = Document(text, str(file))
        if remove:
            return Change(editor, file, text, document.without(editor.section, SERVER))
        present = document.get(editor.section, SERVER)
        wanted = _merged(editor.entry(scope, editors.command(scope)), present)
        after = text if wanted == present else document.merge(editor.section, SERVER, value=wanted)
    except JsoncError as error:
        raise InvalidInput(str(error), hint="Mend the file first; it was left as it is.") from error
    return Change(editor, file, text, after)


def _merged(entry: dict[str, object], present: object) -> dict[str, object]:
    """The entry, with what a person added to the one that is there: variables, a time-out, a switch."""
    if not isinstance(present, dict) or any(name in present for name in _REMOTE):
        return entry
    ours = {name: value for name, value in entry.items() if name in _OURS or name not in present}
    return {**{name: value for name, value in present.items() if name not in _OURS or name in entry}, **ours}


def _demand_writable(change: Change) -> None:
    """Raises :class:`InvalidInput` for a file that somebody protects: replacing it would go around that."""
    if change.before != change.after and change.file.exists() and not change.file.stat().st_mode & _WRITE_BITS:
        raise InvalidInput(
            f"{change.file} is read-only, and was left as it is", hint="Make it writable first: chmod u+w."
        )


def _shown(change: Change) -> Iterator[str]:
    """The change as a diff. Long lines are cut: they are others' and may hold anything."""
    lines = difflib.unified_diff(
        change.before.splitlines(), change.after.splitlines(), str(change.file), str(change.file), n=1, lineterm=""
    )
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        text = clean(line if len(line) <= _WIDEST else line[:_WIDEST] + "…")
        yield paint(text, styles[text[0]], sys.stdout) if text[:1] in styles else text


def _agreed(change: Change) -> bool:
    """Raises :class:`InvalidInput` where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise InvalidInput("nothing was written: there is nobody to ask", hint="With --yes it is written.")
    return typer.confirm(f"Write this to {change.file}?", default=True)


def read(file: Path) -> str:
    """The text of the file, with its line ends and byte order mark; nothing when there is none."""
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not UTF-8 text (byte {error.start})", hint="It was left as it is.") from error
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error


def write(file: Path, text: str) -> Path | None:
    """Replace the file at once, its mode kept and a link followed. Where it was is told when there was one before."""
    target = file.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        backup = _backup(target) if target.exists() else None
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        temporary.touch(mode=0o600)
        temporary.write_bytes(text.encode())
        if backup:
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}", hint="It was left as it is.") from error
    return backup


def _backup(target: Path) -> Path:
    moment = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    backup = target.with_name(f"{target.name}.{moment}.bak")
    backup.touch(mode=0o600)
    backup.write_bytes(target.read_bytes())
    return backup
