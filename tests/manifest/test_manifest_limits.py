"""Hostile texts and files get an error with a position, quickly, and nothing else."""

import os
import socket
from pathlib import Path

import pytest

from orchex.domain.diagnostic import Diagnostic
from orchex.domain.errors import InvalidManifest
from orchex.manifest import load_manifest, parse_manifest
from orchex.manifest.source import MAX_BYTES

HEAD = "name: m\nversion: 1.0.0\ndescription: d\n"
STREAM = HEAD + "streams:\n  api:\n    description: d\n    plan: p\n"
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


def first(text: str | bytes) -> Diagnostic:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text, "m.yaml")
    return caught.value.diagnostics[0]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        (BOMB, 5, 10, "more than 10000 values"),
        ("[" * 500, 1, 33, "deeper than 32 levels"),
        ("{a: " * 20_000, 1, 129, "deeper than 32 levels"),
        ("- " * 20_000, 1, 65, "deeper than 32 levels"),
        (
            "a: &a [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]",
            2,
            19,
            "through the alias",
        ),
        ("a: &a 1\nb: [" + "*a, " * 101 + "]", 2, 405, "more than 100 aliases"),
        ("&a [*a]", 1, 5, "inside of &a itself"),
        ("a: *x", 1, 4, "no &x before it"),
        ("a: [" + "x, " * 20_000 + "]", 1, 29_996, "more than 10000 values"),
        ("!!python/object/apply:os.system [ls]", 1, 1, "tag"),
        ("!foo\n", 1, 1, "tag"),
        ("!!str name: x\n", 1, 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, 1, "second YAML document"),
        ("a: [1\n", 2, 1, "not valid YAML"),
        ("a: b: c\n", 1, 5, "not valid YAML"),
        ("? [a]\n: b\n", 1, 3, "key that is not a plain text"),
        ("<<: {}\n", 1, 1, "merge key"),
        ("", 1, 1, "is empty"),
        ("# nothing\n", 1, 1, "is empty"),
        ("- a\n", 1, 1, "must be a mapping"),
        ("text", 1, 1, "must be a mapping"),
        ("#" * (MAX_BYTES + 1), 1, 1, "larger than 1024 KiB"),
        (b"#" * (MAX_BYTES + 1), 1, 1, "larger than 1024 KiB"),
        ("a: b\nc: \0", 2, 4, "NUL"),
        ("a: \x1b[31m", 1, 4, "U+001B"),
        ("a: \ud800", 1, 4, "U+D800"),
        (b"a: b\nname: caf\xe9\n", 2, 10, "not UTF-8"),
        ("a: b".encode("utf-16"), 1, 1, "UTF-16"),
        ("a: b".encode("utf-16-le"), 1, 2, "NUL"),
        ("a: b".encode("utf-32"), 1, 1, "UTF-32"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_cannot_be_read_is_one_error_with_a_position(
    text: str | bytes, line: int, column: int, message: str
) -> None:
    diagnostic = first(text)
    assert message in diagnostic.message
    assert (diagnostic.line, diagnostic.column) == (line, column)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("9" * 6_000, "number of 6000 characters"),
        ("1." + "1" * 6_000, "number of 6002 characters"),
        ("1e999", "finite"),
        (".nan", "finite"),
        ('"a\\0b"', "NUL"),
        ("null", "has no value"),
        ("~", "has no value"),
    ],
)
def test_a_value_that_cannot_be_used_does_not_hide_the_other_errors(value: str, message: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(f"{STREAM}    constraints: {{timeout: {value}, maxSteps: 0}}\n", "m.yaml")
    unusable, other = caught.value.diagnostics
    assert (unusable.line, unusable.column, unusable.path) == (8, 28, "streams.api.constraints.timeout")
    assert message in unusable.message
    assert other.path == "streams.api.constraints.maxSteps"


def test_a_key_given_twice_is_an_error_that_names_the_first() -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(f"{STREAM}    plan: q\n", "m.yaml")
    assert [str(each) for each in caught.value.diagnostics] == [
        "m.yaml:8:5: streams.api.plan: is there twice, first on line 7"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n" * 4_000,
        "".join(f"key{n}: 1\n" for n in range(4_900)),
        f"{HEAD}streams:\n" + "".join(f"  s{n}: {{}}\n" for n in range(3_000)),
        f"{STREAM}    needs: [" + "api, " * 5_000 + "]",
        f"{STREAM}    needs: [{', '.join(f'stream-{n}a' for n in range(3_000))}]\n"
        + "".join(f"  stream-{n}b: {{}}\n" for n in range(3_000)),
        f"{STREAM}    needs: [" + "ab" * 250_000 + "]\n  " + "ba" * 250_000 + ": {}\n",
        f"{HEAD}streams:\n"
        + "".join(f"  s{n}: {{needs: [{', '.join(f's{m}' for m in range(90))}]}}\n" for n in range(90)),
        STREAM.replace("plan: p", "oops: " + "${{ inputs.x " * 15_000),
        STREAM.replace("plan: p", "plan: " + "${{ inputs.x }} " * 15_000),
        "\n" * 1_000_000,
        ": " * 200_000,
        '"' + "\\0" * 500_000 + '"',
        "? " + "a" * 900_000 + "\n: 1",
    ],
    ids=range(13),
)
@pytest.mark.timeout(20)
def test_long_reports_are_made_in_seconds(text: str) -> None:
    assert first(text).line >= 1


def found(text: str) -> list[Diagnostic]:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text, "m.yaml")
    return caught.value.diagnostics


def test_costly_parts_of_a_report_are_bounded() -> None:
    misspelt = found("".join(f"description{n}: 1\n" for n in range(500)))
    assert sum(each.suggestion == "description" for each in misspelt) == 100
    knot = "".join(f"  s{n}: {{needs: [{', '.join(f's{m}' for m in range(9))}]}}\n" for n in range(9))
    circles = [each for each in found(f"{HEAD}streams:\n{knot}") if "circle" in each.message]
    assert len(circles) == 20
    assert len(found(STREAM.replace("plan: p", "plan: " + "${{ inputs.x }} " * 9))) == 1


def test_a_byte_order_mark_is_no_error_and_moves_nothing() -> None:
    assert parse_manifest(b"\xef\xbb\xbf" + STREAM.encode(), "m").name == "m"
    assert first(b"\xef\xbb\xbfname: \xff").column == 7
    assert first(b"\xef\xbb\xbf- a").column == 1
    assert first("\ufeffa: b: c").column == 5


def test_windows_line_ends_are_fine() -> None:
    assert parse_manifest(STREAM.replace("\n", "\r\n"), "m").name == "m"


def unreadable(tmp_path: Path) -> dict[str, Path]:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    return {
        "is a directory": tmp_path,
        "not a regular file": tmp_path / "fifo",
        "no such file": tmp_path / "missing.yaml",
        "too many levels of symbolic links": tmp_path / "loop",
        "no such device": tmp_path / "socket",
        "not a directory": tmp_path / "fifo" / "m.yaml",
        "file name too long": tmp_path / ("x" * 300),
        "no file name": Path("a\0b"),
        "is not a regular": Path("/dev/zero"),
        "larger than 1024 KiB": big(tmp_path / "big.yaml"),
    }


def big(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(2**40)
    return path


@pytest.mark.timeout(20)
def test_what_is_no_readable_file_is_refused_at_once(tmp_path: Path) -> None:
    for message, path in unreadable(tmp_path).items():
        with pytest.raises(InvalidManifest) as caught:
            load_manifest(path)
        [diagnostic] = caught.value.diagnostics
        assert message in diagnostic.message
        assert (diagnostic.line, diagnostic.column) == (1, 1)


def test_refused_files_leave_nothing_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in unreadable(tmp_path).values():
        with pytest.raises(InvalidManifest):
            load_manifest(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_message_is_safe_to_print(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\x1b[31m\xff\n.yaml")
    path.write_text('"\\e[31mkey": 1\nname: "\\e]0;x\\a"\nstreams: {"a\\eb": {needs: [ab]}}\n')
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(path)
    text = str(caught.value)
    assert text.encode()
    assert all(char.isprintable() for line in text.splitlines() for char in line)


@pytest.mark.parametrize(
    "pattern", ["link", "link/**/*.py", "./link/x.py", "a/../link", "file", "dangling", "inner/up/x"]
)
@pytest.mark.parametrize("place", ["context: {files: [%s]}", "owns: [%s]"])
def test_a_link_that_leads_out_of_the_project_is_an_error_with_a_position(
    tmp_path: Path, pattern: str, place: str
) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    (project / "inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("s")
    (project / "link").symlink_to(outside)
    (project / "file").symlink_to("../outside/secret")
    (project / "dangling").symlink_to("/nowhere/at/all")
    (project / "inner" / "up").symlink_to("../..")
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(f"{STREAM}    {place % pattern}\n", "m.yaml", project=project)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.line == 8
    assert "project" in diagnostic.message


def test_links_within_the_project_and_missing_files_are_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to("loop")
    files = '["link/x", real, missing/y, "*", loop, .]'
    assert parse_manifest(f"{STREAM}    context: {{files: {files}}}\n", "m", project=tmp_path)


def test_a_path_the_system_cannot_hold_is_judged_with_a_project_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="NUL"):
        parse_manifest(f'{STREAM}    context: {{files: ["a\\0b"]}}\n', "m", project=tmp_path)


def test_brackets_deeper_than_any_reader_goes_are_too_deep_wherever_it_stops() -> None:
    assert "deeper than 32 levels" in first("[" * 20_000).message
