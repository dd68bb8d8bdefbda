import subprocess
from pathlib import Path

import pytest

from activities.commands.resolve import find_test_command, is_test_command, resolve


def project(root: Path, **files: str) -> Path:
    """Write ``files``; two underscores in a name stand for a dot, three for a slash."""
    for name, text in files.items():
        path = root / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("lock", "manager"),
    [
        ("package-lock.json", "npm"),
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lock", "bun"),
        ("README", "npm"),
    ],
)
def test_a_name_runs_the_script_of_package_json_by_the_manager_of_the_lock_file(
    tmp_path: Path, lock: str, manager: str
) -> None:
    project(tmp_path, package__json='{"scripts": {"lint": "eslint ."}}')
    (tmp_path / lock).touch()
    assert resolve("lint", tmp_path).argv == (manager, "run", "lint")


def test_the_package_manager_field_outranks_a_lock_file(tmp_path: Path) -> None:
    project(tmp_path, package__json='{"packageManager": "pnpm@9.1.0", "scripts": {"a:b": "x"}}', yarn__lock="")
    assert resolve("a:b", tmp_path).argv == ("pnpm", "run", "a:b")


def test_npm_s_default_test_is_no_test(tmp_path: Path) -> None:
    project(tmp_path, package__json=r'{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}')
    assert find_test_command(tmp_path) is None
    assert not is_test_command("test", tmp_path)
    assert not is_test_command("npm test", tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"scripts": 3}', '{"scripts": {"test": 1}}', "[" * 100_000])
def test_a_broken_package_json_has_no_scripts(tmp_path: Path, text: str) -> None:
    assert find_test_command(project(tmp_path, package__json=text)) is None


@pytest.mark.parametrize(
    ("table", "argv"),
    [
        ('[tool.poe.tasks]\nlint = "ruff check"', ("poe", "lint")),
        ('[tool.pdm.scripts]\nlint = "ruff check"', ("pdm", "run", "lint")),
        ('[tool.hatch.envs.default.scripts]\nlint = "ruff check"', ("hatch", "run", "lint")),
        ('[tool.taskipy.tasks]\nlint = "ruff check"', ("task", "lint")),
    ],
)
def test_tasks_in_pyproject_are_found(tmp_path: Path, table: str, argv: tuple[str, ...]) -> None:
    assert resolve("lint", project(tmp_path, pyproject__toml=table)).argv == argv


def test_the_program_of_the_project_s_own_environment_is_preferred(tmp_path: Path) -> None:
    project(tmp_path, pyproject__toml='[tool.poe.tasks]\nlint = "x"', __venv___bin___poe="")
    assert resolve("lint", tmp_path).argv == (".venv/bin/poe", "lint")


MAKEFILE = """\
lint := yes
CHECKED ::= no
test build: deps
\t@echo ran
deps:
\tlint: echo
%.o: %.c
install: PREFIX = /usr
define recipe
fake: x
endef
long \\
  name: deps
.PHONY: test ghost
include more.mk
"""


@pytest.mark.parametrize("name", ["test", "build", "deps", "name", "included"])
def test_make_targets_are_found(tmp_path: Path, name: str) -> None:
    project(tmp_path, Makefile=MAKEFILE, more__mk="included:\n\techo x\n")
    assert resolve(name, tmp_path) == (("make", name), "Makefile")


@pytest.mark.parametrize("name", ["lint", "CHECKED", "install", "fake", "ghost", "PREFIX", "echo"])
def test_what_only_looks_like_a_make_target_is_none(tmp_path: Path, name: str) -> None:
    project(tmp_path, Makefile=MAKEFILE)
    assert resolve(name, tmp_path).origin == "shell"


def test_a_make_target_named_like_a_folder_really_runs(tmp_path: Path) -> None:
    project(tmp_path, Makefile="test:\n\t@echo really ran\n", test___data="")
    done = subprocess.run(resolve("test", tmp_path).argv, cwd=tmp_path, capture_output=True, check=True)
    assert b"really ran" in done.stdout


def test_just_recipes_are_found_unless_they_need_arguments(tmp_path: Path) -> None:
    project(
        tmp_path,
        justfile="set shell := ['sh']\nx := '1'\n@test a='1' *rest: dep\n\techo\nlint file:\n\techo\nalias t := test\n",
    )
    assert resolve("test", tmp_path).argv == ("just", "test")
    assert resolve("t", tmp_path).argv == ("just", "t")
    assert resolve("lint", tmp_path).origin == resolve("x", tmp_path).origin == "shell"


def test_cargo_and_go_know_the_usual_names(tmp_path: Path) -> None:
    rust, go = project(tmp_path / "rust", Cargo__toml=""), project(tmp_path / "go", go__mod="")
    assert resolve("lint", rust).argv == ("cargo", "clippy")
    assert resolve("test", rust).argv == ("cargo", "test")
    assert resolve("test", go).argv == ("go", "test", "./...")
    assert resolve("lint", go).argv == ("go", "vet", "./...")


def test_a_written_script_outranks_what_a_build_tool_means(tmp_path: Path) -> None:
    project(tmp_path, Cargo__toml="", Makefile="test:\n\tx\n")
    assert resolve("test", tmp_path).origin == "Makefile"
    project(tmp_path, package__json='{"scripts": {"test": "x"}}')
    assert resolve("test", tmp_path).origin == "package.json"


def test_python_tests_run_by_pytest_where_it_is_configured(tmp_path: Path) -> None:
    project(tmp_path, pyproject__toml="[tool.pytest.ini_options]\n")
    assert resolve("test", tmp_path).argv == ("python3", "-m", "pytest")


def test_the_project_s_own_python_runs_its_tests(tmp_path: Path) -> None:
    project(tmp_path, pytest__ini="", user___x="")
    project(tmp_path / "user", __venv___bin___python="")
    assert resolve("test", tmp_path, dependencies=tmp_path / "user").argv == (".venv/bin/python", "-m", "pytest")


@pytest.mark.parametrize("package", [True, False])
def test_unittest_tests_are_found_and_run_without_pytest(tmp_path: Path, package: bool) -> None:
    case = "import unittest, sys\nclass T(unittest.TestCase):\n    def test_x(self): print('ran', file=sys.stderr)\n"
    project(tmp_path, tests___test_a__py=case, __venv___bin___other="")
    if package:
        (tmp_path / "tests/__init__.py").touch()
    argv = resolve("test", tmp_path).argv
    assert argv[:3] == ("python3", "-m", "unittest")
    assert b"ran" in subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True).stderr


def test_a_project_without_tests_has_no_test_command_and_says_so(tmp_path: Path) -> None:
    assert find_test_command(tmp_path) is None
    done = subprocess.run(resolve("test", tmp_path).argv, capture_output=True, check=False)
    assert done.returncode == 127
    assert b"no test script" in done.stderr


@pytest.mark.parametrize("line", ["npm test && echo ok", "unknown", "./run x", "-x", "a b", "é"])
def test_anything_else_is_a_shell_line(tmp_path: Path, line: str) -> None:
    assert resolve(line, tmp_path) == (("/bin/sh", "-c", line), "shell")


@pytest.mark.parametrize(
    "line",
    [
        "pytest -x tests",
        "python -m pytest",
        ".venv/bin/python -m unittest discover",
        "CI=1 npm test",
        "npm run test:unit",
        "yarn test",
        "make -j2 test",
        "cargo test --all",
        "go test ./...",
        "tox",
        "nox -s tests",
        "cd . && npm test",
        "npx jest --ci",
        "uv run pytest",
        "timeout 60 pytest",
        "./gradlew check",
        "node --test",
        "python manage.py test",
        "bash tests/run-tests.sh",
        "pytest > log 2>&1",
        "npm test && npm run build",
    ],
)
def test_a_line_that_runs_tests_counts_as_tests(tmp_path: Path, line: str) -> None:
    project(tmp_path, package__json='{"scripts": {"test": "x", "test:unit": "y"}}')
    assert is_test_command(line, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "lint",
        "npm run lint",
        "npm test || true",
        "pytest | tee log",
        "pytest; true",
        "pytest &",
        "! pytest",
        "echo pytest",
        "echo npm test",
        "pytest --collect-only",
        "make -n test",
        "cargo test --no-run",
        "go vet ./...",
        "npm run test:missing",
        "cat tests/test_x.py",
        "echo $(npm test)",
        "true\npytest || true",
        "echo 'unbalanced",
        "",
    ],
)
def test_a_line_that_may_run_none_or_hide_a_failure_does_not_count(tmp_path: Path, line: str) -> None:
    project(tmp_path, package__json='{"scripts": {"test": "x", "lint": "y"}}')
    assert not is_test_command(line, tmp_path)


def test_the_bare_name_test_counts_where_the_project_has_one(tmp_path: Path) -> None:
    assert not is_test_command("test", tmp_path)
    assert is_test_command("test", project(tmp_path, Makefile="test:\n\tx\n"))
