"""Where assistants keep their MCP servers, and what an entry of theirs looks like.

Places and shapes as their makers document them:
https://code.claude.com/docs/en/mcp, https://cursor.com/docs/context/mcp,
https://code.visualstudio.com/docs/copilot/reference/mcp-configuration, https://docs.windsurf.com/windsurf/cascade/mcp
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchex.domain.errors import InvalidInput
from orchex.stack.launch import orchex_argv

Scope = Literal["user", "project"]
SERVER = "orchex"
_WORKSPACE = {"ORCHEX_PROJECT": "${workspaceFolder}"}
"""The editor puts the folder that is open there; the server itself may be started anywhere."""


@dataclass(frozen=True)
class Editor:
    """``user`` and ``project`` are files, below the home and below a project; ``section`` holds the servers by name.

    ``signs`` are what is below the home of somebody who uses it. ``env`` is for entries in files of that scope.
    """

    name: str
    title: str
    section: str
    user: str
    signs: tuple[str, ...]
    project: str | None = None
    typed: bool = True
    env: Mapping[Scope, Mapping[str, str]] = field(default_factory=dict)

    def file(self, scope: Scope, project: Path) -> Path:
        """Raises :class:`InvalidInput` for a scope that it does not have."""
        if scope == "user":
            return Path.home() / self.user
        if self.project is None:
            raise InvalidInput(f"{self.title} has no configuration of a project", hint="Leave out `--scope project`.")
        return project / self.project

    def is_used(self) -> bool:
        return any((Path.home() / sign).exists() for sign in self.signs)

    def entry(self, scope: Scope, command: Sequence[str]) -> dict[str, Any]:
        kind = {"type": "stdio"} if self.typed else {}
        env = {"env": dict(self.env[scope])} if scope in self.env else {}
        return {**kind, "command": command[0], "args": [*command[1:], "mcp"], **env}


def _code_folder() -> str:
    return "Library/Application Support/Code" if sys.platform == "darwin" else ".config/Code"


EDITORS = {
    editor.name: editor
    for editor in (
        Editor("claude-code", "Claude Code", "mcpServers", ".claude.json", (".claude.json", ".claude"), ".mcp.json"),
        Editor(
            "cursor",
            "Cursor",
            "mcpServers",
            ".cursor/mcp.json",
            (".cursor",),
            ".cursor/mcp.json",
            env={"project": _WORKSPACE},
        ),
        Editor(
            "vscode",
            "VS Code",
            "servers",
            f"{_code_folder()}/User/mcp.json",
            (_code_folder(),),
            ".vscode/mcp.json",
            env={"user": _WORKSPACE, "project": _WORKSPACE},
        ),
        Editor(
            "windsurf",
            "Windsurf",
            "mcpServers",
            ".codeium/windsurf/mcp_config.json",
            (".codeium/windsurf",),
            typed=False,
        ),
    )
}


def chosen(names: Sequence[str]) -> list[Editor]:
    """The named ones; those that are used here when none is named. Raises :class:`InvalidInput`."""
    unknown = [name for name in names if name not in EDITORS]
    if unknown:
        raise InvalidInput(f"there is no editor {unknown[0]!r}", hint=f"There are: {', '.join(EDITORS)}.")
    found = [EDITORS[name] for name in dict.fromkeys(names)] or [one for one in EDITORS.values() if one.is_used()]
    if not found:
        raise InvalidInput("none of the editors seems to be used here", hint=f"Name one: {', '.join(EDITORS)}.")
    return found


def command() -> tuple[str, ...]:
    """A command line of this very Orchex that works from any folder: the installed command by its absolute path."""
    script = Path(sys.executable).parent / "orchex"
    if script.is_file() and os.access(script, os.X_OK):
        return (str(script),)
    return orchex_argv()
