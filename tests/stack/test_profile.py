import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from orchex.domain.errors import InvalidInput
from orchex.stack.preflight import server_version
from orchex.stack.profile import TemporalProfile, load_profile, packaged_profile, start_dev_argv

TEMPORAL = Path(sys.executable).parent / "temporal"


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / "temporal-dev.yaml"


def problem(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_profile(path)
    return caught.value.message.removeprefix("The Temporal profile cannot be used.\n")


def test_the_defaults_are_what_the_packaged_file_shows() -> None:
    shown = load_profile(None)
    assert shown.search_attributes == {"OrchexExecution": "Keyword"}
    assert shown.model_copy(update={"search_attributes": {}}) == TemporalProfile()


def test_the_packaged_file_shows_every_key() -> None:
    text = packaged_profile().read_text()
    for name, field in TemporalProfile.model_fields.items():
        assert f"\n{field.alias or name}:" in text


def test_an_empty_file_is_the_defaults(profile: Path) -> None:
    profile.write_text("# nothing\n")
    assert load_profile(profile) == TemporalProfile()


def test_an_unknown_key_is_named_with_its_line(profile: Path) -> None:
    text = "server:\n  ip: 127.0.0.1\n  prot: 7233\n"
    assert problem(profile, text) == f"{profile}:3: server.prot: no such key"


def test_every_problem_is_told_at_once(profile: Path) -> None:
    lines = problem(profile, "namespace: 7\nui:\n  enabled: perhaps\nlog: {level: loud}\n").splitlines()
    assert [line.removeprefix(f"{profile}:").split(": ")[:2] for line in lines] == [
        ["1", "namespace"],
        ["3", "ui.enabled"],
        ["4", "log.level"],
    ]


@pytest.mark.parametrize("ip", ["0.0.0.0", "192.168.1.2", "localhost", "::"])
def test_an_address_others_can_reach_is_refused(profile: Path, ip: str) -> None:
    assert "a loopback address is needed" in problem(profile, f'server:\n  ip: "{ip}"\n')


@pytest.mark.parametrize("port", ["-1", "80", "65536", "'7233'", "7233.0", "true"])
def test_a_port_is_zero_or_an_unprivileged_number(profile: Path, port: str) -> None:
    assert problem(profile, f"server:\n  port: {port}\n").startswith(f"{profile}:2: server.port: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log:\n  level: info\n  level: warn\n", "3: the key 'level' appears twice"),
        ("a: &x 1\nb: *x\n", "2: aliases are not allowed here"),
        ("server: [\n", "2: expected the node content"),
        ("ui:\n\tenabled: true\n", "2: found character"),
        ("- server\n", "1: the file: Input should be"),
        ("? [a]\n: 1\n", "1: a key must be plain text"),
        ("[" * 5000 + "]" * 5000, "1: nested too deeply"),
        ("#" * 70_000, "1: longer than"),
        ("a: 1\n---\nb: 2\n", "2: but found another document"),
        ("a: !!python/object:os.system x\n", "1: could not determine a constructor"),
    ],
)
def test_text_that_is_not_a_profile_is_refused_where_it_is_wrong(profile: Path, text: str, expected: str) -> None:
    assert problem(profile, text).startswith(f"{profile}:{expected}")


def test_bytes_that_are_not_utf_8_are_refused(profile: Path) -> None:
    profile.write_bytes(b"namespace: \xff\n")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        load_profile(profile)


def test_a_file_that_is_not_there_is_named(profile: Path) -> None:
    with pytest.raises(InvalidInput, match=f"Cannot read the Temporal profile {profile}: No such file"):
        load_profile(profile)


def test_every_setting_reaches_the_command_line(profile: Path) -> None:
    profile.write_text(
        "server: {ip: '127.0.0.2'}\n"
        "namespace: ours\n"
        "database: {pragmas: {synchronous: FULL}}\n"
        "dynamicConfig: {limit.maxIDLength: 255, some.list: [a, 1], some.flag: true}\n"
        "searchAttributes: {OrchexExecution: Text, Team: KeywordList}\n"
        "ui: {enabled: true, port: 8233}\n"
        "log: {level: debug}\n"
    )
    argv = start_dev_argv(load_profile(profile), binary=Path("temporal"), port=7, database=Path("/x y.db"))
    options = [" ".join(pair) for pair in pairwise(argv)]
    for expected in (
        "--ip 127.0.0.2",
        "--port 7",
        "--db-filename /x y.db",
        "--namespace ours",
        "--sqlite-pragma synchronous=FULL",
        "--dynamic-config-value limit.maxIDLength=255",
        f"--dynamic-config-value some.list={json.dumps(['a', 1])}",
        "--dynamic-config-value some.flag=true",
        "--search-attribute OrchexExecution=Keyword",
        "--search-attribute Team=KeywordList",
        "--ui-port 8233",
        "--log-level debug",
    ):
        assert expected in options
    assert "--headless" not in argv
    assert sum(option.startswith("--sqlite-pragma") for option in options) == 1


def test_the_server_version_is_asked_once_for_each_binary(tmp_path: Path) -> None:
    binary, remembered = tmp_path / "temporal", tmp_path / "version.json"
    binary.write_text("#!/bin/sh\necho 'temporal version 9.9 (Server 1.2.3, UI 4)'\n")
    binary.chmod(0o755)
    assert server_version(binary, remembered) == "1.2.3"
    assert json.loads(remembered.read_text())["server"] == "1.2.3"
    remembered.write_text(remembered.read_text().replace("1.2.3", "from memory"))
    assert server_version(binary, remembered) == "from memory"
    binary.write_text("#!/bin/sh\necho 'temporal version 9.10 (Server 1.2.4, UI 4)'\n")
    assert server_version(binary, remembered) == "1.2.4"


def test_the_real_binary_names_its_server(tmp_path: Path) -> None:
    assert server_version(TEMPORAL, tmp_path / "version.json").count(".") == 2
    assert subprocess.run([TEMPORAL, "--version"], check=True, capture_output=True)
