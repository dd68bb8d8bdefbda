"""``orchex setup`` writes what assistants read, shows it first, and breaks nothing that is there."""

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from orchex.cli.jsonc import Document
from orchex.stack.launch import orchex_argv
from tests.cli.conftest import Terminal, environment
from tests.conftest import BIN

PLACES = {
    ("claude-code", "user"): (".claude.json", "mcpServers"),
    ("claude-code", "project"): (".mcp.json", "mcpServers"),
    ("cursor", "user"): (".cursor/mcp.json", "mcpServers"),
    ("cursor", "project"): (".cursor/mcp.json", "mcpServers"),
    ("vscode", "user"): (".config/Code/User/mcp.json", "servers"),
    ("vscode", "project"): (".vscode/mcp.json", "servers"),
    ("windsurf", "user"): (".codeium/windsurf/mcp_config.json", "mcpServers"),
}


@pytest.fixture
def person(tmp_path: Path) -> Path:
    """Somebody's home, with nothing in it."""
    home = tmp_path / "person"
    home.mkdir()
    return home


def run(person: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        orchex_argv("setup", *arguments),
        cwd=person,
        env=environment(person / "orchex", HOME=str(person), CLAUDE_CONFIG_DIR="", XDG_CONFIG_HOME="") | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def backups(file: Path) -> list[Path]:
    return sorted(file.parent.glob(f"{file.name}.*.bak"))


@pytest.mark.parametrize(("editor", "scope"), PLACES)
def test_the_entry_is_written_where_the_editor_looks(person: Path, tmp_path: Path, editor: str, scope: str) -> None:
    project = tmp_path / "work"
    project.mkdir()
    place, section = PLACES[editor, scope]
    done = run(person, editor, "--scope", scope, "--project", str(project), "--yes", PATH=os.defpath)
    assert done.returncode == 0, done.stderr
    written = json.loads(((person if scope == "user" else project) / place).read_text())
    entry = written[section]["orchex"]
    assert entry["command"] == ("orchex" if scope == "project" else str(BIN / "orchex"))
    assert ("not on your PATH" in done.stdout) is (scope == "project")
    assert entry["args"] == ["mcp"]
    if editor == "vscode":
        assert entry["env"] == {"ORCHEX_PROJECT": "${workspaceFolder}"}
    assert "orchex-durable" not in json.dumps(written)


async def test_what_was_written_starts_the_server_from_any_folder(person: Path, tmp_path: Path) -> None:
    """As a client does it: nothing of this process's environment but what clients pass on."""
    assert run(person, "claude-code", "--yes").returncode == 0
    entry = json.loads((person / ".claude.json").read_text())["mcpServers"]["orchex"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "orchex.py").write_text("raise SystemExit('a foreign module')")
    server = StdioServerParameters(
        command=entry["command"],
        args=entry["args"],
        env={"HOME": str(person), "ORCHEX_HOME": str(person / "orchex"), "PATH": os.defpath},
        cwd=str(elsewhere),
    )
    async with Client(server) as client:
        assert "orchex_execute" in [tool.name for tool in (await client.list_tools()).tools]


def test_what_is_there_stays_and_is_backed_up(person: Path) -> None:
    file = person / ".cursor" / "mcp.json"
    file.parent.mkdir()
    before = '{\n  // mine\n  "mcpServers": {\n    "other": {"command": "x"}\n  }\n}\n'
    file.write_text(before)
    file.chmod(0o640)
    done = run(person, "cursor", "--yes")
    assert done.returncode == 0, done.stderr
    assert '+    "orchex": {' in done.stdout
    assert "// mine" in file.read_text()
    assert Document(file.read_text(), "f").get("mcpServers", "other") == {"command": "x"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    (backup,) = backups(file)
    assert backup.read_text() == before
    assert str(backup) in done.stdout


def test_doing_it_twice_changes_nothing(person: Path) -> None:
    assert run(person, "windsurf", "--yes").returncode == 0
    file = person / ".codeium/windsurf/mcp_config.json"
    before = file.read_text()
    again = run(person, "windsurf", "--yes")
    assert "nothing to do" in again.stdout
    assert file.read_text() == before
    assert backups(file) == []


def test_what_a_person_added_to_the_entry_is_kept(person: Path) -> None:
    file = person / ".claude.json"
    old: dict[str, Any] = {"command": "/gone/orchex", "args": ["mcp"], "env": {"ORCHEX_PROJECT": "/work"}, "timeout": 9}
    file.write_text(json.dumps({"mcpServers": {"orchex": old}}))
    assert run(person, "claude-code", "--yes").returncode == 0
    entry = json.loads(file.read_text())["mcpServers"]["orchex"]
    assert entry["command"] == str(BIN / "orchex")
    assert (entry["env"], entry["timeout"]) == ({"ORCHEX_PROJECT": "/work"}, 9)


def test_it_is_taken_out_again(person: Path) -> None:
    file = person / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {"other": {"command": "x"}}}')
    assert run(person, "cursor", "--yes").returncode == 0
    assert run(person, "cursor", "--remove", "--yes").returncode == 0
    assert json.loads(file.read_text()) == {"mcpServers": {"other": {"command": "x"}}}
    assert "nothing to do" in run(person, "cursor", "--remove", "--yes").stdout


def test_a_broken_file_is_refused_with_its_place_and_left_alone(person: Path) -> None:
    file = person / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text('{\n  "mcpServers": {\n    "a": 1\n    "b": 2\n  }\n}\n')
    before = file.read_bytes()
    done = run(person, "claude-code", "cursor", "--yes")
    assert done.returncode == 2
    assert f"{file}:4:5" in done.stderr
    assert file.read_bytes() == before
    assert backups(file) == []
    assert not (person / ".claude.json").exists(), "of several, none is written"


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b'{"mcpServers": 5}', b"[]"])
def test_a_file_that_holds_something_else_is_refused(person: Path, content: bytes) -> None:
    (person / ".claude.json").write_bytes(content)
    done = run(person, "claude-code", "--yes")
    assert (done.returncode, (person / ".claude.json").read_bytes()) == (2, content)
    assert str(person / ".claude.json") in done.stderr


def test_without_anybody_to_ask_nothing_is_written(person: Path) -> None:
    done = run(person, "claude-code")
    assert done.returncode == 2
    assert '"orchex"' in done.stdout, "the change is shown all the same"
    assert "--yes" in done.stderr
    assert not (person / ".claude.json").exists()


@pytest.mark.parametrize(("keys", "written"), [(b"n\n", False), (b"y\n", True), (b"\n", True)])
def test_a_person_is_asked(person: Path, keys: bytes, written: bool) -> None:
    terminal = Terminal(orchex_argv("setup", "claude-code"), person, environment(person / "orchex", HOME=str(person)))
    terminal.until("[Y/n]")
    terminal.type(keys)
    assert terminal.end() == 0
    assert (person / ".claude.json").exists() is written


def test_without_a_name_the_editors_that_are_used_are_set_up(person: Path) -> None:
    assert "Name one" in run(person, "--yes").stderr
    (person / ".cursor").mkdir()
    (person / ".codeium" / "windsurf").mkdir(parents=True)
    done = run(person, "--yes")
    assert done.returncode == 0
    assert (person / ".cursor/mcp.json").exists()
    assert (person / ".codeium/windsurf/mcp_config.json").exists()
    assert not (person / ".claude.json").exists()


def test_names_and_scopes_that_do_not_exist_are_refused(person: Path) -> None:
    unknown = run(person, "emacs", "--yes")
    assert (unknown.returncode, "claude-code, cursor, vscode, windsurf" in unknown.stderr) == (2, True)
    assert "has no configuration of a project" in run(person, "windsurf", "--scope", "project", "--yes").stderr


def test_comments_in_the_entry_itself_stay(person: Path) -> None:
    file = person / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {\n  "orchex": {\n    // mine\n    "command": "old", // gone\n  }\n}}\n')
    assert run(person, "cursor", "--yes").returncode == 0
    for kept in ("// mine", "// gone"):
        assert kept in file.read_text()
    assert "nothing to do" in run(person, "cursor", "--yes").stdout


def test_a_file_that_is_read_only_is_left_as_it_is(person: Path) -> None:
    file = person / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text("{}")
    file.chmod(0o444)
    done = run(person, "claude-code", "cursor", "--yes")
    assert done.returncode == 2
    assert "read-only" in done.stderr
    assert "chmod u+w" in done.stderr
    assert file.read_text() == "{}"
    assert not (person / ".claude.json").exists(), "of several, none is written"


def test_files_that_an_editor_was_told_to_keep_elsewhere_are_found_there(person: Path, tmp_path: Path) -> None:
    moved = {"CLAUDE_CONFIG_DIR": str(tmp_path / "claude"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert run(person, "claude-code", "vscode", "--yes", **moved).returncode == 0
    assert "orchex" in json.loads((tmp_path / "claude" / ".claude.json").read_text())["mcpServers"]
    assert "orchex" in json.loads((tmp_path / "config/Code/User/mcp.json").read_text())["servers"]
    assert list(person.iterdir()) == []


def test_a_link_is_followed_and_stays_a_link(person: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles.json"
    dotfiles.write_text("{}")
    (person / ".claude.json").symlink_to(dotfiles)
    assert run(person, "claude-code", "--yes").returncode == 0
    assert (person / ".claude.json").is_symlink()
    assert "orchex" in json.loads(dotfiles.read_text())["mcpServers"]
