"""What a project's own files keep secret, and what they merely say."""

import os
from pathlib import Path

import pytest

from activities.kept_secrets import known_secrets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (".env", "API_TOKEN=k4nary-0001"),
        (".env", 'export API_TOKEN="k4nary-0001" # of the test system'),
        (".env.local", "DB_PASSWORD='k4nary-0001'"),
        ("packages/web/.env", "API_TOKEN = k4nary-0001\r"),
        ("prod.env", "API_TOKEN=k4nary-0001"),
        ("credentials.json", '{"user": "ada", "clientSecret": "k4nary-0001"}'),
        ("config/secrets.yaml", "db:\n  password: k4nary-0001\n"),
        (".npmrc", "//registry.example.org/:_authToken=k4nary-0001"),
    ],
)
def test_what_such_a_file_names_a_secret_is_known(root: Path, path: str, line: str) -> None:
    put(root, path, f"A=1\n{line}\nB=2\n")
    assert known_secrets(root, {}) == ("k4nary-0001",)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (".env", "HOSTNAME=k4nary-0001"),
        (".env", "DB_PASSWORD=postgres"),
        (".env", "DB_PASSWORD=${SOME_PASSWORD}"),
        (".env", "PIN_TOKEN=1234"),
        (".env.example", "API_TOKEN=k4nary-0001"),
        ("settings.py", "API_TOKEN = 'k4nary-0001'"),
        ("node_modules/x/.env", "API_TOKEN=k4nary-0001"),
        ("a/b/c/.env", "API_TOKEN=k4nary-0001"),
    ],
)
def test_what_is_no_secret_stays_to_be_read(root: Path, path: str, line: str) -> None:
    put(root, path, line)
    assert known_secrets(root, {}) == ()


def test_those_of_the_environment_come_first(root: Path) -> None:
    put(root, ".env", "API_TOKEN=k4nary-0001\nLONG_TOKEN=k4nary-0002-longer\n")
    environ = {"MY_KEY": "k4nary-0003", "API_TOKEN": "k4nary-0001"}
    assert known_secrets(root, environ) == ("k4nary-0001", "k4nary-0003", "k4nary-0002-longer")


@pytest.mark.parametrize(
    "text", ["a" * 2**16, "a " * 2**15, "a" + " " * 2**16, "a=" * 2**15, '"' * 2**16, "a='" * 2**14]
)
def test_no_text_keeps_anybody_busy(root: Path, text: str) -> None:
    put(root, ".env", text)
    assert known_secrets(root, {}) == ()


def test_hostile_files_are_passed_over(root: Path, tmp_path: Path) -> None:
    put(tmp_path, "elsewhere", "API_TOKEN=k4nary-0001")
    (root / ".env").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(root / ".env.pipe")
    (root / "linked").symlink_to(tmp_path)
    with (root / ".env.huge").open("wb") as file:
        file.write(b"API_TOKEN=k4nary-0002\n\xff\xfe")
        file.truncate(2**31)
    assert known_secrets(root, {}) == ("k4nary-0002",)
