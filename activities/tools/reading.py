"""view, list and search: what a turn may see, sized for a conversation. What is left out is said."""

import stat
from itertools import islice

import re2

from activities.commands.redaction import redact, without_key_lines
from activities.edits.editset import EditSet
from activities.edits.paths import split
from activities.edits.protection import is_git
from activities.edits.text import Text
from activities.edits.walk import walk
from activities.tools.definitions import List, Search, View
from orchex.domain.errors import EditRefused
from orchex.domain.printing import legible, printable

MAX_LINES = 2000
MAX_CHARACTERS = 20_000
"""Less than any answer may have (``conversation.answers``): what is left out is then left out by whole lines."""
MAX_LINE = 2000
MAX_ENTRIES = 1000
MAX_MATCHES = 200
_MAX_SEARCHED_BYTES = 1024 * 1024


def view(edits: EditSet, call: View) -> str:
    """Numbered lines of a file, or the listing of a folder."""
    status = edits.tree.status(_place(call.path))
    if status is not None and stat.S_ISDIR(status.st_mode):
        return list_files(edits, List(path=call.path))
    data = edits.demand(call.path).data
    if b"\0" in data and Text.decode(data).encoding == "utf-8":
        raise EditRefused(f"{call.path}: a binary file of {len(data)} bytes")
    lines = without_key_lines(Text.decode(data).lines.texts)
    if not lines:
        return "(the file is empty)"
    first, last = _range(call, len(lines))
    shown: list[str] = []
    size = 0
    for number in range(first, last + 1):
        line = f"{number:6}\t{_cut(lines[number - 1])}"
        size += len(line) + 1
        if len(shown) == MAX_LINES or size > MAX_CHARACTERS:
            rest = f"lines {number}-{last} left out: view them with view_range [{number}, {last}]"
            return "\n".join([*shown, f"… {rest}"])
        shown.append(line)
    if last < len(lines):
        shown.append(f"… the file goes on to line {len(lines)}")
    return "\n".join(shown)


def list_files(edits: EditSet, call: List) -> str:
    """The files beneath a folder, one a line; links with their target."""
    folder = _place(call.path)
    status = edits.tree.status(folder)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise EditRefused(f"{call.path}: a file, not a folder", hint="Use view to read it.")
    names = _paths(edits, folder)
    if not names and status is None:
        raise EditRefused(f"{call.path}: no such folder")
    shown = [printable(name) for name in names[:MAX_ENTRIES]]
    if len(names) > MAX_ENTRIES:
        shown.append(f"… {len(names) - MAX_ENTRIES} more files left out: list a folder beneath {call.path}")
    return "\n".join(shown) or "(no files)"


def search(edits: EditSet, call: Search) -> str:
    """``path:line: text`` for every line that matches, in files up to 1 MB that are text."""
    pattern = _compiled(call)
    folder = _place(call.path)
    names = _paths(edits, folder) or ([call.path] if edits.read(call.path) else [])
    if not names and edits.tree.status(folder) is None:
        raise EditRefused(f"{call.path}: no such file or folder")
    large: list[str] = []
    matches = (match for name in names for match in _matches(edits, name, pattern, large))
    shown = list(islice(matches, MAX_MATCHES + 1)) or [f"no line matches {call.pattern!r}"]
    if len(shown) > MAX_MATCHES:
        shown[MAX_MATCHES:] = [f"… more than {MAX_MATCHES} matches: narrow the pattern or the path"]
    if large:
        more = f" and {len(large) - 1} more" if len(large) > 1 else ""
        shown.append(f"… not searched, being over 1 MB: {printable(large[0])}{more}")
    return "\n".join(shown)


def _place(path: str) -> tuple[str, ...]:
    """Where a path leads; git's own files tell where Orchex keeps what, and nothing of the project."""
    parts = split(path)
    if any(map(is_git, parts)):
        raise EditRefused(f"{path}: git's own files are not shown", hint="Run git log, git status or git diff.")
    return parts


def _range(call: View, count: int) -> tuple[int, int]:
    first, last = call.view_range or (1, count)
    last = count if last == -1 else min(last, count)
    if not 1 <= first <= last:
        raise EditRefused(f"{call.path}: there are no lines {call.view_range}: the file has {count} lines")
    return first, last


def _paths(edits: EditSet, folder: tuple[str, ...]) -> list[str]:
    """Files beneath a folder as they would be after the edits so far."""
    names = {name for name, _ in walk(edits.tree, folder)}
    prefix = "/".join((*folder, "")) if folder else ""
    for name, file in edits.staged():
        if file is None:
            names.discard(name)
        elif name.startswith(prefix):
            names.add(name)
    return sorted(names)


def _matches(edits: EditSet, name: str, pattern: "re2._Regexp[str]", large: list[str]) -> list[str]:
    """Those in one file; its name goes into ``large`` when it is not looked at for its size."""
    try:
        file = edits.read(name)
    except EditRefused:
        return []
    if file is None or b"\0" in file.data[:8000]:
        return []
    if len(file.data) > _MAX_SEARCHED_BYTES:
        large.append(name)
        return []
    lines = enumerate(without_key_lines(Text.decode(file.data).lines.texts), start=1)
    return [f"{printable(name)}:{number}: {_cut(line)}" for number, line in lines if pattern.search(legible(line))]


def _compiled(call: Search) -> "re2._Regexp[str]":
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not call.ignore_case
    try:
        return re2.compile(call.pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        reason = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise EditRefused(f"{call.pattern!r} is no RE2 pattern: {reason}") from None


def _cut(line: str) -> str:
    line = legible(line)
    if len(line) <= MAX_LINE:
        return line
    line = redact(line)  # before it is cut: of a key that is cut in two, the first half would not be known for one
    return f"{line[:MAX_LINE]}… ({len(line) - MAX_LINE} characters left out)" if len(line) > MAX_LINE else line
