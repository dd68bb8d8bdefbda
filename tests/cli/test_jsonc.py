"""Changing one member of JSON with comments leaves everything else as somebody wrote it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchex.cli.jsonc import Document, JsoncError

ENTRY = {"command": "/bin/orchex", "args": ["mcp"]}

COMMENTED = """\
// Servers of mine.
{
    /* the first */
    "servers": {
        "other": { "command": "other" }, // keep me
        // and me
    },
    "inputs": [1, 2, ], // three
}
"""


def plain(text: str) -> Any:
    return Document(text, "f").get()


def test_a_member_is_added_behind_the_others_and_their_comments() -> None:
    assert Document(COMMENTED, "f").put("servers", "orchex", value=ENTRY) == COMMENTED.replace(
        "        // and me\n",
        "        // and me\n"
        '        "orchex": {\n'
        '            "command": "/bin/orchex",\n'
        '            "args": [\n'
        '                "mcp"\n'
        "            ]\n"
        "        }\n",
    )


def test_a_member_is_replaced_where_it_stands() -> None:
    text = '{\n\t"servers": {\n\t\t"orchex": {"command": "old"}, // mine\n\t\t"z": {}\n\t}\n}'
    after = Document(text, "f").put("servers", "orchex", value={"command": "new"})
    assert after == text.replace('{"command": "old"}', '{\n\t\t\t"command": "new"\n\t\t}')


def test_of_an_object_that_is_there_only_what_differs_is_changed() -> None:
    text = (
        '{\n  "servers": {\n    "orchex": {\n      // where it is\n      "command": "old", // by me\n'
        '      "url": "x",\n      "off": true // for now\n    }\n  }\n}\n'
    )
    after = Document(text, "f").merge("servers", "orchex", value={"command": "new", "off": True, "args": ["mcp"]})
    assert after == text.replace('"old"', '"new"').replace('      "url": "x",\n', "").replace(
        '"off": true // for now\n', '"off": true, // for now\n      "args": [\n        "mcp"\n      ]\n'
    )
    assert Document(after, "f").merge("servers", "orchex", value=plain(after)["servers"]["orchex"]) == after


@pytest.mark.parametrize(
    "text",
    [
        COMMENTED,
        '{"servers": {"a": 1}}',
        '{"servers": {}}',
        "{}",
        "{ // nothing yet\n}",
        '{\r\n  "servers": {\r\n    "a": 1\r\n  }\r\n}\r\n',
        '\ufeff{\n  "servers": {"a": 1 /* one */ }\n}',
        '{\n  "servers": {\n    "a": "//no comment, \\"}"\n    // a comment }\n  }\n}',
        '{"a": [1, {"b": [ ]}], "servers": { }, "z": -1.5e3}',
        '{"servers": {"a": 1}, "servers": {"b": 2}}',
    ],
)
def test_what_was_added_can_be_taken_out_again(text: str) -> None:
    before = plain(text)
    added = Document(text, "f").put("servers", "orchex", value=ENTRY)
    kept = before.get("servers", {})
    assert plain(added) == {**before, "servers": {**kept, "orchex": ENTRY}}
    assert Document(added, "f").put("servers", "orchex", value=ENTRY) == added
    removed = Document(added, "f").without("servers", "orchex")
    assert plain(removed) == {**before, "servers": kept}
    merged = Document(added, "f").merge("servers", "orchex", value={"args": [], "new": {"a": 1}})
    assert plain(merged) == {**before, "servers": {**kept, "orchex": {"args": [], "new": {"a": 1}}}}
    for comment in ("// keep me", "// and me", "/* the first */", "// three", "/* one */", "// a comment }"):
        assert (comment in text) == (comment in added) == (comment in removed)
    assert ("\r\n" in text) == ("\r\n" in added)
    assert added.count("\n") == added.count("\r\n") or "\r\n" not in text


@pytest.mark.parametrize("text", ["", "  \n", "\ufeff"])
def test_an_empty_file_becomes_a_document(text: str) -> None:
    assert plain(Document(text, "f").put("servers", "orchex", value=ENTRY)) == {"servers": {"orchex": ENTRY}}
    assert Document(text, "f").without("servers", "orchex") == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "f:3:3"),
        ('{"a": }', "f:1:7"),
        ('{"a" 1}', "f:1:6"),
        ("{a: 1}", "f:1:2"),
        ('{"a": "x', "f:1:7"),
        ('{"a": "x\ny"}', "f:1:7"),
        ("[1, 2]", "f:1:1"),
        ('{"a": 1} x', "f:1:10"),
        ('{"a": 1', "f:1:8"),
        ('{"a": 01}', "f:1:8"),
        ('{"a": [1 2]}', "f:1:10"),
        ('{"a": tru}', "f:1:7"),
        ('{"a": /* open', "f:1:7"),
        ('{"a": ' + "[" * 300, "f:1:"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(JsoncError) as refused:
        Document(text, "f")
    assert str(refused.value).startswith(place)


def test_a_section_that_holds_no_servers_is_refused() -> None:
    document = Document('{\n  "servers": []\n}', "f")
    with pytest.raises(JsoncError, match=r"^f:2:14: servers: is not an object"):
        document.put("servers", "x", value={})
    with pytest.raises(JsoncError, match=r"^f:2:14: servers: is not an object"):
        document.without("servers", "x")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text(max_size=3), values, max_size=3),
    st.dictionaries(st.text(max_size=3), values, max_size=3),
    st.sampled_from([None, 0, 2, "\t"]),
    st.integers(0, 3),
)
def test_whatever_else_there_is_stays(
    rest: dict[str, Any], servers: dict[str, Any], indent: int | str | None, place: int
) -> None:
    members = [(key, value) for key, value in rest.items() if key != "servers"]
    members.insert(place, ("servers", servers))
    text = json.dumps(dict(members), indent=indent)
    added = Document(text, "f").put("servers", "orchex", value=ENTRY)
    assert json.loads(added) == {**json.loads(text), "servers": {**servers, "orchex": ENTRY}}
    assert json.loads(Document(added, "f").without("servers", "orchex")) == json.loads(text)
