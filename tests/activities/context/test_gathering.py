"""The named files of a stream: each with its reason, hostile ones left out, nothing outside the root."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from activities.context import NO_LIMIT, ContextFile, gather
from orchex.domain.errors import InvalidInput


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name in (
        "package.json",
        "src/a.ts",
        "src/b.tsx",
        "src/deep/c.ts",
        "src/deep/d.py",
        "other/package.json",
        "app/[id]/page.tsx",
        "node_modules/x/index.ts",
        ".git/config",
        "docs/café.md",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    return folder


def paths(root: Path, *patterns: str) -> list[str]:
    return [file.path for file in gather(root, patterns).files]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("package.json", ["package.json"]),
        ("./package.json", ["package.json"]),
        ("src/**/*.ts", ["src/a.ts", "src/deep/c.ts"]),
        ("**/*.ts", ["src/a.ts", "src/deep/c.ts"]),
        ("src/*.ts", ["src/a.ts"]),
        ("src/*", ["src/a.ts", "src/b.tsx"]),
        ("*", ["package.json"]),
        ("src/*.{ts,tsx}", ["src/a.ts", "src/b.tsx"]),
        ("{src/a.ts,src/deep/d.py}", ["src/a.ts", "src/deep/d.py"]),
        ("src/[ab].ts*", ["src/a.ts", "src/b.tsx"]),
        ("src/", ["src/a.ts", "src/b.tsx", "src/deep/c.ts", "src/deep/d.py"]),
        ("src", ["src/a.ts", "src/b.tsx", "src/deep/c.ts", "src/deep/d.py"]),
        ("src/*/", ["src/deep/c.ts", "src/deep/d.py"]),
        ("app/[id]/page.tsx", ["app/[id]/page.tsx"]),
        ("node_modules/x/index.ts", ["node_modules/x/index.ts"]),
        ("docs/cafe\u0301.md", ["docs/café.md"]),
        ("docs/caf?.md", ["docs/café.md"]),
        ("#nope", []),
        ("!src/a.ts", []),
    ],
)
def test_a_pattern_names_files_from_the_root(root: Path, pattern: str, found: list[str]) -> None:
    pack = gather(root, [pattern])
    assert [file.path for file in pack.files] == found
    if not found:
        assert [(left.path, left.reason) for left in pack.left_out] == [(pattern, "matches no file")]


def test_what_a_workspace_does_not_hold_is_told_apart_from_what_there_is_not(root: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    shutil.copytree(root, origin, symlinks=True)
    (origin / ".env.local").write_text("A=1\n")
    (origin / "dist").mkdir()
    os.mkfifo(origin / "pipe")
    pack = gather(root, [".env.local", "dist/", "pipe", "none.txt", "*.none"], origin=origin)
    assert {left.path: left.reason for left in pack.left_out} == {
        ".env.local": "ignored by the project, so it is in no workspace",
        "dist/": "ignored by the project, so it is in no workspace",
        "pipe": "a FIFO, not a file",
        "none.txt": "matches no file",
        "*.none": "matches no file",
    }


def test_the_answer_is_the_same_when_the_caller_lists_the_files(root: Path) -> None:
    listed = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    kept = sorted(name for name in listed if not name.startswith("node_modules"))
    for patterns in (["src/"], ["**/*.ts"], ["package.json"], ["docs/cafe\u0301.md"]):
        assert gather(root, patterns, listed=kept) == gather(root, patterns)


def test_every_file_is_in_once_with_its_first_reason_and_its_size(root: Path) -> None:
    pack = gather(root, ["src/a.ts", "src/*.ts", "src/deep/"], budget=NO_LIMIT)
    assert pack.files == (
        ContextFile(path="src/a.ts", reason="named", bytes=9),
        ContextFile(path="src/deep/c.ts", reason="beneath src/deep/", bytes=14),
        ContextFile(path="src/deep/d.py", reason="beneath src/deep/", bytes=14),
    )


@pytest.mark.parametrize(
    "pattern",
    ["../x", "src/../../x", "/etc/passwd", "", "a\0b", "C:\\x", "C:/x", "\\\\host\\x", "..\\x", "~/x", "..", "a/.."],
)
def test_a_pattern_that_leaves_the_root_is_refused(root: Path, pattern: str) -> None:
    with pytest.raises(InvalidInput, match=r"context\.files"):
        gather(root, [pattern])


def test_hostile_files_are_left_out_with_the_reason_and_without_waiting(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret\n")
    bad = root / "bad"
    bad.mkdir()
    (bad / "link.txt").symlink_to(outside / "secret.txt")
    (bad / "inner.txt").symlink_to("../package.json")
    (bad / "folder").symlink_to(outside)
    os.mkfifo(bad / "pipe.txt")
    (bad / "big.txt").write_bytes(b"x" * (1024 * 1024 + 1))
    (bad / "binary.txt").write_bytes(b"\x00\x01")
    (bad / os.fsdecode(b"\xff.txt")).write_text("x")
    (bad / "utf16.txt").write_bytes("é".encode("utf-16"))
    pack = gather(root, ["bad/", "bad/folder/secret.txt", "bad/link.txt"])
    assert [file.path for file in pack.files] == ["bad/utf16.txt"]
    assert {left.path: left.reason for left in pack.left_out} == {
        "bad/link.txt": "a symbolic link, not a file",
        "bad/inner.txt": "a symbolic link, not a file",
        "bad/folder": "a symbolic link, not a file",
        "bad/pipe.txt": "a FIFO, not a file",
        "bad/big.txt": "1048577 bytes: more than 1048576",
        "bad/binary.txt": "a binary file",
        "bad/\\xff.txt": "its name is no UTF-8",
        "bad/folder/secret.txt": f"a symbolic link to {str(outside)!r}",
    }
    assert pack.model_dump_json()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=st.text("a/b*?[]{},!#\\.~ -^é", max_size=12))
@example(pattern="[z-a]*")
@example(pattern="*\\")
def test_a_pattern_is_read_or_refused_but_never_breaks(root: Path, pattern: str) -> None:
    with contextlib.suppress(InvalidInput):
        gather(root, [pattern])


def test_braces_that_multiply_are_refused(root: Path) -> None:
    with pytest.raises(InvalidInput, match="alternatives"):
        gather(root, ["{a,b}" * 30])


def test_very_many_notes_are_summed_up(root: Path) -> None:
    pack = gather(root, [f"missing{number}" for number in range(500)])
    assert len(pack.notes) == 21
    assert pack.notes[-1] == "context: 480 more files were left out"


def test_five_thousand_files_and_a_hostile_glob_come_to_an_end(root: Path) -> None:
    for number in range(5000):
        folder = root / f"many/d{number % 50}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{'a' * 60}{number}.ts").write_text("x")
    pack = gather(root, ["many/**/*.ts", "**/" + "*a" * 40 + "*b", "many/"], budget=NO_LIMIT)
    assert len(pack.files) == 5000
