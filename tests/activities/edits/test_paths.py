"""No edit leaves the workspace, follows a link, or touches what is protected."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.edits.editset import EditSet
from activities.edits.paths import WorkTree, split
from activities.edits.protection import Protection
from orchex.domain.errors import EditRefused


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret\n")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "src").mkdir(parents=True)
    (folder / "src/a.txt").write_text("a\n")
    return folder


@pytest.fixture
def edits(root: Path) -> EditSet:
    return EditSet(WorkTree(root), Protection(trusted=True))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("../outside/secret", "climbs"),
        ("src/../../outside/secret", "climbs"),
        ("src/..", "climbs"),
        ("a\0b", "NUL"),
        ("src/\ud800", "surrogate"),
        ("x" * 300, "too long"),
        ("src/", "folder"),
        (".", "folder"),
    ],
)
def test_a_path_that_could_leave_the_root_is_refused_by_every_edit(edits: EditSet, path: str, reason: str) -> None:
    refused: list[Callable[[], object]] = [
        lambda: edits.put(path, b""),
        lambda: edits.remove(path),
        lambda: edits.rename(path, "free"),
        lambda: edits.rename("src/a.txt", path),
        lambda: edits.read(path),
    ]
    for edit in refused:
        with pytest.raises(EditRefused, match=reason):
            edit()


def test_dots_and_doubled_slashes_fall_out() -> None:
    assert split("./src//./a.txt") == ("src", "a.txt")


@pytest.mark.parametrize("target", ["../outside", "src", "/"])
def test_a_linked_folder_is_never_entered_wherever_it_leads(
    root: Path, outside: Path, edits: EditSet, target: str
) -> None:
    (root / "link").symlink_to(target)
    refused: list[Callable[[], object]] = [lambda: edits.put("link/secret", b"x"), lambda: edits.read("link/secret")]
    for edit in refused:
        with pytest.raises(EditRefused, match="a symbolic link"):
            edit()
    assert (outside / "secret").read_text() == "secret\n"


@pytest.mark.parametrize("target", ["../outside/secret", "src/a.txt", "nowhere"])
def test_a_linked_file_is_neither_read_nor_written(root: Path, edits: EditSet, target: str) -> None:
    (root / "link").symlink_to(target)
    refused: list[Callable[[], object]] = [
        lambda: edits.put("link", b"x"),
        lambda: edits.read("link"),
        lambda: edits.remove("link"),
    ]
    for edit in refused:
        with pytest.raises(EditRefused, match="a symbolic link, not a file"):
            edit()


def test_a_folder_that_becomes_a_link_before_the_write_is_not_followed(
    root: Path, outside: Path, edits: EditSet
) -> None:
    edits.put("src/new.txt", b"x")
    (root / "src").rename(root / "moved")
    (root / "src").symlink_to(outside)
    with pytest.raises(EditRefused, match="a symbolic link to"):
        edits.commit()
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_fifo_a_socket_and_a_device_are_refused_without_waiting(root: Path, edits: EditSet) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        for name, kind in (("fifo", "a FIFO"), ("socket", "a socket")):
            with pytest.raises(EditRefused, match=kind):
                edits.read(name)
            with pytest.raises(EditRefused, match=kind):
                edits.put(name, b"x")
    if os.geteuid() == 0:
        os.mknod(root / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        with pytest.raises(EditRefused, match="a device"):
            edits.put("null", b"x")


def test_a_hard_link_to_outside_is_refused_and_one_within_is_not(root: Path, outside: Path, edits: EditSet) -> None:
    os.link(outside / "secret", root / "shared")
    with pytest.raises(EditRefused, match="outside the workspace"):
        edits.put("shared", b"x")
    with pytest.raises(EditRefused, match="outside the workspace"):
        edits.read("shared")
    os.link(root / "src/a.txt", root / "src/b.txt")
    edits.put("src/b.txt", b"b\n")
    edits.commit()
    assert (root / "src/a.txt").read_text() == "a\n"
    assert (outside / "secret").read_text() == "secret\n"


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".git",
        ".GIT/hooks/pre-commit",
        "sub/.Git/config",
        ".git./config",
        ".git /config",
        "git~1/config",
        "GIT~1/config",
        ".git::$INDEX_ALLOCATION/config",
        ".gi\u200ct/config",
        ".\ufeffgit/config",
        ".git\\config",
        "．git/config",
    ],
)
@pytest.mark.parametrize("trusted", [True, False])
def test_git_is_protected_from_everybody_in_every_spelling(root: Path, path: str, trusted: bool) -> None:
    edits = EditSet(WorkTree(root), Protection(trusted=trusted, owned=["**", ".git/**", path]))
    with pytest.raises(EditRefused, match="git's own files"):
        edits.put(path, b"x")


@pytest.mark.parametrize("path", [".gitignore", ".gitattributes", "git/config", "a.git/x", ".github/CODEOWNERS"])
def test_names_that_only_look_like_git_are_free(root: Path, path: str) -> None:
    EditSet(WorkTree(root), Protection(trusted=False)).put(path, b"x")


PROTECTED = [
    ".github/workflows/ci.yml",
    ".GitHub/Workflows/ci.yml",
    ".gitlab-ci.yml",
    "AGENTS.md",
    "deep/down/agents.MD",
    "CLAUDE.md",
    ".mcp.json",
    ".claude/settings.json",
    ".cursor/rules/x.mdc",
    ".husky/pre-commit",
    ".vscode/tasks.json",
    ".claude\u200d/x",
    ".mcp.json.",
]


@pytest.mark.parametrize("path", PROTECTED)
def test_ci_and_agent_configuration_is_protected_from_a_model(root: Path, path: str) -> None:
    for owned in ([], ["**"], ["*"], ["src/**"], ["**/*.md"]):
        with pytest.raises(EditRefused, match="protected"):
            EditSet(WorkTree(root), Protection(trusted=False, owned=owned)).put(path, b"x")


@pytest.mark.parametrize("path", PROTECTED)
def test_a_runbook_is_the_users_own_word(root: Path, path: str) -> None:
    EditSet(WorkTree(root), Protection(trusted=True)).put(path, b"x")


@pytest.mark.parametrize(
    ("owned", "path"),
    [
        (".github/workflows/*.yml", ".github/workflows/ci.yml"),
        (".github/**", ".github/workflows/ci.yml"),
        ("AGENTS.md", "AGENTS.md"),
        ("agents.md", "AGENTS.md"),
        ("**/CLAUDE.md", "docs/CLAUDE.md"),
        (".claude/", ".claude/settings.json"),
    ],
)
def test_a_glob_that_spells_the_protected_name_owns_it(root: Path, owned: str, path: str) -> None:
    EditSet(WorkTree(root), Protection(trusted=False, owned=[owned])).put(path, b"x")


def test_owning_one_protected_file_owns_no_other(root: Path) -> None:
    protection = Protection(trusted=False, owned=[".github/workflows/docs.yml"])
    with pytest.raises(EditRefused, match="protected"):
        EditSet(WorkTree(root), protection).put(".github/workflows/ci.yml", b"x")


def test_a_protected_file_cannot_be_made_deleted_or_replaced_by_a_rename(root: Path) -> None:
    (root / "AGENTS.md").write_text("x")
    edits = EditSet(WorkTree(root), Protection(trusted=False))
    refused: list[Callable[[], object]] = [
        lambda: edits.rename("src/a.txt", "CLAUDE.md"),
        lambda: edits.rename("AGENTS.md", "free.md"),
        lambda: edits.remove("AGENTS.md"),
    ]
    for edit in refused:
        with pytest.raises(EditRefused, match="protected"):
            edit()
