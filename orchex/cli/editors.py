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
COMMAND = "orchex"
_WORKSPACE = {"ORCHEX_PROJECT": "${workspaceFolder}"}
"""The editor puts the folder that is open there; the server itself may be started anywhere."""


@dataclass(frozen=True)
class Editor:
    """``user`` is a person's file, ``project`` the one below a project; ``section`` holds the servers by name.

    ``signs`` are what somebody has who uses it. ``env`` is for entries in files of that scope.
    """

    name: str
    title: str
    section: str
    user: Path
    signs: tuple[Path, ...]
    project: str | None = None
    typed: bool = True
    env: Mapping[Scope, Mapping[str, str]] = field(default_factory=dict)

    def file(self, scope: Scope, project: Path) -> Path:
        """Raises :class:`InvalidInput` for a scope that it does not have."""
        if scope == "user":
            return self.user
        if self.project is None:
            raise InvalidInput(f"{self.title} has no configuration of a project", hint="Leave out `--scope project`.")
        return project / self.project

    def is_used(self) -> bool:
        return any(sign.exists() for sign in self.signs)

    def entry(self, scope: Scope, command: Sequence[str]) -> dict[str, Any]:
        kind = {"type": "stdio"} if self.typed else {}
        env = {"env": dict(self.env[scope])} if scope in self.env else {}
        return {**kind, "command": command[0], "args": [*command[1:], "mcp"], **env}


def known() -> dict[str, Editor]:
    """Every editor by name, with its files where this person has them."""
    home, code = Path.home(), _code_folder()
    claude = _moved("CLAUDE_CONFIG_DIR", home) / ".claude.json"
    windsurf = home / ".codeium/windsurf"
    found = (
        Editor("claude-code", "Claude Code", "mcpServers", claude, (claude, home / ".claude"), ".mcp.json"),
        Editor(
            "cursor",
            "Cursor",
            "mcpServers",
            home / ".cursor/mcp.json",
            (home / ".cursor",),
            ".cursor/mcp.json",
            env={"project": _WORKSPACE},
        ),
        Editor(
            "vscode",
            "VS Code",
            "servers",
            code / "User/mcp.json",
            (code,),
            ".vscode/mcp.json",
            env={"user": _WORKSPACE, "project": _WORKSPACE},
        ),
        Editor("windsurf", "Windsurf", "mcpServers", windsurf / "mcp_config.json", (windsurf,), typed=False),
    )
    return {editor.name: editor for editor in found}


def _code_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/Code"
    return _moved("XDG_CONFIG_HOME", Path.home() / ".config") / "Code"


def _moved(variable: str, usual: Path) -> Path:
    """The folder that a variable of the editor's own names in place of the usual one."""
    named = Path(os.environ.get(variable, ""))
    return named if named.is_absolute() else usual


def chosen(names: Sequence[str]) -> list[Editor]:
    """The named ones; those that are used here when none is named. Raises :class:`InvalidInput`."""
    editors = known()
    unknown = [name for name in names if name not in editors]
    if unknown:
        raise InvalidInput(f"there is no editor {unknown[0]!r}", hint=f"There are: {', '.join(editors)}.")
    found = [editors[name] for name in dict.fromkeys(names)] or [one for one in editors.values() if one.is_used()]
    if not found:
        raise InvalidInput("none of the editors seems to be used here", hint=f"Name one: {', '.join(editors)}.")
    return found


def command(scope: Scope) -> tuple[str, ...]:
    """A command line that works from any folder: of this very Orchex, the installed command by its absolute path; in a
    file that others share, by its name alone, for theirs is elsewhere.
    """
    if scope == "project":
        return (COMMAND,)
    script = Path(sys.executable).parent / COMMAND
    if script.is_file() and os.access(script, os.X_OK):
        return (str(script),)
    return orchex_argv()
