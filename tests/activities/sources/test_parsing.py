"""What parsers tell of a file, and that no file can make them hang, crash or answer wrongly."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.sources.cache import MAX_ENTRIES, ParseCache, cache_key
from activities.sources.parsed import MAX_IMPORTS, Language, Parsed, language_of
from activities.sources.parsing import MAX_FAILURES, Parsing


@pytest.fixture(scope="module")
def parsing() -> Iterator[Parsing]:
    with Parsing() as parsing:
        yield parsing


@pytest.mark.parametrize(
    ("language", "source", "imports"),
    [
        ("python", "import a.b.c, d as e", ["a.b.c", "d"]),
        ("python", "from a.b import c, d as e", ["a.b:c", "a.b:d"]),
        ("python", "from . import x\nfrom ..up import y\nfrom .m import *", [".:x", "..up:y", ".m:*"]),
        (
            "python",
            "try:\n import a\nexcept ImportError:\n import b\nelse:\n import c\nfinally:\n import d",
            list("abcd"),
        ),
        ("python", "if TYPE_CHECKING:\n import a\nelif x:\n import b\nelse:\n import c", ["a", "b", "c"]),
        ("python", "def f():\n  async def g():\n    with x:\n      import a", ["a"]),
        ("python", "match x:\n  case 1:\n    import a", ["a"]),
        ("python", "importlib.import_module('a.b')\n__import__('c')\nimport_module(name)", ["a.b", "c"]),
        ("python", "import a\nimport a", ["a"]),
        ("python", "# -*- coding: latin-1 -*-\nimport a  # \xe9", ["a"]),
        ("python", "\ufeffimport a", ["a"]),
        ("python", "import a\nprint 'old'\nfrom b import (c,\n  d)\n", ["a", "b:c", "b:d"]),
        ("python", "x = 'import a'\n", []),
        (
            "javascript",
            "import a from './a'; import './b'; export * from \"./c\"; export {d} from './d'",
            ["./a", "./b", "./c", "./d"],
        ),
        ("javascript", "const a = require('./a'); require(b); require.resolve('./c')", ["./a", "./c"]),
        ("javascript", "await import('./a'); import(`./b`); import(`./${c}`); import(d)", ["./a", "./b"]),
        ("javascript", "const x = <A b={require('./c')}>import e from 'f'</A>", ["./c"]),
        ("javascript", "// import a from './a'\nconst s = \"require('./b')\"", []),
        (
            "typescript",
            "import type {A} from './a'; import b = require('./b'); let c: import('./c').C",
            ["./a", "./b", "./c"],
        ),
        ("tsx", "import {A} from './a'; export const b = <A<string> x={1 as any} />", ["./a"]),
        ("go", 'package a\nimport "fmt"\nimport (\n\tx "m/x"\n\t_ `m/y`\n\t. "m/z"\n)', ["fmt", "m/x", "m/y", "m/z"]),
        ("go", 'package a\nvar s = "m/x" // import "m/y"', []),
    ],
)
def test_imports_are_told_as_the_file_spells_them(
    parsing: Parsing, language: Language, source: str, imports: list[str]
) -> None:
    encoding = "latin-1" if "latin-1" in source else "utf-8"
    parsed = parsing.parse(language, source.encode(encoding))
    assert (sorted(parsed.imports), parsed.failure) == (sorted(imports), "")


@pytest.mark.parametrize(
    ("language", "source", "outline"),
    [
        ("python", "import a\n\nX = [\n 1,\n 2,\n 3,\n]\n", [(1, 1), (3, 5)]),
        ("python", '@d\ndef f(\n  a,\n):\n  """Doc.\n\n  More."""\n  return 1\n', [(1, 5)]),
        (
            "python",
            "class A:\n  x: int = 1\n  def m(self): return 1\n\n  @p\n  def n(self):\n    y = 1\n",
            [(1, 1), (2, 2), (3, 3), (5, 6)],
        ),
        ("python", "if x:\n  def f():\n    pass\n", [(2, 2)]),
        ("typescript", "export class A {\n  m(): void {\n    x()\n  }\n}\n", [(1, 1), (2, 2)]),
        ("typescript", "export function f(\n  a: A,\n) {\n  return\n}\n", [(1, 3)]),
        ("go", "package a\n\nfunc (s *S) M() {\n\tx()\n}\n", [(1, 1), (3, 3)]),
    ],
)
def test_an_outline_holds_the_heads_of_what_is_defined(
    parsing: Parsing, language: Language, source: str, outline: list[tuple[int, int]]
) -> None:
    assert list(parsing.parse(language, source.encode()).outline) == outline


HOSTILE: list[tuple[Language, bytes]] = [
    ("python", b"-" * 100_000 + b"1"),
    ("python", b"a" + b".b" * 100_000),
    ("python", b"not " * 50_000 + b"a"),
    ("python", b"if a:\n pass\n" + b"elif b:\n pass\n" * 20_000),
    ("python", b"(" * 100_000),
    ("python", b"import a\0b"),
    ("python", b"# coding: no-such\nimport a"),
    ("python", b"\xff\xfe\x00"),
    ("python", b"x = '" + b"a" * 900_000),
    ("javascript", b"<a>{" * 100_000),
    ("typescript", b"class A{" * 50_000),
    ("go", b"/*" * 100_000),
]


@pytest.mark.parametrize(("language", "data"), HOSTILE)
def test_a_hostile_file_gets_an_answer(parsing: Parsing, language: Language, data: bytes) -> None:
    parsed = parsing.parse(language, data)
    assert parsed.failure or isinstance(parsed.imports, tuple)
    assert parsing.parse("python", b"import after").imports == ("after",)


def test_a_parser_that_is_kept_busy_is_ended_and_the_next_file_is_parsed() -> None:
    with Parsing() as parsing:
        assert "took too long" in parsing.parse("javascript", b"(" * 500_000).failure
        assert parsing.parse("javascript", b"import './a'").imports == ("./a",)


def test_files_that_end_the_parser_again_and_again_end_the_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.sources.parsing._PROGRAM", "import os; os.abort()")
    with Parsing() as parsing:
        failures = [parsing.parse("python", b"import a").failure for _ in range(MAX_FAILURES + 2)]
    assert [failure for failure in failures if "crashed" in failure] == failures[:MAX_FAILURES]
    assert all("not parsed" in failure for failure in failures[MAX_FAILURES:])


def test_the_parsing_process_is_gone_afterwards_and_gets_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANARY", "in the environment")
    with Parsing() as parsing:
        parsing.parse("python", b"")
        process = parsing._process
        assert process is not None
        assert b"CANARY" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    assert process.returncode is not None


def test_a_huge_list_of_imports_is_cut(parsing: Parsing) -> None:
    source = "\n".join(f"import m{number}" for number in range(MAX_IMPORTS * 2))
    assert len(parsing.parse("python", source.encode()).imports) == MAX_IMPORTS


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(language=st.sampled_from(["python", "javascript", "typescript", "tsx", "go"]), data=st.binary(max_size=200))
def test_any_bytes_get_an_answer(parsing: Parsing, language: Language, data: bytes) -> None:
    assert parsing.parse(language, data) == parsing.parse(language, data)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"),
        ("b.pyi", "python"),
        ("X.TSX", "tsx"),
        ("a.mjs", "javascript"),
        ("a.cts", "typescript"),
        ("a.rs", None),
        ("Makefile", None),
    ],
)
def test_the_suffix_says_the_language(path: str, language: Language | None) -> None:
    assert language_of(path) == language


def test_the_same_content_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Parsing(ParseCache(tmp_path / "cache")) as parsing:
        first = parsing.parse("python", b"import a\ndef f(): pass")
    monkeypatch.setattr("activities.sources.parsing._PROGRAM", "import os; os.abort()")
    with Parsing(ParseCache(tmp_path / "cache")) as parsing:
        assert parsing.parse("python", b"import a\ndef f(): pass") == first
        assert parsing.parse("javascript", b"import a\ndef f(): pass").failure
        assert parsing.parse("python", b"import b").failure


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"x": 1}', b"\xff"])
def test_a_damaged_cache_costs_parsing_again_and_nothing_else(tmp_path: Path, damage: bytes) -> None:
    with Parsing(ParseCache(tmp_path)) as parsing:
        parsing.parse("python", b"import a")
    (file,) = tmp_path.iterdir()
    kept = json.loads(file.read_bytes())
    others = [json.dumps(dict.fromkeys(kept, value)).encode() for value in ([1, 2], [[1], [[1]], 2])]
    for content in (damage, *others):
        file.write_bytes(content)
        with Parsing(ParseCache(tmp_path)) as parsing:
            assert parsing.parse("python", b"import a").imports == ("a",)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Parsing(ParseCache(tmp_path / "file" / "cache")) as parsing:
        assert parsing.parse("python", b"import a").imports == ("a",)


def test_a_cache_does_not_grow_for_ever(tmp_path: Path) -> None:
    for start in range(0, MAX_ENTRIES * 3, MAX_ENTRIES):
        cache = ParseCache(tmp_path)
        for number in range(start, start + MAX_ENTRIES):
            cache.put(f"ab{number}", Parsed())
        cache.flush()
    assert len(json.loads((tmp_path / "ab").read_bytes())) <= MAX_ENTRIES
    assert ParseCache(tmp_path).get(f"ab{MAX_ENTRIES * 3 - 1}") == Parsed()
    assert [file.name for file in tmp_path.iterdir()] == ["ab"]


def test_the_key_of_a_content_tells_languages_apart() -> None:
    assert cache_key("python", b"x") != cache_key("go", b"x")
    assert cache_key("python", b"x") == cache_key("python", b"x")
