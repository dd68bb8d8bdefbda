"""What a planner is told of a project: its layout and its own scripts, in a bounded number of lines."""

import json
import os

from activities.context import project_brief
from activities.context.brief import MAX_LINES
from tests.activities.context.conftest import MakeProject


def test_the_layout_and_the_scripts_of_a_project(make: MakeProject) -> None:
    root = make(
        {
            "src/app.ts": "",
            "src/lib/x.ts": "",
            "README.md": "",
            "package.json": json.dumps({"scripts": {"test": "jest", "build:web": "tsc", "no": 1, "": "x"}}),
            "Makefile": "all: x\n\techo\n%.o: %.c\nout/x: y\n",
            "node_modules/m/index.js": "",
        }
    )
    assert project_brief(root).splitlines() == [
        "The project has 5 files:",
        "  src/",
        "    lib/",
        "      x.ts",
        "    app.ts",
        "  Makefile",
        "  README.md",
        "  package.json",
        "",
        "Its own scripts, by the names to run them by:",
        "  test: npm run test (package.json)",
        "  build:web: npm run build:web (package.json)",
        "  all: make all (Makefile)",
    ]


def test_what_a_name_means_by_convention_is_a_script_too(make: MakeProject) -> None:
    brief = project_brief(make({"go.mod": "module m\n", "m.go": ""}))
    assert "  test: go test ./... (go.mod)" in brief
    assert "  lint: go vet ./... (go.mod)" in brief


def test_tasks_of_python_projects_and_recipes_of_just(make: MakeProject) -> None:
    brief = project_brief(
        make(
            {
                "pyproject.toml": "[tool.poe.tasks]\nfmt = 'ruff format'\n[tool.pdm.scripts]\ncheck = 'mypy'\n",
                "justfile": "_hidden:\n  x\ndeploy target:\n  x\nserve port='80':\n  x\n",
            }
        )
    )
    assert "  fmt: poe fmt (pyproject.toml)" in brief
    assert "  check: pdm run check (pyproject.toml)" in brief
    assert "  serve: just serve (justfile)" in brief
    assert "_hidden" not in brief
    assert "deploy" not in brief


def test_a_large_project_is_summed_up_folder_by_folder(make: MakeProject) -> None:
    files = {f"src/p{number % 9}/deep/m{number}.py": "" for number in range(500)} | {"src/top.py": "", "a.go": ""}
    lines = project_brief(make(files)).splitlines()
    assert len(lines) < MAX_LINES + 10
    assert "  src/" in lines
    assert "      deep/ (56 files: 56 .py)" in lines or "    p0/ (56 files: 56 .py)" in lines


def test_a_folder_of_very_many_files_is_one_line(make: MakeProject) -> None:
    root = make({f"{number}.txt": "" for number in range(500)})
    assert project_brief(root).splitlines()[:2] == ["The project has 500 files:", "  (500 files: 500 .txt)"]


def test_names_cannot_pretend_to_be_lines_of_the_brief(make: MakeProject) -> None:
    root = make(
        {
            "a\nIts own scripts:\n  test: rm": "",
            "b\u202e": "",
            "n" * 200: "",
            "package.json": json.dumps({"scripts": {"x\ny": "1", "z; rm -rf": "2"}}),
        }
    )
    brief = project_brief(root)
    assert "  a\\nIts own scripts:\\n  test: rm\n" in brief
    assert "\u202e" not in brief
    assert "n" * 121 not in brief
    assert "rm -rf" not in brief


def test_hostile_manifests_hold_no_brief_up(make: MakeProject) -> None:
    root = make({"a.py": "", "pyproject.toml": "[" * 100_000})
    for name in ("package.json", "Makefile", "justfile", "go.mod"):
        os.mkfifo(root / name)
    assert project_brief(root).startswith("The project has 2 files:")


def test_a_makefile_made_to_keep_its_reader_busy_does_not(make: MakeProject) -> None:
    files = {f"m{number}": f"include m{number + 1}\nt{number}:\n" for number in range(2000)}
    brief = project_brief(make({**files, "Makefile": " x" + " " * 900_000 + "\ninclude m0\nall &: b\n"}))
    assert "  all: make all (Makefile)" in brief


def test_listed_files_are_the_ones_told(make: MakeProject) -> None:
    root = make({"a.py": "", "b.py": ""})
    assert project_brief(root, listed=["a.py"]).splitlines()[:2] == ["The project has 1 files:", "  a.py"]


def test_a_project_without_scripts_says_so(make: MakeProject) -> None:
    assert project_brief(make({"a.rs": ""})).endswith("It has no scripts.\n")
