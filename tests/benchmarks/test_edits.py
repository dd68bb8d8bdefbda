"""The benchmark of edits: its judge is not fooled, and it reads what it says it reads."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.edits import quixbugs, transcripts
from benchmarks.edits.__main__ import Tally, ladder, main, measure, table
from benchmarks.edits.case import Case, Outcome, loosely_replaced, places, replaced_once
from benchmarks.edits.corpus import AIDER, Clone, opened
from benchmarks.edits.slips import slipped
from orchex.domain.errors import EditRefused

BEFORE = "class A:\n    def f(self):\n        return 'a'\n\n    def g(self):\n        return 'g'\n"
OLD, NEW = "    def f(self):\n        return 'a'\n", "    def f(self):\n        return 'b'\n"


def sloppy(case: Case) -> str:
    """Replaces the first lines that look alike, as many tools do."""
    text = case.before
    for old, new in case.edits:
        at = places(text, old)
        kept, size = text.split("\n"), len(old.removesuffix("\n").split("\n"))
        if not at:
            raise EditRefused("not found")
        text = "\n".join([*kept[: at[0]], *new.removesuffix("\n").split("\n"), *kept[at[0] + size :]])
    return text


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    return git(folder, "rev-parse", "--short=7", "HEAD")


@pytest.fixture
def aider(tmp_path: Path) -> Path:
    folder = tmp_path / "aider"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, {"README.md": "x\n", "a.py": BEFORE})
    made = commit(folder, {"a.py": BEFORE.replace(OLD, NEW)})
    block = "```python\n<<<<<<< SEARCH\n{}=======\n{}>>>>>>> REPLACE\n```\n"
    chat = [
        "#### change f\n",
        "Sure.\n\na.py\n" + block.format(OLD, NEW),
        f"> Applied edit to a.py  \n> Commit {made} feat: b  \n",
        "#### and g, which does not exist any more\n",
        "`a.py`\n" + block.format("    def h(self):\n", "    def i(self):\n"),
        block.format("        return\n", ""),
        "> Applied edit to a.py\n> Commit 0000000 feat: rewritten since\n",
        "#### broken\n\na.py\n<<<<<<< SEARCH\nx\n<<<<<<< SEARCH\n",
    ]
    commit(folder, {transcripts.TRANSCRIPT: "\n".join(chat)})
    return folder


@pytest.fixture
def bugs(tmp_path: Path) -> Path:
    folder = tmp_path / "bugs"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(
        folder,
        {
            "python_programs/a.py": BEFORE,
            "correct_python_programs/a.py": BEFORE.replace(OLD, NEW),
            "python_programs/only.py": "x\n",
            "java_programs/B.java": "class B {\n}\n",
            "correct_java_programs/B.java": "class B {\n  int x;\n}\n",
        },
    )
    return folder


def test_a_right_edit_is_applied_and_a_wrong_one_is_found_out() -> None:
    case = Case("k", "n", BEFORE, ((OLD, NEW),), (BEFORE.replace(OLD, NEW),))
    assert case.judge(ladder) is Outcome.APPLIED
    assert case.judge(lambda it: it.before) is Outcome.WRONG
    assert case.judge(lambda it: it.before.replace(OLD, NEW).replace("\n", "\r\n")) is Outcome.WRONG
    assert case.judge(lambda it: it.before.replace(OLD, NEW).replace("\n", "  \n")) is Outcome.APPLIED


def test_an_edit_that_must_be_refused_is_wrong_in_any_form() -> None:
    case = Case("k", "n", BEFORE, (("        return\n", "x\n"),), ())
    assert case.judge(ladder) is Outcome.RIGHTLY_REFUSED
    assert case.judge(lambda it: it.before) is Outcome.WRONG


def test_slips_catch_an_editor_that_is_less_strict() -> None:
    case = Case("k", "n", BEFORE, ((OLD, NEW),), (BEFORE.replace(OLD, NEW),))
    found = {slip.kind: (slip.judge(ladder), slip.judge(sloppy)) for slip in slipped(case)}
    assert found == {
        "space at the ends of lines": (Outcome.APPLIED, Outcome.APPLIED),
        "not indented": (Outcome.APPLIED, Outcome.WRONG),
        "indented too far": (Outcome.APPLIED, Outcome.WRONG),
        "tabs for spaces": (Outcome.APPLIED, Outcome.WRONG),
        "typographic quotes and dashes": (Outcome.APPLIED, Outcome.REFUSED),
        "the file has CRLF": (Outcome.APPLIED, Outcome.WRONG),
        "the text stands twice": (Outcome.RIGHTLY_REFUSED, Outcome.WRONG),
        "the text stands twice but for indentation": (Outcome.RIGHTLY_REFUSED, Outcome.WRONG),
        "the edit was made already": (Outcome.RIGHTLY_REFUSED, Outcome.RIGHTLY_REFUSED),
    }


def test_a_chat_gives_edits_with_the_files_before_and_after(aider: Path) -> None:
    first, second, third = transcripts.cases(Clone(aider))
    after = BEFORE.replace(OLD, NEW)
    assert (first.kind, first.before, first.edits) == ("with their commit", BEFORE, ((OLD, NEW),))
    assert first.expected == (after, after)
    assert (second.kind, second.before, second.expected) == ("without a commit", after, ())
    assert (third.edits, third.expected) == ((("        return\n", ""),), ())


def test_a_pair_of_programs_gives_hunks_and_diffs(bugs: Path) -> None:
    found = list(quixbugs.cases(Clone(bugs)))
    assert {case.name for case in found} == {"python_programs/a.py", "java_programs/B.java"}
    assert [case.judge(ladder) for case in found if case.diff] == [Outcome.APPLIED] * 8
    assert not any(case.judge(ladder) is Outcome.WRONG for case in found)


def test_the_whole_run_tells_a_table_and_whether_anything_was_wrong(
    aider: Path, bugs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--aider", str(aider), "--quixbugs", str(bugs)]) == 0
    out = capsys.readouterr().out
    assert "Apache-2.0" in out
    assert "MIT" in out
    assert "| aider: with their commit" in out
    tally = Tally()
    measure("aider", transcripts.cases(Clone(aider)), sloppy, tally)
    assert tally.wrong
    assert "wrongly applied" in table(tally)


def test_a_corpus_is_cloned_from_its_address_when_no_clone_is_given(aider: Path) -> None:
    with opened(AIDER, aider.as_uri()) as clone:
        assert clone.head() == git(aider, "rev-parse", "HEAD")
        assert clone.read("HEAD", "a.py") == BEFORE.replace(OLD, NEW)
        assert clone.read("HEAD", "none.py") is None


def test_the_oracles_want_one_place() -> None:
    assert replaced_once("a b a", "b", "c") == "a c a"
    assert replaced_once("a b a", "a", "c") is None
    assert replaced_once("aaa", "aa", "c") is None
    assert loosely_replaced("  a\n b\n", "a\n", "c\n") == "c\n b\n"
    assert loosely_replaced("  a\na\n", "a\n", "c\n") is None
