"""A runbook: which Markdown makes which steps and actions."""

import contextlib
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.models.actions import parse_markdown, read_actions
from activities.models.runbook import RunbookProvider, parse_runbook
from orchex.domain.errors import PlanInvalid
from orchex.domain.plan import Plan
from orchex.domain.turn import Message, TextBlock, ToolResultBlock, TurnRequest, TurnResult


def plan(markdown: str) -> Plan:
    return parse_runbook(textwrap.dedent(markdown))


def titles(markdown: str) -> list[str]:
    return [step.title for step in plan(markdown).steps]


def actions(markdown: str) -> list[tuple[str, dict[str, str]]]:
    text = textwrap.dedent(markdown)
    return [(action.tool, action.input) for action in read_actions(parse_markdown(text))]


class TestSteps:
    def test_top_level_numbered_items_are_the_steps(self) -> None:
        markdown = """\
            # Fix the total

            Some words.

            1. **Write** the `rate` file:
               ```text path=rate.txt
               7
               ```
            2. Nothing to do here
               - nested
                 1. deeper
                    ```sh
                    make deep
                    ```
            3) Another list

            ```sh
            make
            ```
            """
        steps = plan(markdown).steps
        assert [(step.title, step.files, step.commands) for step in steps] == [
            ("Write the rate file", ("rate.txt",), ()),
            ("Nothing to do here", (), ("make deep",)),
            ("Another list", (), ("make",)),
        ]

    def test_headings_with_actions_are_steps_and_headings_without_are_titles(self) -> None:
        markdown = """\
            Title
            =====

            # Also a title

            ## First
            ```sh
            one
            ```
            ### Part of the first? No: a heading of its own
            ```sh
            two
            ```
            ## Notes
            words
            """
        assert titles(markdown) == ["First", "Part of the first? No: a heading of its own"]

    def test_a_numbered_item_without_a_fence_is_a_note_and_counts(self) -> None:
        assert titles("1. Read the code\n2. Run\n   ```sh\n   ls\n   ```\n3. Be glad\n") == [
            "Read the code",
            "Run",
            "Be glad",
        ]

    def test_a_heading_over_numbered_items_is_no_step(self) -> None:
        assert titles("# A\n1. one\n   ```sh\n   ls\n   ```\n# B\n1. two\n   ```sh\n   ls\n   ```\n") == ["one", "two"]

    def test_a_fence_outside_any_item_belongs_to_the_last_step_before_it(self) -> None:
        steps = plan("1. one\n\n```sh\nfirst\n```\n\n2. two\n\nwords\n\n- bullet\n  ```sh\n  second\n  ```\n").steps
        assert [(step.title, step.commands) for step in steps] == [("one", ("first",)), ("two", ("second",))]

    def test_fences_before_the_first_step_make_one_of_their_own(self) -> None:
        steps = plan("Get ready:\n\n```sh\nprepare\n```\n\n1. go\n   ```sh\n   go\n   ```\n").steps
        assert [(step.title, step.commands) for step in steps] == [("Get ready", ("prepare",)), ("go", ("go",))]

    @pytest.mark.parametrize(
        ("fence", "title"),
        [
            ("```sh\nmake all\n```", "Run make all"),
            ("```python path=a.py\n```", "Write a.py"),
            ("```diff\n--- a\n+++ a\n@@\n-x\n+y\n```", "Patch a"),
        ],
    )
    def test_a_step_without_words_is_named_after_its_first_action(self, fence: str, title: str) -> None:
        assert titles(fence) == [title]

    def test_bulleted_and_quoted_lists_are_no_steps(self) -> None:
        assert titles("- a\n  ```sh\n  ls\n  ```\n> 1. quoted\n") == ["Run ls"]

    def test_a_long_title_is_cut(self) -> None:
        assert [len(title) for title in titles(f"1. {'x' * 999}\n   ```sh\n   ls\n   ```\n")] == [200]

    def test_a_plan_with_crlf_reads_like_one_without(self) -> None:
        text = "1. a\n   ```text path=a.txt\n   x\n   y\n   ```\n2. b\n   ```sh\n   ls\n   pwd\n   ```\n"
        assert parse_runbook(text.replace("\n", "\r\n")) == parse_runbook(text)


class TestActions:
    def test_a_path_writes_the_file_whatever_the_language(self) -> None:
        markdown = """\
            ```python path=src/x.py
            x = 1
            ```
            ~~~~ path="docs/read me.md" title="notes"
            ```sh
            not run
            ```
            ~~~~
            ```sh title='a b' path='it is.sh'
            #!/bin/sh
            ```
            ```path=./plain//x
            ```
            """
        assert actions(markdown) == [
            ("create", {"path": "src/x.py", "file_text": "x = 1\n"}),
            ("create", {"path": "docs/read me.md", "file_text": "```sh\nnot run\n```\n"}),
            ("create", {"path": "it is.sh", "file_text": "#!/bin/sh\n"}),
            ("create", {"path": "plain/x", "file_text": ""}),
        ]

    def test_content_in_a_list_item_is_dedented_as_commonmark_does(self) -> None:
        markdown = (
            "1. a\n\n   ```make path=Makefile\n   all:\n   \techo\n\n     two\n   ```\n"
            "10. b\n    ~~~py path=b.py\n    if x:\n        y\n    ~~~\n"
        )
        assert [given["file_text"] for _, given in actions(markdown)] == ["all:\n\techo\n\n  two\n", "if x:\n    y\n"]

    def test_a_longer_fence_holds_a_shorter_one(self) -> None:
        assert actions("````md path=README.md\n```sh\nrm -rf x\n```\n````\n") == [
            ("create", {"path": "README.md", "file_text": "```sh\nrm -rf x\n```\n"})
        ]

    def test_shell_fences_are_commands(self) -> None:
        markdown = (
            "```sh\nmake test\n```\n```shell\na\nb\n```\n```SH title=x\ntest\n```\n"
            "```bash\nif [[ 'x' ]]; then\nls\nfi\n```\n"
        )
        assert [given["command"] for _, given in actions(markdown)] == [
            "make test",
            "set -e\na\nb",
            "test",
            "bash -ec 'if [[ '\"'\"'x'\"'\"' ]]; then\nls\nfi'",
        ]

    def test_other_fences_quotes_and_indented_code_are_prose(self) -> None:
        markdown = """\
            ```python
            x = 1
            ```
            ```console
            $ rm -rf /
            ```
            ```
            rm -rf /
            ```

                rm -rf /

            > ```sh
            > rm -rf /
            > ```

            <!--
            ```sh
            rm -rf /
            ```
            -->

            `rm -rf /`
            """
        assert actions(markdown) == []

    @pytest.mark.parametrize(
        ("markdown", "line", "reason"),
        [
            ("words\n\n```sh\nls\n", 3, "never closed"),
            ("1. a\n   ```sh\n   ls\n\nback at the margin\n```\n", 2, "never closed"),
            ("```python\nprose that swallows the rest\n\n~~~sh\nls\n~~~\n", 1, "never closed"),
            ("```sh\n\n```", 1, "an empty command"),
            ('\n```py path="a.py\n```', 2, "quotes"),
            ("```py path=\n```", 1, "empty"),
            ("```py path=a path=b\n```", 1, "two path="),
            ("```py path=a ü.py\n```", 1, "ends where ü.py begins"),
            ("```py path=../a\n```", 1, "climbs"),
            ("```py path=/etc/passwd\n```", 1, "absolute"),
            ("```py path=src/\n```", 1, "folder"),
            ("```py path=.git/hooks/x\n```", 1, "git's own"),
            ("```diff\nnothing\n```", 1, "names no file"),
            ("1. a\n\n   ```diff\n   --- a/x\n   +++ b/x\n   @@\n   oops\n   ```\n", 3, "starts with no space"),
        ],
    )
    def test_a_broken_action_is_refused_with_its_line(self, markdown: str, line: int, reason: str) -> None:
        with pytest.raises(PlanInvalid, match=f"plan line {line}: .*{reason}"):
            parse_runbook(markdown)

    @pytest.mark.parametrize("markdown", ["", "just words", "1. do it\n2. well\n", "```console\n$ ls\n```\n"])
    def test_a_plan_without_any_action_is_invalid(self, markdown: str) -> None:
        with pytest.raises(PlanInvalid, match="no action"):
            parse_runbook(markdown)

    def test_the_files_of_a_diff_are_known_beforehand(self) -> None:
        (step,) = plan(
            "```diff\n--- a/x\n+++ b/x\n@@\n-1\n+2\n--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n```\n"
        ).steps
        assert step.files == ("x", "old")


blocks = st.sampled_from(
    [
        "# Heading\n",
        "Setext\n---\n",
        "words\n",
        "\n",
        "1. item\n",
        "2. item\n\n   more\n",
        "- bullet\n",
        "   - nested\n",
        "   3. nested\n",
        "> quote\n",
        "```sh\nls\n```\n",
        "   ```sh\n   cd x\n   ```\n",
        "  ~~~py path=a.py\n  x\n  ~~~\n",
        "\t```sh\n\tmake\n\t```\n",
        "<div>\n",
        "<!-- c -->\n",
        "    code\n",
        "[l]: /url\n",
        "***\n",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(blocks, max_size=14).map("".join))
def test_the_steps_hold_every_action_once_and_in_order(markdown: str) -> None:
    """A step's text is read anew when it is carried out: it must then say what it said within the plan."""
    try:
        whole = read_actions(parse_markdown(markdown))
        steps = parse_runbook(markdown).steps
    except PlanInvalid:
        return
    again = [action for step in steps for action in read_actions(parse_markdown(step.text))]
    assert [(action.tool, action.input) for action in again] == [(action.tool, action.input) for action in whole]
    assert [command for step in steps for command in step.commands] == [a.command for a in whole if a.command]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fail_otherwise(markdown: str) -> None:
    with contextlib.suppress(PlanInvalid):
        parse_runbook(markdown)


def request(*messages: Message) -> TurnRequest:
    return TurnRequest(model="runbook", messages=messages)


async def turn(text: str, *before: str) -> TurnResult:
    content = tuple(TextBlock(text=block) for block in (*before, text))
    return await RunbookProvider().turn(request(Message(role="user", content=content)))


class TestProvider:
    async def test_a_turn_calls_the_tools_of_the_step_in_order_with_the_same_ids_each_time(self) -> None:
        text = "1. a\n   ```py path=a.py\n   x\n   ```\n   ```sh\n   ls\n   ```\n"
        first, second = await turn(text), await turn(text)
        assert first == second
        assert first.stop_reason == "tool_use"
        assert [(call.name, call.input) for call in first.tool_calls] == [
            ("create", {"path": "a.py", "file_text": "x\n"}),
            ("run_command", {"command": "ls"}),
        ]
        assert len({call.id for call in first.tool_calls}) == 2
        assert first.usage.total == 0

    async def test_only_the_last_text_acts_so_that_quoted_context_never_does(self) -> None:
        result = await turn("```sh\nls\n```\n", "README:\n```sh\nrm -rf /\n```\n")
        assert [call.input["command"] for call in result.tool_calls] == ["ls"]

    async def test_the_turn_after_the_results_ends(self) -> None:
        asked = Message(role="user", content=(TextBlock(text="```sh\nls\n```\n"),))
        first = await RunbookProvider().turn(request(asked))
        results = Message(
            role="user",
            content=tuple(ToolResultBlock(tool_use_id=call.id, content="ok") for call in first.tool_calls),
        )
        last = await RunbookProvider().turn(request(asked, Message(role="assistant", content=first.content), results))
        assert last.stop_reason == "end_turn"
        assert last.tool_calls == ()

    async def test_a_note_ends_at_once(self) -> None:
        result = await turn("1. just words\n")
        assert (result.stop_reason, result.tool_calls) == ("end_turn", ())


def test_every_plan_of_the_example_manifests_is_a_runbook() -> None:
    manifests = Path(__file__).parents[3] / "manifests"
    plans = [
        stream["plan"]
        for file in manifests.glob("*.yaml")
        for stream in yaml.safe_load(file.read_text())["streams"].values()
    ]
    assert plans
    for text in plans:
        assert parse_runbook(text).steps


def test_a_diff_may_name_a_file_whose_name_is_no_text() -> None:
    found = plan("""
        1. Mend it

           ```diff
           --- "a/caf\\351.txt"
           +++ "b/caf\\351.txt"
           @@ -1 +1 @@
           -a
           +b
           ```
    """)
    assert found.steps[0].files == (r"caf\xe9.txt",)
    assert Plan.model_validate_json(found.model_dump_json()) == found
