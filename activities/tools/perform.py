"""One call that reads or edits, carried out on the staged files of a turn."""

from dataclasses import dataclass

from activities.edits.editset import EditSet
from activities.edits.ladder import Rung
from activities.edits.patch import apply_patch
from activities.edits.paths import split
from activities.edits.replace import insert, str_replace
from activities.edits.text import Text
from activities.edits.unified import parse_diff
from activities.tools import definitions as tool
from activities.tools.reading import list_files, search, view

EDITING = (tool.Create, tool.StrReplace, tool.Insert, tool.Delete, tool.Rename, tool.ApplyPatch)


@dataclass(frozen=True)
class Done:
    """What to answer, which paths the call touched, and the lowest rung it needed."""

    answer: str
    paths: tuple[str, ...] = ()
    rung: Rung | None = None


def perform_on(edits: EditSet, given: tool.ToolInput) -> Done:
    """Raises EditRefused when the call cannot be carried out; what it staged is then not to be written."""
    match given:
        case tool.View():
            return Done(view(edits, given))
        case tool.List():
            return Done(list_files(edits, given))
        case tool.Search():
            return Done(search(edits, given))
        case tool.Create():
            return _create(edits, given)
        case tool.StrReplace():
            return _str_replace(edits, given)
        case tool.Insert():
            text = Text.decode(edits.demand(given.path).data)
            edits.put(given.path, insert(text, given.insert_line, given.insert_text).encode())
            return Done(f"{given.path}: inserted after line {given.insert_line}", _plain(given.path))
        case tool.Delete():
            edits.remove(given.path)
            return Done(f"{given.path}: deleted", _plain(given.path))
        case tool.Rename():
            edits.rename(given.path, given.new_path)
            return Done(f"{given.path}: renamed to {given.new_path}", _plain(given.path, given.new_path))
        case tool.ApplyPatch():
            return _apply_patch(edits, given)
    raise TypeError(f"no tool takes {type(given).__name__}")


def _create(edits: EditSet, call: tool.Create) -> Done:
    existing = edits.read(call.path)
    text = Text.decode(existing.data).rewritten(call.file_text) if existing else Text(call.file_text)
    text.demand_writable(text.content)
    edits.put(call.path, text.encode())
    verb = "created" if existing is None else "rewritten"
    return Done(f"{call.path}: {verb}, {len(text.lines)} lines", _plain(call.path))


def _str_replace(edits: EditSet, call: tool.StrReplace) -> Done:
    replaced = str_replace(Text.decode(edits.demand(call.path).data), call.old_str, call.new_str)
    edits.put(call.path, replaced.text.encode())
    return Done(f"{call.path}: replaced at line {replaced.line}{_how(replaced.rung)}", _plain(call.path), replaced.rung)


def _apply_patch(edits: EditSet, call: tool.ApplyPatch) -> Done:
    rung = apply_patch(edits, call.patch)
    paths = tuple(dict.fromkeys(path for patch in parse_diff(call.patch) for path in patch.paths))
    return Done(f"patched {', '.join(paths)}{_how(rung)}", _plain(*paths), rung)


def _how(rung: Rung) -> str:
    return "" if rung is Rung.EXACT else f" (matched but for {rung.value})"


def _plain(*paths: str) -> tuple[str, ...]:
    return tuple("/".join(split(path)) for path in paths)
