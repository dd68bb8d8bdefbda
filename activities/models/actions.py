"""The actions of a runbook: its fenced blocks, read from CommonMark.

| fence | action |
|---|---|
| any with ``path=NAME`` | write the file; ``path="with spaces"`` is quoted |
| ``diff``, ``patch`` | apply a unified diff |
| ``sh``, ``shell`` | run a command with ``/bin/sh``; several lines stop at the first that fails (``set -e``) |
| ``bash`` | the same with ``bash`` |
| anything else | prose. ``console`` too: a transcript shows what somebody else's terminal printed |

A fence inside a block quote is quoted, not said: prose.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.token import Token

from activities.edits.paths import split
from activities.edits.protection import Protection
from activities.edits.unified import parse_diff
from orchex.domain.errors import EditRefused, PlanInvalid
from orchex.domain.printing import printable

_DIFFS = ("diff", "patch")
_SHELLS = ("sh", "shell", "bash")
_WORD = re.compile(r"""([A-Za-z_][\w-]*)=("[^"]*"|'[^']*'|[^\s"']\S*|)(?=\s|$)|(\S+)""")


@dataclass(frozen=True)
class Action:
    """A fence that does something. ``line`` is its line in the plan, from 1; ``files`` are paths it will touch."""

    line: int
    tool: Literal["create", "apply_patch", "run_command"]
    input: dict[str, Any]
    files: tuple[str, ...] = ()
    command: str | None = None

    @property
    def title(self) -> str:
        if self.command is not None:
            return f"Run {self.command.splitlines()[0]}"
        verb = "Write" if self.tool == "create" else "Patch"
        return f"{verb} {', '.join(self.files)}"


def parse_markdown(text: str) -> list[Token]:
    return MarkdownIt("commonmark").parse(text)


def read_actions(tokens: list[Token]) -> list[Action]:
    """The actions among the tokens, in order. Raises PlanInvalid with the plan's line."""
    actions: list[Action] = []
    quoted = 0
    for token in tokens:
        quoted += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "fence" and not quoted:
            action = _action(token)
            if action:
                actions.append(action)
    return actions


def _action(token: Token) -> Action | None:
    first, end = token.map or (0, 0)
    line = first + 1
    if token.content.count("\n") != end - first - 2:  # else the plan, or the list item, ended before the fence
        raise PlanInvalid(
            f"plan line {line}: the fence is never closed",
            hint=f"End it with {token.markup} on a line of its own, indented as it starts.",
        )
    language, path = _info(token.info, line)
    if path is None and language not in _DIFFS + _SHELLS:
        return None
    try:
        if path is not None:
            return _write(path, token.content, line)
        if language in _DIFFS:
            files = tuple(dict.fromkeys(printable(name) for patch in parse_diff(token.content) for name in patch.paths))
            return Action(line, "apply_patch", {"patch": token.content}, files)
    except EditRefused as error:
        raise PlanInvalid(f"plan line {line}: {error.message}", hint=error.hint) from error
    return _run(language, token.content, line)


def _write(path: str, content: str, line: int) -> Action:
    parts = split(path)
    if not parts or path.endswith("/"):
        raise EditRefused(f"path={path}: names a folder, not a file")
    Protection(trusted=True).check(parts)
    return Action(line, "create", {"path": "/".join(parts), "file_text": content}, ("/".join(parts),))


def _run(language: str, content: str, line: int) -> Action:
    script = content.strip("\n")
    if not script.strip():
        raise PlanInvalid(f"plan line {line}: an empty command", hint="Write the command inside the fence.")
    command = script.strip() if "\n" not in script else f"set -e\n{script}"
    if language == "bash" and re.search(r"\s", script.strip()):
        command = f"bash -ec {shlex.quote(script)}"
    return Action(line, "run_command", {"command": command}, command=script.strip())


def _info(info: str, line: int) -> tuple[str, str | None]:
    """The language (lower case, may be empty) and the path of an info string."""
    language, path, bare = "", None, False
    for index, match in enumerate(_WORD.finditer(unescapeAll(info.strip()))):
        name, value, word = match.groups()
        if word is not None:
            if word.startswith("path="):
                raise PlanInvalid(f"plan line {line}: {word}: the quotes of path= do not match")
            if bare:
                raise PlanInvalid(
                    f"plan line {line}: path={path} ends where {word} begins",
                    hint=f'Quote a path with spaces in it: path="{path} {word}".',
                )
            language = word.lower() if index == 0 else language
            continue
        bare = name == "path" and value[:1] not in ("'", '"')
        if name == "path":
            if path is not None:
                raise PlanInvalid(f"plan line {line}: two path= on one fence", hint="One fence writes one file.")
            path = value[1:-1] if value[:1] in ("'", '"') else value
    return language, path
