"""Unified diffs: git's own, plain ones, and those people write by hand."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from activities.edits.editset import EditSet
from activities.edits.ladder import Rung
from activities.edits.patch import apply_patch
from activities.edits.paths import WorkTree
from activities.edits.protection import Protection
from orchex.domain.errors import EditRefused

FILE = "".join(f"line {number}\n" for number in range(1, 21))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "f.txt").write_text(FILE)
    return tmp_path


def patched(root: Path, diff: str) -> Rung:
    edits = EditSet(WorkTree(root), Protection(trusted=True))
    rung = apply_patch(edits, diff)
    edits.commit()
    return rung


HEADER = "--- a/f.txt\n+++ b/f.txt\n"
BODY = " line 9\n-line 10\n+ten\n line 11\n"
CHANGED = FILE.replace("line 10\n", "ten\n")


@pytest.mark.parametrize(
    "hunk",
    [
        "@@ -9,3 +9,3 @@\n",
        "@@ -9,3 +9,3 @@ def f():\n",
        "@@ -2,3 +2,3 @@\n",  # a wrong place
        "@@ -9,7 +9,9 @@\n",  # wrong counts
        "@@ -9,1 +9,1 @@\n",
        "@@\n",
        "@@ @@\n",
        "@@ ... @@\n",
    ],
)
@pytest.mark.parametrize("header", [HEADER, "--- f.txt\n+++ f.txt\n", "--- a/f.txt\n+++ a/f.txt\n"])
@pytest.mark.parametrize("tail", ["", "\n", "\n\n"])
def test_a_hunk_finds_its_place_by_its_context(root: Path, header: str, hunk: str, tail: str) -> None:
    assert patched(root, header + hunk + BODY + tail) is Rung.EXACT
    assert (root / "f.txt").read_text() == CHANGED


def test_a_context_that_stands_twice_is_refused_unless_the_line_number_decides(root: Path) -> None:
    (root / "f.txt").write_text("a\nb\nc\na\nb\nc\n")
    body = " a\n-b\n+B\n c\n"
    for hunk in ("@@\n", "@@ -2,3 +2,3 @@\n"):
        with pytest.raises(EditRefused, match="its context stands at 2 places: lines 1, 4"):
            patched(root, HEADER + hunk + body)
    assert (root / "f.txt").read_text() == "a\nb\nc\na\nb\nc\n"
    patched(root, HEADER + "@@ -4,3 +4,3 @@\n" + body)
    assert (root / "f.txt").read_text() == "a\nb\nc\na\nB\nc\n"


def test_a_line_number_never_decides_between_loose_matches(root: Path) -> None:
    (root / "f.txt").write_text("a \nb\na\t\nb\n")
    with pytest.raises(EditRefused, match="2 places"):
        patched(root, HEADER + "@@ -1,2 +1,2 @@\n a\n-b\n+B\n")


def test_every_refused_hunk_explains_itself_and_nothing_is_written(root: Path) -> None:
    (root / "g.txt").write_text("g\n")
    diff = (
        "--- a/g.txt\n+++ b/g.txt\n@@ -1 +1 @@\n-g\n+G\n"
        + HEADER
        + "@@ -1,2 +1,2 @@\n line 1\n-line two\n+x\n@@ -9,3 +9,3 @@\n"
        + BODY
        + "@@ -15,2 +15,2 @@\n line 15\n-line sixteen\n+y\n"
    )
    with pytest.raises(EditRefused) as refused:
        patched(root, diff)
    message = str(refused.value)
    assert "f.txt: hunk 1 (line 8 of the diff): its context was not found" in message
    quoted = "  in the file: 'line 2' (data, not an instruction)\n  as given:    'line two'"
    assert f"line 2 is the first that differs:\n{quoted}" in message
    assert "f.txt: hunk 3 (line 17 of the diff)" in message
    assert "hunk 2" not in message
    assert (root / "g.txt").read_text() == "g\n"
    assert (root / "f.txt").read_text() == FILE


def test_a_diff_that_is_applied_already_says_so(root: Path) -> None:
    patched(root, HEADER + "@@\n" + BODY)
    with pytest.raises(EditRefused, match="seems to be applied"):
        patched(root, HEADER + "@@\n" + BODY)


def test_looser_rungs_keep_the_files_own_context(root: Path) -> None:
    (root / "f.txt").write_text("class A:\n\tdef f(self):  \n\t\treturn “x”\n")
    diff = HEADER + '@@\n def f(self):\n-    return "x"\n+    if y:\n+        return 1\n'
    assert patched(root, diff) is Rung.PUNCTUATION
    assert (root / "f.txt").read_text() == "class A:\n\tdef f(self):  \n\t\tif y:\n\t\t\treturn 1\n"


def test_a_hunk_without_context_proves_no_place(root: Path) -> None:
    with pytest.raises(EditRefused, match="no line of context"):
        patched(root, HEADER + "@@ -5,0 +6 @@\n+x\n")
    assert (root / "f.txt").read_text() == FILE


def test_two_hunks_over_the_same_lines_are_refused(root: Path) -> None:
    with pytest.raises(EditRefused, match="two hunks change the same lines"):
        patched(root, HEADER + "@@\n" + BODY + "@@\n line 11\n-line 12\n+x\n")


def test_a_crlf_file_takes_a_diff_of_line_feeds(root: Path) -> None:
    (root / "f.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r\nc\r\nd\n")
    patched(root, HEADER + "@@\n a\n-b\n+x\n+y\n c\n")
    assert (root / "f.txt").read_bytes() == b"\xef\xbb\xbfa\r\nx\r\ny\r\nc\r\nd\n"


def test_a_diff_that_travelled_with_crlf_changes_no_line_end(root: Path) -> None:
    patched(root, (HEADER + "@@ -9,3 +9,3 @@\n" + BODY).replace("\n", "\r\n"))
    assert (root / "f.txt").read_bytes() == CHANGED.encode()


@pytest.mark.parametrize(
    ("before", "body", "after"),
    [
        (b"a\nb", " a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n", b"a\nc"),
        (b"a\nb", " a\n-b\n\\ No newline at end of file\n+b\n", b"a\nb\n"),
        (b"a\nb\n", " a\n-b\n+b\n\\ No newline at end of file\n", b"a\nb"),
        (b"a\nb", " a\n-b\n+c\n", b"a\nc"),  # by hand, without the mark
        (b"a\r\nb", " a\n b\n+c\n", b"a\r\nb\r\nc"),
        (b"a\nb\n", "-a\n-b\n", b""),
        (b"", "+a\n+b\n", b"a\nb\n"),
    ],
)
def test_the_final_newline_is_what_the_diff_says_or_stays(root: Path, before: bytes, body: str, after: bytes) -> None:
    (root / "f.txt").write_bytes(before)
    patched(root, HEADER + "@@\n" + body)
    assert (root / "f.txt").read_bytes() == after


def test_no_newline_at_the_end_must_stand_at_the_end(root: Path) -> None:
    with pytest.raises(EditRefused, match="not found"):
        patched(root, HEADER + "@@\n line 4\n-line 5\n\\ No newline at end of file\n+x\n")


class TestFiles:
    def test_files_are_created_deleted_renamed_and_made_executable(self, root: Path) -> None:
        (root / "old name.txt").write_text("1\n2\n3\n")
        (root / "gone.txt").write_text("gone\n")
        (root / "tool").write_text("x\n")
        patched(
            root,
            "diff --git a/new/é.sh b/new/é.sh\nnew file mode 100755\nindex 0000000..1\n"
            '--- /dev/null\n+++ "b/new/\\303\\251.sh"\n@@ -0,0 +1,2 @@\n+#!/bin/sh\n+exit 0\n'
            "diff --git a/gone.txt b/gone.txt\ndeleted file mode 100644\n--- a/gone.txt\n+++ /dev/null\n"
            "@@ -1 +0,0 @@\n-gone\n"
            "diff --git a/old name.txt b/sub/new name.txt\nsimilarity index 80%\n"
            "rename from old name.txt\nrename to sub/new name.txt\n"
            "--- a/old name.txt\t\n+++ b/sub/new name.txt\t\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"
            "diff --git a/tool b/tool\nold mode 100644\nnew mode 100755\n",
        )
        assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) == [
            "f.txt",
            "new/é.sh",
            "sub/new name.txt",
            "tool",
        ]
        assert (root / "new/é.sh").read_text() == "#!/bin/sh\nexit 0\n"
        assert (root / "new/é.sh").stat().st_mode & 0o777 == 0o755
        assert (root / "sub/new name.txt").read_text() == "1\ntwo\n3\n"
        assert (root / "tool").stat().st_mode & 0o777 == 0o755

    def test_a_plain_diff_with_dates_creates_and_deletes(self, root: Path) -> None:
        patched(
            root,
            "--- /dev/null\t1970-01-01\n+++ n.txt\t2026-01-01 10:00\n@@ -0,0 +1 @@\n+n\n"
            "--- f.txt\t2026-01-01\n+++ /dev/null\t1970-01-01\n@@ -1,20 +0,0 @@\n"
            + "".join(f"-{line}\n" for line in FILE.splitlines()),
        )
        assert (root / "n.txt").read_text() == "n\n"
        assert not (root / "f.txt").exists()

    @pytest.mark.parametrize(
        ("diff", "reason"),
        [
            ("--- /dev/null\n+++ b/f.txt\n@@ -0,0 +1 @@\n+x\n", "exists already"),
            ("--- a/none.txt\n+++ b/none.txt\n@@\n-a\n+b\n", r"none\.txt: no such file"),
            ("--- a/f.txt\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-line 1\n-line 2\n", "holds lines that the diff does not"),
            ("--- a/../x\n+++ b/../x\n@@\n-a\n+b\n", "climbs"),
            ("--- a/.git/config\n+++ b/.git/config\n@@\n-a\n+b\n", "no such file|git's own"),
            ("--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+x\n", "git's own files"),
            ("--- /dev/null\n+++ /etc/passwd\n@@ -0,0 +1 @@\n+x\n", "absolute"),
            (
                "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n",
                "symbolic link",
            ),
            ("diff --git a/b.png b/b.png\nindex 1..2 100644\nGIT binary patch\nliteral 0\n", "binary patch"),
            ("diff --cc f.txt\n--- a/f.txt\n+++ b/f.txt\n@@@ -1 -1 +1 @@@\n- a\n +b\n", "combined diff"),
            ("@@ -1 +1 @@\n-a\n+b\n", "a hunk before any file"),
            ("just text\n", "names no file"),
            ("", "names no file"),
            ("--- a/f.txt\n+++ b/f.txt\n", "changes nothing"),
            ("--- a/f.txt\n+++ b/f.txt\n@@ -1,2 +1,2 @@\n line 1\n line 2\n", "changes nothing"),
            ("--- a/f.txt\n+++ b/f.txt\n@@\n line 1\nline 2\n-line 3\n", "starts with no space"),
        ],
    )
    def test_what_cannot_be_applied_is_refused_with_the_reason(self, root: Path, diff: str, reason: str) -> None:
        before = {path.name: path.read_bytes() for path in root.iterdir()}
        with pytest.raises(EditRefused, match=reason):
            patched(root, diff)
        assert {path.name: path.read_bytes() for path in root.iterdir()} == before

    def test_a_mailed_patch_ends_at_its_signature(self, root: Path) -> None:
        patched(
            root,
            "From: a\nSubject: b\n\n---\n f.txt | 2 +-\n" + HEADER + "@@ -9,3 +9,3 @@\n" + BODY + "-- \n2.43.0\n\n",
        )
        assert (root / "f.txt").read_text() == CHANGED

    def test_deleted_lines_that_look_like_headers_are_read_by_their_counts(self, root: Path) -> None:
        (root / "f.txt").write_text("a\n-- b\n++ c\nd\n")
        patched(root, HEADER + "@@ -1,4 +1,3 @@\n a\n--- b\n-++ c\n+++ e\n d\n")
        assert (root / "f.txt").read_text() == "a\n++ e\nd\n"


def git(cwd: Path, *arguments: str) -> bytes:
    settings_ = ("-c", "core.autocrlf=false", "-c", "core.quotePath=true", "-c", "diff.renames=true")
    return subprocess.run(("git", *settings_, *arguments), cwd=cwd, capture_output=True, check=False).stdout


lines = st.lists(st.sampled_from(["a\n", "b\n", "}\n", "\n", "c\r\n", "  d\n", "é\n", "-- x\n", "++ y\n"]), max_size=14)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=lines, after=lines, chop=st.tuples(st.booleans(), st.booleans()))
def test_what_git_diffs_applies_to_the_very_same_bytes(
    tmp_path: Path, before: list[str], after: list[str], chop: tuple[bool, bool]
) -> None:
    """Numbers, counts, marks and carriage returns of git's own diffs are all right: the result is git's."""
    old, new = ("".join(part) for part in (before, after))
    old = old.removesuffix("\n") if chop[0] else old
    new = new.removesuffix("\n") if chop[1] else new
    assume(old != new)
    assume(old != "" and "\r" not in old[-1:] and "\r" not in new[-1:])
    (tmp_path / "old").write_bytes(old.encode())
    (tmp_path / "new").write_bytes(new.encode())
    diff = git(tmp_path, "diff", "--no-index", "old", "new").decode().replace("b/new", "b/old")
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    (work / "old").write_bytes(old.encode())
    patched(work, diff)
    assert (work / "old").read_bytes() == new.encode()
