"""A moderate context: what the named files import, found as the language itself would find it."""

import json

import pytest

from activities.context import gather
from tests.activities.context.conftest import MakeProject


def imported(make: MakeProject, files: dict[str, str | bytes], *named: str) -> list[str]:
    pack = gather(make(files), named, "moderate")
    assert [file.path for file in pack.files[: len(named)]] == list(named)
    return [file.path for file in pack.files[len(named) :]]


def plain(*names: str) -> dict[str, str | bytes]:
    return dict.fromkeys(names, "\n")


@pytest.mark.parametrize(
    ("importer", "source", "files", "found"),
    [
        ("a.py", "import b", ["b.py", "c.py"], ["b.py"]),
        ("a.py", "import b.c", ["b/__init__.py", "b/c.py"], ["b/c.py"]),
        ("a.py", "from b import c, d", ["b/__init__.py", "b/c.py"], ["b/__init__.py", "b/c.py"]),
        ("a.py", "from b import *", ["b/__init__.py", "b/c.py"], ["b/__init__.py"]),
        ("a.py", "import b", ["b/__init__.py", "b.py"], ["b/__init__.py"]),
        ("a.py", "from n.p import m", ["n/p/m.py"], ["n/p/m.py"]),
        ("a.py", "import b, e", ["b.pyi", "e.py", "e.pyi"], ["b.pyi", "e.py"]),
        ("a.py", "import b", ["typings/b.pyi"], ["typings/b.pyi"]),
        ("a.py", "import b.c", ["b-stubs/c.pyi"], ["b-stubs/c.pyi"]),
        ("a.py", "import os, a, missing", ["os/x.py"], []),
        ("p/a.py", "from . import b", ["p/__init__.py", "p/b.py"], ["p/b.py"]),
        ("p/a.py", "from . import name", ["p/__init__.py"], ["p/__init__.py"]),
        ("p/q/a.py", "from ..r import b\nfrom ... import t", ["p/r/b.py", "t.py"], ["p/r/b.py", "t.py"]),
        ("p/a.py", "from ...x import y\nfrom .... import z", ["x/y.py", "z.py"], []),
        ("p/__init__.py", "from .b import c", ["p/b.py"], ["p/b.py"]),
        ("src/app/a.py", "import app.b", ["src/app/__init__.py", "src/app/b.py"], ["src/app/b.py"]),
        ("tests/test_a.py", "import app.b", ["src/app/b.py", "pyproject.toml"], ["src/app/b.py"]),
        ("tests/test_a.py", "import helpers", ["tests/helpers.py", "helpers.py"], ["tests/helpers.py"]),
        (
            "tests/test_a.py",
            "import lib.x",
            ["services/one/pyproject.toml", "services/one/src/lib/x.py"],
            ["services/one/src/lib/x.py"],
        ),
        ("a.py", "try:\n  import b\nexcept ImportError:\n  import c", ["b.py", "c.py"], ["b.py", "c.py"]),
        ("a.py", "def broken(:\nimport b", ["b.py"], ["b.py"]),
        ("a.py", "import b", ["node_modules/b.py", ".venv/b.py"], []),
    ],
)
def test_python_imports(make: MakeProject, importer: str, source: str, files: list[str], found: list[str]) -> None:
    assert sorted(imported(make, plain(*files) | {importer: source}, importer)) == found


@pytest.mark.parametrize(
    ("importer", "source", "files", "found"),
    [
        ("src/a.ts", "import './b'", ["src/b.ts", "src/b.js"], ["src/b.ts"]),
        (
            "src/a.ts",
            "import './b.js'; import './c.mjs'; import './d.jsx'",
            ["src/b.ts", "src/c.mts", "src/d.tsx"],
            ["src/b.ts", "src/c.mts", "src/d.tsx"],
        ),
        ("src/a.js", "require('./b'); require('../c')", ["src/b/index.js", "c.cjs"], ["c.cjs", "src/b/index.js"]),
        ("src/a.js", "import '.'; import '..'", ["src/index.js", "index.ts"], ["index.ts", "src/index.js"]),
        ("src/a.js", "import './b/'", ["src/b.js", "src/b/index.js"], ["src/b.js"]),
        (
            "a.ts",
            "import './data.json'; import './pic.svg?raw'; import x from './V.vue'",
            ["data.json", "pic.svg", "V.vue"],
            ["V.vue", "data.json", "pic.svg"],
        ),
        ("a.ts", "import './types'", ["types.d.ts"], ["types.d.ts"]),
        ("a.ts", "import '../../etc/passwd'; import '/etc/passwd'; import '..'", ["etc/passwd"], []),
        ("a.ts", "import 'react'; import 'node:fs'; import './gone'", ["react.ts"], []),
        ("a.ts", "export * from './b'; await import('./c')", ["b.ts", "c.tsx"], ["b.ts", "c.tsx"]),
        ("a.ts", "import './a'", [], []),
    ],
)
def test_script_imports(make: MakeProject, importer: str, source: str, files: list[str], found: list[str]) -> None:
    assert sorted(imported(make, plain(*files) | {importer: source}, importer)) == found


TSCONFIG = """{
  // comments, and a trailing comma
  "compilerOptions": {
    "baseUrl": "./src", /* "paths": {"@x": ["no"]}, */
    "paths": {"@/*": ["app/*"], "@/special/*": ["special/*"], "one": ["one.ts"], "//": ["comment"],},
  },
}"""


def test_paths_and_base_url_of_a_tsconfig(make: MakeProject) -> None:
    files = plain("src/app/b.ts", "src/special/c.ts", "src/one.ts", "src/utils/d.ts", "src/app/special/c.ts")
    files |= {"tsconfig.json": TSCONFIG}
    files |= {"src/app/a.ts": "import '@/b'; import '@/special/c'; import 'one'; import 'utils/d'; import '@/none'"}
    assert imported(make, files, "src/app/a.ts") == ["src/app/b.ts", "src/one.ts", "src/special/c.ts", "src/utils/d.ts"]


def test_a_tsconfig_inherits_paths_and_is_found_above_the_file(make: MakeProject) -> None:
    files = plain("web/lib/b.ts", "web/c.ts")
    files |= {
        "base/tsconfig.base.json": '{"compilerOptions": {"paths": {"~/*": ["../web/lib/*"]}}}',
        "web/tsconfig.json": '{"extends": ["missing", "../base/tsconfig.base"], "compilerOptions": {"baseUrl": "."}}',
        "web/deep/er/a.ts": "import '~/b'; import 'c'",
    }
    assert imported(make, files, "web/deep/er/a.ts") == ["web/c.ts", "web/lib/b.ts"]


def test_a_tsconfig_of_references_only_lends_the_paths_of_what_it_refers_to(make: MakeProject) -> None:
    files = plain("src/b.ts") | {
        "tsconfig.json": '{"files": [], "references": [{"path": "./tsconfig.app.json"}, {"path": 1}, 2]}',
        "tsconfig.app.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}',
        "src/a.ts": "import '@/b'",
    }
    assert imported(make, files, "src/a.ts") == ["src/b.ts"]


def test_configurations_that_extend_each_other_come_to_an_end(make: MakeProject) -> None:
    files = plain("b.ts") | {
        "tsconfig.json": '{"extends": "./other.json"}',
        "other.json": '{"extends": "./tsconfig.json", "references": [{"path": "."}]}',
        "a.ts": "import './b'; import 'b'",
    }
    assert imported(make, files, "a.ts") == ["b.ts"]


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[1]",
        "/*",
        '"',
        "{" * 5000,
        '{"compilerOptions": 1}',
        '{"compilerOptions": {"paths": {"*": 1, "a*b*": [1, "c"]}, "baseUrl": 3}}',
        '{"extends": {"a": 1}, "name": 1, "main": [], "imports": 7, "exports": {".": {".": 1}}}',
    ],
)
def test_a_configuration_that_makes_no_sense_is_none(make: MakeProject, config: str) -> None:
    files = plain("b.ts") | {
        "tsconfig.json": config,
        "package.json": config,
        "a.ts": "import './b'; import '#x'; import 'c'",
    }
    assert imported(make, files, "a.ts") == ["b.ts"]


def test_packages_of_the_same_repository(make: MakeProject) -> None:
    files = plain(
        "packages/one/src/index.ts",
        "packages/two/lib/main.js",
        "packages/three/src/deep.ts",
        "packages/four/index.ts",
        "packages/five/src/public/x.ts",
        "packages/app/internal/log.ts",
        "packages/six/start.ts",
    )
    files |= {
        "packages/one/package.json": json.dumps({"name": "@acme/one", "main": "./dist/index.js"}),
        "packages/two/package.json": json.dumps({"name": "two", "main": "lib/main"}),
        "packages/three/package.json": json.dumps({"name": "three"}),
        "packages/four/package.json": json.dumps({"name": "four", "main": "."}),
        "packages/five/package.json": json.dumps(
            {"name": "five", "exports": {"./*": {"import": ["./src/public/*.ts"], "default": None}}}
        ),
        "packages/six/package.json": json.dumps({"name": "six", "exports": "./start.ts"}),
        "packages/app/package.json": json.dumps({"name": "app", "imports": {"#log": "./internal/log.js"}}),
        "packages/app/src/a.ts": "import '@acme/one'; import 'two'; import 'three/deep'; import 'four'; "
        "import 'five/x'; import '#log'; import 'six'; import '../../two'",
    }
    assert imported(make, files, "packages/app/src/a.ts") == [
        "packages/app/internal/log.ts",
        "packages/five/src/public/x.ts",
        "packages/four/index.ts",
        "packages/one/src/index.ts",
        "packages/six/start.ts",
        "packages/three/src/deep.ts",
        "packages/two/lib/main.js",
    ]


GO = {
    "go.mod": "module example.com/m // it is\n"
    "replace (\n\texample.com/other v1.2.3 => ./third/other\n)\nreplace example.com/up => ../up\n",
    "main.go": "package main",
    "a/a.go": 'package a\nimport (\n "fmt"\n "example.com/m/b"\n o "example.com/other/x"\n'
    ' "example.com/up"\n "example.com/m"\n)',
    "a/util.go": "package a",
    "a/a_test.go": "package a",
    "a/help_test.go": "package a",
    "b/b.go": "package b",
    "b/c.go": "package b",
    "b/b_test.go": "package b",
    "b/deep/d.go": "package deep",
    "third/other/x/x.go": "package x",
    "nested/go.mod": "module example.com/m/nested",
    "nested/n.go": "package nested",
    "c.go": 'package main\nimport "example.com/m/nested"',
}


def test_go_imports_are_folders_and_a_package_is_read_with_its_own_files(make: MakeProject) -> None:
    pack = gather(make(GO), ["a/a.go"], "moderate")
    assert [(file.path, file.reason) for file in pack.files] == [
        ("a/a.go", "named"),
        ("b/b.go", "imported by a/a.go"),
        ("b/c.go", "imported by a/a.go"),
        ("c.go", "imported by a/a.go"),
        ("main.go", "imported by a/a.go"),
        ("third/other/x/x.go", "imported by a/a.go"),
        ("a/util.go", "of the same package as a/a.go"),
    ]


def test_a_go_test_is_read_with_the_tests_beside_it(make: MakeProject) -> None:
    assert imported(make, dict(GO), "a/a_test.go") == ["a/a.go", "a/help_test.go", "a/util.go"]


def test_the_nearest_go_module_is_meant(make: MakeProject) -> None:
    assert imported(make, dict(GO), "c.go") == ["nested/n.go", "main.go"]


def test_one_hop_and_what_most_import_first(make: MakeProject) -> None:
    files = {"a.py": "import c, d", "b.py": "import d", "c.py": "import e", "d.py": "import a", "e.py": ""}
    pack = gather(make(files), ["a.py", "b.py"], "moderate")
    assert [(file.path, file.reason) for file in pack.files] == [
        ("a.py", "named"),
        ("b.py", "named"),
        ("d.py", "imported by a.py and 1 more"),
        ("c.py", "imported by a.py"),
    ]


def test_a_context_without_any_import_to_follow_says_so(make: MakeProject) -> None:
    root = make({"a.rs": "use b;", "b.rs": ""})
    assert "only imports of Python" in gather(root, ["a.rs"], "moderate").note
    assert gather(root, ["a.rs"], "minimal").note == ""


def test_imports_that_cannot_be_told_are_told_of(make: MakeProject) -> None:
    root = make({"a.py": "-" * 100_000 + "1", "b.py": ""})
    pack = gather(root, ["a.py"], "moderate")
    assert pack.note == "context: the imports of a.py are not known: nested too deeply to be parsed"
    assert pack.notes == (pack.note,)
