"""Three depths under a budget: what is in, in which order, how much of it, and what is left out."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.context import NO_LIMIT, gather, render
from activities.context.excerpt import MAX_LINE
from activities.context.tokens import SMALLEST_BUDGET, estimate
from activities.edits.paths import WorkTree
from orchex.domain.errors import InvalidInput
from tests.activities.context.conftest import MakeProject

PROJECT: dict[str, str | bytes] = {
    "src/a.py": "from src import b\n",
    "src/b.py": "import src.c\n",
    "src/c.py": "",
    "src/user.py": "import src.a\n",
    "src/far.py": "import src.user\n",
    "src/alone.py": "",
    "src/popular.py": "",
    "src/p1.py": "import src.popular",
    "src/p2.py": "import src.popular",
    "tests/test_a.py": "",
    "tests/test_b.py": "import src.b",
    "main.py": "",
    "README.md": "# It\n",
    "pyproject.toml": "[project]\n",
    "docs/guide.md": "words\n",
    "data.csv": "1,2\n",
    "uv.lock": "x\n",
    "dist/bundle.js": "x\n",
    ".env": "PASSWORD=hunter2\n",
}


def reasons(root: Path, *patterns: str, depth: str = "comprehensive", budget: int | None = None) -> dict[str, str]:
    pack = gather(root, patterns, depth, budget=budget)  # type: ignore[arg-type]
    return {file.path: file.reason for file in pack.files}


def test_a_comprehensive_context_is_the_project_the_nearest_files_first(make: MakeProject) -> None:
    assert list(reasons(make(PROJECT), "src/a.py").items()) == [
        ("src/a.py", "named"),
        ("README.md", "project file"),
        ("pyproject.toml", "project file"),
        ("src/b.py", "imported by src/a.py"),
        ("tests/test_a.py", "test of src/a.py"),
        ("src/user.py", "imports src/a.py"),
        ("src/c.py", "2 imports away from the named files"),
        ("src/far.py", "2 imports away from the named files"),
        ("tests/test_b.py", "2 imports away from the named files"),
        ("main.py", "entry point"),
        ("src/popular.py", "imported by 2 files of the project"),
        ("src/alone.py", "file of the project"),
        ("src/p1.py", "file of the project"),
        ("src/p2.py", "file of the project"),
        ("docs/guide.md", "file of the project"),
        ("data.csv", "file of the project"),
    ]


def test_a_comprehensive_context_needs_no_named_file(make: MakeProject) -> None:
    found = reasons(make(PROJECT))
    assert list(found)[:4] == ["README.md", "pyproject.toml", "main.py", "src/b.py"]
    assert ".env" not in found


def test_what_nobody_wrote_and_what_holds_secrets_is_left_out_unless_it_is_named(make: MakeProject) -> None:
    root = make(PROJECT | {".env.example": "PASSWORD=\n", "conf/id_rsa": "x", ".aws/config": "x", "deploy.pem": "x"})
    pack = gather(root, ["src/a.py", "conf/"], "comprehensive")
    why = {left.path: left.reason for left in pack.left_out}
    secret = "may hold secrets: it is read only when it is named exactly"
    assert why == {
        "uv.lock": "generated or vendored",
        "dist/bundle.js": "generated or vendored",
        ".env": secret,
        "conf/id_rsa": secret,
        ".aws/config": secret,
        "deploy.pem": secret,
    }
    assert pack.notes == (
        f"context: conf/id_rsa: {secret}",
        f"context: 3 more files left out: {secret}",
        "context: 2 more files left out: generated or vendored",
    )
    named = gather(root, [".env", "uv.lock", "dist/"], "minimal")
    assert [file.path for file in named.files] == [".env", "uv.lock", "dist/bundle.js"]


def test_a_test_of_a_common_name_must_lie_beside_what_it_tests(make: MakeProject) -> None:
    root = make(
        dict.fromkeys(
            ["a/index.ts", "a/index.test.ts", "a/__tests__/index.ts", "b/index.test.ts", "b/x.spec.ts", "a/x.ts"], ""
        )
    )
    found = reasons(root, "a/index.ts", "a/x.ts")
    assert [path for path, why in found.items() if why == "test of a/index.ts"] == [
        "a/__tests__/index.ts",
        "a/index.test.ts",
    ]
    assert found["b/x.spec.ts"] == "test of a/x.ts"
    assert found["b/index.test.ts"] == "file of the project"


def test_files_that_import_each_other_are_in_once(make: MakeProject) -> None:
    root = make({"a.py": "import b, a", "b.py": "import c", "c.py": "import a, b"})
    for depth in ("moderate", "comprehensive"):
        pack = gather(root, ["a.py"], depth)
        assert len({file.path for file in pack.files}) == len(pack.files)


def lines(count: int, text: str = "x = 1") -> str:
    return "".join(f"{text}  # {number}\n" for number in range(count))


def test_a_file_over_its_share_is_cut_to_its_outline_or_its_beginning(make: MakeProject) -> None:
    body = "".join(f"def f{number}():\n    return {'1 + ' * 200}1\n\n\n" for number in range(20))
    root = make({"code.py": body, "prose.md": lines(2000, "word")})
    pack = gather(root, ["code.py", "prose.md"], budget=4000)
    code, prose = pack.files
    assert (code.shown, code.lines) == ("outline", tuple((first, first) for first in range(1, 80, 4)))
    assert (prose.shown, prose.lines[0][0], len(prose.lines)) == ("head", 1, 1)
    assert pack.tokens <= pack.budget


def test_what_is_left_of_the_budget_makes_outlines_whole_again(make: MakeProject) -> None:
    root = make({"big.py": lines(300), **{f"small{number}.py": "" for number in range(5)}})
    pack = gather(root, ["big.py", "small*.py"], budget=6000)
    assert [file.shown for file in pack.files] == ["whole"] * 6


def test_every_named_file_is_seen_when_not_all_fit_whole(make: MakeProject) -> None:
    root = make({f"m{number}.py": lines(800) for number in range(5)})
    pack = gather(root, ["*.py"], budget=6000)
    assert len(pack.files) == 5
    assert pack.tokens > 4000


def test_what_does_not_fit_is_named_with_the_reason(make: MakeProject) -> None:
    root = make({f"m{number:03}.py": lines(100) for number in range(50)})
    pack = gather(root, ["m000.py"], "comprehensive", budget=5000)
    over = [left for left in pack.left_out if left.reason == "over the budget"]
    assert len(over) + len(pack.files) == 50
    assert pack.notes == (f"context: {len(over)} more files left out: over the budget",)


def test_a_budget_that_is_too_small_for_anything_is_refused(make: MakeProject) -> None:
    with pytest.raises(InvalidInput, match="999 tokens"):
        gather(make({"a.py": ""}), ["a.py"], budget=SMALLEST_BUDGET - 1)


def test_a_minified_file_shows_the_beginning_of_its_line(make: MakeProject) -> None:
    root = make({"app.js": "var a=1;" * 50_000})
    pack = gather(root, ["app.js"])
    text = render(pack, WorkTree(root))
    assert "characters left out)" in text
    assert len(text) < MAX_LINE * 2 + 2000


def test_listed_files_are_all_that_is_looked_at(make: MakeProject) -> None:
    root = make({"a.py": "import b, c", "b.py": "", "c.py": "", "gone.py": ""})
    (root / "gone.py").unlink()
    pack = gather(root, ["a.py"], "comprehensive", listed=["a.py", "b.py", "gone.py"])
    assert [file.path for file in pack.files] == ["a.py", "b.py"]
    assert [(left.path, left.reason) for left in pack.left_out] == [("gone.py", "gone since it was listed")]


def test_gathering_twice_gives_the_same_with_and_without_a_cache(make: MakeProject, tmp_path: Path) -> None:
    root = make(PROJECT)
    packs = [
        gather(root, ["src/a.py"], "comprehensive", cache=cache) for cache in (None, tmp_path / "c", tmp_path / "c")
    ]
    assert packs[0] == packs[1] == packs[2]
    assert len({render(pack, WorkTree(root)) for pack in packs}) == 1


def test_a_changed_file_is_parsed_anew(make: MakeProject, tmp_path: Path) -> None:
    root = make({"a.py": "import b", "b.py": "", "c.py": ""})
    assert list(reasons(root, "a.py", depth="moderate")) == ["a.py", "b.py"]
    gather(root, ["a.py"], "moderate", cache=tmp_path / "cache")
    (root / "a.py").write_text("import c")
    assert [file.path for file in gather(root, ["a.py"], "moderate", cache=tmp_path / "cache").files] == [
        "a.py",
        "c.py",
    ]


def test_without_a_limit_nothing_is_read_or_parsed(make: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.sources.parsing.subprocess", None)
    root = make({"a.py": "import b", "b.py": "", "big.py": lines(20_000)})
    pack = gather(root, ["*.py"], budget=NO_LIMIT)
    assert [(file.path, file.shown) for file in pack.files] == [
        ("a.py", "whole"),
        ("b.py", "whole"),
        ("big.py", "whole"),
    ]


def test_hostile_entries_break_no_depth(make: MakeProject, tmp_path: Path) -> None:
    root = make({"a.py": "import b, link, pipe, big, binary\n", "b.py": b"\xff\xfe\x00", "binary.py": b"\0" * 100})
    outside = tmp_path / "outside.py"
    outside.write_text("SECRET = 1\n")
    (root / "link.py").symlink_to(outside)
    (root / "loop").symlink_to(".")
    (root / "self.py").symlink_to("self.py")
    os.mkfifo(root / "pipe.py")
    os.mkfifo(root / "package.json")
    os.mkfifo(root / "tsconfig.json")
    with (root / "big.py").open("wb") as big:
        big.truncate(2 * 1024**3)
    (root / "new\nline\u202e.py").write_text("import a")
    (root / os.fsdecode(b"bad\xff.py")).write_text("import a")
    (root / "c.ts").write_text("import './loop/b'; import '#x'; import 'y'")
    deep = root
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    pack = gather(root, ["a.py", "c.ts"], "comprehensive")
    text = render(pack, WorkTree(root))
    assert "SECRET" not in text
    assert [file.path for file in pack.files] == ["a.py", "c.ts", "b.py", "new\nline\u202e.py"]
    why = {left.path: left.reason for left in pack.left_out}
    assert why.pop("/".join("d" * 101)) == "a folder, not a file"
    assert why == {
        "bad\\xff.py": "its name is no UTF-8",
        "big.py": "2147483648 bytes: more than 1048576",
        "binary.py": "a binary file",
        "link.py": "a symbolic link, not a file",
        "loop": "a symbolic link, not a file",
        "package.json": "a FIFO, not a file",
        "pipe.py": "a FIFO, not a file",
        "self.py": "a symbolic link, not a file",
        "tsconfig.json": "a FIFO, not a file",
    }
    assert gather(root, ["a.py"], "moderate").files


NAMES = st.sampled_from(
    ["a.py", "b/c.py", "b/__init__.py", "d.ts", "e/index.js", "f.go", "g.md", "test_a.py", "go.mod"]
)
CONTENTS = st.one_of(
    st.text("import abcd.\n'\"./:(){}x=é\t\r", max_size=300),
    st.binary(max_size=300),
    st.integers(1, 3000).map(lines),
    st.integers(1, 20_000).map(lambda count: "é" * count),
    st.just("import b.c, a\nfrom . import d\n"),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(NAMES, CONTENTS, max_size=9),
    depth=st.sampled_from(["minimal", "moderate", "comprehensive"]),
    budget=st.integers(SMALLEST_BUDGET, 20_000),
)
def test_a_rendered_context_keeps_to_its_budget_and_tells_of_every_file(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str | bytes], depth: str, budget: int
) -> None:
    root = tmp_path_factory.mktemp("project")
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    pack = gather(root, ["*.py", "b/"], depth, budget=budget)  # type: ignore[arg-type]
    text = render(pack, WorkTree(root))
    assert estimate(text) <= budget
    assert text == render(pack, WorkTree(root))
    told = {file.path for file in pack.files} | {left.path for left in pack.left_out}
    assert len(pack.files) == len({file.path for file in pack.files})
    if depth == "comprehensive":
        assert told - {"b/", "*.py"} == set(files)
