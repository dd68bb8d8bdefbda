"""The tools of a turn: edits all or none, commands after the edits before them, answers that fit a conversation."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from activities.conversation.answers import answers
from activities.edits.change import Change
from activities.edits.ladder import Rung
from activities.tools import CommandAnswer, ToolBox, ToolOutcome, tool_definitions
from orchex.domain.turn import ToolUseBlock


@dataclass
class Answer:
    exit_code: int | None = 0
    output: str = ""
    timed_out: bool = False


@dataclass
class Shell:
    """Notes what it is asked to run and what the files were then."""

    root: Path
    answer: Answer = field(default_factory=Answer)
    seen: list[tuple[str, str]] = field(default_factory=list)

    async def run(self, command: str) -> CommandAnswer:
        self.seen.append((command, (self.root / "a.txt").read_text()))
        return self.answer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "code.py").write_text("x = 1\n")
    return tmp_path


@pytest.fixture
def shell(root: Path) -> Shell:
    return Shell(root)


@pytest.fixture(params=[True, False], ids=["trusted", "untrusted"])
def trusted(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def box(root: Path, shell: Shell, trusted: bool) -> ToolBox:
    return ToolBox(root, trusted=trusted, owned=(), run_command=shell.run)


def call(name: str, **given: Any) -> ToolUseBlock:
    return ToolUseBlock(id=f"toolu_{name}", name=name, input=given)


def replace(old: str, new: str, path: str = "a.txt") -> ToolUseBlock:
    return call("str_replace", path=path, old_str=old, new_str=new)


def said(outcomes: list[ToolOutcome]) -> list[str]:
    return [outcome.block.content for outcome in outcomes]


async def test_every_call_is_answered_in_order_under_its_own_id(box: ToolBox, root: Path) -> None:
    calls = [
        call("view", path="a.txt"),
        replace("two", "2"),
        call("create", path="new/b.txt", file_text="b\n"),
        call("insert", path="a.txt", insert_line=0, insert_text="zero"),
        call("rename", path="code.py", new_path="src/code.py"),
        call("list"),
        call("search", pattern="^[zb]"),
        call("run_command", command="true"),
        call("delete", path="new/b.txt"),
        call("apply_patch", patch="--- a/a.txt\n+++ b/a.txt\n@@\n-three\n+3\n"),
    ]
    outcomes = await box.perform(calls)
    assert [outcome.block.tool_use_id for outcome in outcomes] == [call.id for call in calls]
    assert not [outcome for outcome in outcomes if outcome.failed or not outcome.ran]
    assert (root / "a.txt").read_text() == "zero\none\n2\n3\n"
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == ["a.txt", "code.py"]


async def test_edits_before_a_command_are_on_disk_when_it_runs(box: ToolBox, shell: Shell) -> None:
    await box.perform([replace("two", "2"), call("run_command", command="cat a.txt"), replace("one", "1")])
    assert shell.seen == [("cat a.txt", "one\n2\nthree\n")]


async def test_an_edit_that_fails_leaves_all_edits_around_it_unwritten(box: ToolBox, root: Path) -> None:
    outcomes = await box.perform([replace("two", "2"), replace("nope", "x"), replace("one", "1")])
    assert (root / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert all(outcome.failed for outcome in outcomes)
    assert [outcome.ran for outcome in outcomes] == [False, True, False]
    assert "not found" in said(outcomes)[1]
    assert "not written" in said(outcomes)[0]


async def test_no_command_runs_over_edits_that_were_refused(box: ToolBox, shell: Shell) -> None:
    outcomes = await box.perform([replace("nope", "x"), call("run_command", command="true")])
    assert shell.seen == []
    assert not outcomes[1].ran
    assert said(outcomes)[1].startswith("not run")


async def test_reads_see_the_edits_staged_before_them(box: ToolBox) -> None:
    outcomes = await box.perform(
        [
            replace("two", "2"),
            call("create", path="sub/new.txt", file_text="fresh\n"),
            call("delete", path="code.py"),
            call("view", path="a.txt"),
            call("list"),
            call("search", pattern="2|fresh|x = 1"),
        ]
    )
    assert "     2\t2" in said(outcomes)[3]
    assert said(outcomes)[4] == "a.txt\nsub/new.txt"
    assert said(outcomes)[5] == "a.txt:2: 2\nsub/new.txt:1: fresh"


async def test_a_change_belongs_to_the_last_call_that_made_it(box: ToolBox) -> None:
    outcomes = await box.perform(
        [replace("one  \n", "1\n"), replace("two", "2"), call("create", path="n", file_text="")]
    )
    assert [outcome.changes for outcome in outcomes] == [(), (Change("a.txt", "modified"),), (Change("n", "created"),)]
    assert [outcome.rung for outcome in outcomes] == [Rung.TRAILING_SPACE, Rung.EXACT, None]
    assert "matched but for trailing space" in said(outcomes)[0]


@pytest.mark.parametrize("answer", [Answer(exit_code=1), Answer(exit_code=None), Answer(timed_out=True)])
async def test_a_command_that_fails_ends_the_turn_of_a_runbook_only(
    box: ToolBox, shell: Shell, trusted: bool, root: Path, answer: Answer
) -> None:
    shell.answer = answer
    outcomes = await box.perform([call("run_command", command="false"), replace("two", "2")])
    assert outcomes[0].failed
    assert outcomes[0].command is not None
    assert outcomes[0].command.answer is answer
    assert outcomes[1].ran is not trusted
    assert (root / "a.txt").read_text() == ("one\ntwo\nthree\n" if trusted else "one\n2\nthree\n")


async def test_a_read_that_fails_ends_the_turn_of_a_runbook_only(box: ToolBox, trusted: bool, root: Path) -> None:
    outcomes = await box.perform([call("view", path="nope"), replace("two", "2")])
    assert "no such file" in said(outcomes)[0]
    assert outcomes[1].failed is trusted
    assert ("2" in (root / "a.txt").read_text()) is not trusted


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("undo_edit", {}, "there is no tool 'undo_edit'"),
        ("view", {}, "path: Field required"),
        ("create", {"path": "x", "file_text": "", "mode": 7}, "mode: Extra inputs"),
        (
            "insert",
            {"path": "a.txt", "insert_line": "1", "insert_text": "x"},
            "insert_line: Input should be a valid integer",
        ),
        ("str_replace", {"path": "a.txt", "old_str": 5}, "old_str: Input should be a valid string"),
        ("search", {"pattern": "(a"}, "no RE2 pattern"),
        ("view", {"path": "a.txt", "view_range": [4, 9]}, "the file has 3 lines"),
        ("view", {"path": "../a.txt"}, "climbs"),
        ("list", {"path": "a.txt"}, "a file, not a folder"),
        ("list", {"path": "nope"}, "no such folder"),
        ("run_command", {"command": ""}, "command: String should have at least 1 character"),
    ],
)
async def test_a_call_that_cannot_be_right_is_answered_with_the_reason(
    box: ToolBox, name: str, given: dict[str, Any], reason: str
) -> None:
    (outcome,) = await box.perform([ToolUseBlock(id="t", name=name, input=given)])
    assert outcome.failed
    assert reason in outcome.block.content


async def test_a_broken_file_is_refused_from_a_model_and_a_warning_to_a_runbook(
    box: ToolBox, trusted: bool, root: Path
) -> None:
    outcomes = await box.perform([replace("two", "2"), replace("x = 1", "x = (", "code.py")])
    assert outcomes[1].failed is not trusted
    assert "was never closed" in said(outcomes)[1]
    assert (root / "code.py").read_text() == ("x = (\n" if trusted else "x = 1\n")
    assert ("2" in (root / "a.txt").read_text()) is trusted


async def test_protected_files_are_the_users_to_change_not_the_models(box: ToolBox, trusted: bool) -> None:
    (outcome,) = await box.perform([call("create", path=".github/workflows/ci.yml", file_text="on: push\n")])
    assert outcome.failed is not trusted


async def test_rewriting_a_file_keeps_its_shape(box: ToolBox, root: Path) -> None:
    (root / "w.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    (root / "w.txt").chmod(0o755)
    await box.perform([call("create", path="w.txt", file_text="x\ny\n")])
    assert (root / "w.txt").read_bytes() == b"\xef\xbb\xbfx\r\ny\r\n"
    assert (root / "w.txt").stat().st_mode & 0o777 == 0o755


class TestSizes:
    async def test_a_long_file_is_cut_and_the_rest_named(self, box: ToolBox, root: Path) -> None:
        (root / "long.txt").write_text("".join(f"{n % 10}\n" for n in range(1, 5001)))
        whole, rest, end = await box.perform(
            [
                call("view", path="long.txt"),
                call("view", path="long.txt", view_range=[4998, -1]),
                call("view", path="long.txt", view_range=[1, 2]),
            ]
        )
        assert whole.block.content.endswith("… lines 2001-5000 left out: view them with view_range [2001, 5000]")
        assert rest.block.content == "  4998\t8\n  4999\t9\n  5000\t0"
        assert end.block.content == "     1\t1\n     2\t2\n… the file goes on to line 5000"

    async def test_wide_lines_many_files_many_matches_and_long_output_are_cut(
        self, box: ToolBox, root: Path, shell: Shell
    ) -> None:
        (root / "wide.txt").write_text("w" * 500_000)
        for number in range(1200):
            (root / f"f{number}").write_text("match\n")
        shell.answer = Answer(output="x" * 500_000 + "THE END")
        outcomes = await box.perform(
            [
                call("view", path="wide.txt"),
                call("list"),
                call("search", pattern="match"),
                call("run_command", command="yes"),
            ]
        )
        assert "498000 characters left out" in said(outcomes)[0]
        assert "more files left out" in said(outcomes)[1]
        assert "more than 200 matches" in said(outcomes)[2]
        assert said(outcomes)[3].endswith("THE END")
        assert all(len(text) < 70_000 for text in said(outcomes))

    async def test_what_a_view_leaves_out_is_at_its_end_and_not_cut_out_again(self, box: ToolBox, root: Path) -> None:
        (root / "long.txt").write_text("".join(f"{'x' * 90}{n}\n" for n in range(1, 3000)))
        outcomes = await box.perform([call("view", path="long.txt")])
        [told], _ = answers([call("view", path="long.txt")], outcomes, [], str)
        assert "characters left out" not in told.content
        assert re.search(r"… lines (\d+)-2999 left out: view them with view_range \[\1, 2999\]$", told.content)

    async def test_what_is_no_text_is_not_shown(self, box: ToolBox, root: Path) -> None:
        (root / "b.bin").write_bytes(bytes(range(256)))
        (root / "caf\udce9").write_bytes(b"x\xff\n")
        (root / "two\nlines").touch()
        outcomes = await box.perform([call("list"), call("search", pattern="x")])
        assert said(outcomes)[0] == "a.txt\nb.bin\ncaf\\xe9\ncode.py\ntwo\\nlines"
        assert "caf\\xe9:1: xÿ" in said(outcomes)[1]
        (outcome,) = await box.perform([call("view", path="b.bin")])
        assert "a binary file of 256 bytes" in outcome.block.content

    async def test_dependency_folders_and_links_are_not_searched(
        self, box: ToolBox, root: Path, tmp_path: Path
    ) -> None:
        (root / "node_modules/x").mkdir(parents=True)
        (root / "node_modules/x/i.js").write_text("needle\n")
        (root / "link").symlink_to("/etc/passwd")
        outcomes = await box.perform([call("search", pattern="needle|root")])
        assert said(outcomes)[0].startswith("no line matches")


@pytest.mark.parametrize("place", [".git", "./.git", ".GIT", "sub/.git", ".git/config"])
async def test_where_git_keeps_what_is_not_shown(box: ToolBox, root: Path, place: str) -> None:
    """In a workspace ``.git`` is a file that tells where Orchex keeps its repository."""
    (root / "sub").mkdir()
    for folder in (root, root / "sub"):
        (folder / ".git").write_text("gitdir: /home/me/.local/state/orchex\n")
    for refused in (call("view", path=place), call("list", path=place), call("search", pattern="x", path=place)):
        outcomes = await box.perform([refused])
        assert outcomes[0].failed, refused
        assert "gitdir" not in said(outcomes)[0]
    listed, found = said(await box.perform([call("list"), call("search", pattern="gitdir")]))
    assert ".git" not in listed
    assert "no line matches" in found


async def test_a_pattern_that_is_none_is_told_in_plain_words(box: ToolBox) -> None:
    [told] = said(await box.perform([call("search", pattern="(?<=a)b")]))
    assert told == "'(?<=a)b' is no RE2 pattern: invalid perl operator: (?<="


async def test_a_hostile_pattern_costs_no_time(box: ToolBox, root: Path) -> None:
    (root / "aaa").write_text("a" * 100_000 + "\n")
    (outcome,) = await box.perform([call("search", pattern="(a+)+$b")])
    assert outcome.block.content.startswith("no line matches")


def test_the_definitions_are_in_the_form_of_the_messages_api() -> None:
    definitions = tool_definitions()
    names = [definition.name for definition in definitions]
    assert names == "view create str_replace insert delete rename apply_patch list search run_command".split()  # noqa: SIM905
    for definition in definitions:
        assert definition.description
        assert definition.input_schema["type"] == "object"
        assert definition.input_schema["additionalProperties"] is False


async def test_an_error_of_the_command_host_is_not_answered_but_raised(root: Path) -> None:
    async def lost(command: str) -> CommandAnswer:
        raise ConnectionError("the host of commands is gone")

    box = ToolBox(root, trusted=True, owned=(), run_command=lost)
    with pytest.raises(ConnectionError):
        await box.perform([call("run_command", command="true")])


BODY = "MIIEowIBAAKCAQEA7bq1Yx0l9Nf3T6uVwYz2kJm4pQrS5tUvWxYz0123456789ab"


async def test_no_line_of_a_private_key_is_shown_whatever_is_asked_for(root: Path, box: ToolBox) -> None:
    """Whoever sees but a part of a file must not see the part of a key that has neither its beginning nor its end."""
    key = ["-----BEGIN PRIVATE KEY-----", *[BODY] * 4, "-----END PRIVATE KEY-----"]
    (root / "id").write_text("\n".join(["above", *key, "below"]) + "\n")
    outcomes = await box.perform(
        [
            call("view", path="id"),
            call("view", path="id", view_range=[4, 5]),
            call("search", pattern="above|MII|below"),
            call("search", pattern="^.redacted.$"),
            replace(f"{BODY}\n{BODY[:-1]}x", "y", path="id"),
        ]
    )
    assert BODY[:20] not in "".join(said(outcomes[:4]))
    assert "in the file: '[redacted]'" in said(outcomes)[4]
    assert "above" in said(outcomes)[0]
    assert "     8\tbelow" in said(outcomes)[0]


async def test_a_key_is_known_for_one_where_a_long_line_is_cut(root: Path, box: ToolBox) -> None:
    (root / "long.txt").write_text("x" * 1_990 + " ghp_0123456789abcdefghijABCDEFGHIJ012345 " + "y" * 500 + "\n")
    outcomes = await box.perform([call("view", path="long.txt")])
    assert "ghp_" not in said(outcomes)[0]


MARK = "[redacted]"


@pytest.mark.parametrize("trusted", [False], indirect=True)
async def test_what_stands_for_a_secret_is_not_written_in_its_place(box: ToolBox, root: Path, shell: Shell) -> None:
    (root / "config.py").write_text('URL = "postgres://app:hunter2hunter2@db/app"\nX = 1\n')
    before = (root / "config.py").read_bytes()
    for one in (
        call("create", path="config.py", file_text=f'URL = "postgres://{MARK}@db/app"\nX = 2\n'),
        call("create", path="new.py", file_text=f"{MARK}\n"),
        replace("X = 1", f"X = '{MARK}'", path="config.py"),
        call("insert", path="config.py", insert_line=1, insert_text=f"# {MARK}"),
        call("apply_patch", patch=f"--- a/config.py\n+++ b/config.py\n@@ -2 +2 @@\n-X = 1\n+X = '{MARK}'\n"),
        call("run_command", command=f"echo {MARK} > config.py"),
    ):
        [outcome] = await box.perform([one])
        assert outcome.failed, one.name
        assert "stands for a secret" in outcome.block.content
    assert (root / "config.py").read_bytes() == before
    assert not (root / "new.py").exists()
    assert shell.seen == []


@pytest.mark.parametrize("trusted", [False], indirect=True)
async def test_what_holds_the_word_already_can_be_edited(box: ToolBox, root: Path) -> None:
    (root / "log.py").write_text(f'HIDDEN = "{MARK}"\nX = 1\n')
    outcomes = await box.perform(
        [
            replace("X = 1", "X = 2", path="log.py"),
            call("create", path="log.py", file_text=f'SHOWN = "{MARK}"\nX = 3\n'),
            replace(f'"{MARK}"', f"'{MARK}'", path="log.py"),
        ]
    )
    assert not any(outcome.failed for outcome in outcomes), said(outcomes)
    assert (root / "log.py").read_text() == f"SHOWN = '{MARK}'\nX = 3\n"


@pytest.mark.parametrize("trusted", [True], indirect=True)
async def test_a_runbook_may_write_any_word(box: ToolBox, root: Path) -> None:
    [outcome] = await box.perform([call("create", path="new.py", file_text=f"{MARK}\n")])
    assert not outcome.failed
    assert (root / "new.py").read_text() == f"{MARK}\n"


async def test_a_search_tells_what_it_did_not_look_at(box: ToolBox, root: Path) -> None:
    (root / "large.txt").write_text("one\n" * 300_000)
    found, none = said(await box.perform([call("search", pattern="^one$"), call("search", pattern="nowhere")]))
    assert found == "a.txt:1: one\n… not searched, being over 1 MB: large.txt"
    assert none == "no line matches 'nowhere'\n… not searched, being over 1 MB: large.txt"
    [missing] = await box.perform([call("search", pattern="x", path="no/such")])
    assert (missing.failed, missing.block.content) == (True, "no/such: no such file or folder")


async def test_a_byte_order_mark_is_not_doubled(box: ToolBox, root: Path) -> None:
    (root / "bom.txt").write_bytes(b"\xef\xbb\xbfold\n")
    await box.perform([call("create", path="bom.txt", file_text="\ufeffnew\n")])
    assert (root / "bom.txt").read_bytes() == b"\xef\xbb\xbfnew\n"
