"""Which level holds is found by trying, and where none does nothing is run."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from activities.commands.runner import CommandRunner
from activities.commands.sandbox.levels import best_of, candidates, cure, find_support
from activities.commands.sandbox.support import Level, Support
from orchex.domain.errors import CommandNotStarted
from tests.activities.commands.sandbox.conftest import CANARY, House

NONE = Support("none", problem="bubblewrap is not installed")
DOCS = Path(__file__).parents[4] / "docs/sandbox.md"


def fake_bwrap(folder: Path, script: str) -> tuple[str, ...]:
    folder.mkdir()
    (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bwrap").chmod(0o755)
    return (str(folder),)


@pytest.fixture
def bare_house(tmp_path: Path, runner: CommandRunner) -> House:
    return House(tmp_path / "house", runner, NONE)


def test_the_best_that_works_is_taken_and_found_once(tmp_path: Path) -> None:
    found = find_support(tmp_path)
    assert found == best_of(candidates(), tmp_path)
    assert find_support(tmp_path) is found


def test_a_bubblewrap_that_is_forbidden_leaves_landlock_and_says_why(tmp_path: Path) -> None:
    options = candidates(
        fake_bwrap(tmp_path / "bin", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
    )
    if not any(option.level == "landlock" for option in options):
        pytest.skip("this kernel has no Landlock that holds alone")
    found = best_of(options, tmp_path)
    assert found.level == "landlock"
    assert "No permissions to create new namespace" in found.problem
    assert found.lacks


@pytest.mark.parametrize(
    "script", ["exit 0", "while [ $1 != -- ]; do shift; done; shift; exec /bin/sh -c 'echo held > inside'"]
)
def test_a_bubblewrap_that_does_not_do_its_work_is_not_used(tmp_path: Path, script: str) -> None:
    options = [option for option in candidates(fake_bwrap(tmp_path / "bin", script)) if option.bwrap]
    assert best_of(options, tmp_path).level == "none"


def test_a_bubblewrap_that_lets_writes_through_is_not_used(tmp_path: Path) -> None:
    """It runs what it is given, in no namespace."""
    script = 'mkdir -p /tmp; while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
    options = [option for option in candidates(fake_bwrap(tmp_path / "bin", script)) if option.bwrap]
    assert best_of(options, tmp_path).level == "none"


async def test_where_nothing_confines_nothing_is_run_and_the_way_out_is_told(bare_house: House) -> None:
    outcome = await bare_house.sh("echo escaped > escaped")
    assert not (bare_house.tree / "escaped").exists()
    assert (outcome.exit_code, outcome.confinement) == (126, "refused")
    for word in ("refused", "bubblewrap is not installed", "ORCHEX_ALLOW_UNSANDBOXED=1"):
        assert word in outcome.output


async def test_the_user_may_allow_it_nevertheless_and_protected_files_still_hold(bare_house: House) -> None:
    bare_house.policy = replace(bare_house.policy, allow_unsandboxed=True)
    bare_house.environ["GITHUB_TOKEN"] = CANARY
    outcome = await bare_house.sh("echo ran > ran; echo escaped > AGENTS.md; env")
    assert (outcome.exit_code, outcome.confinement) == (0, "none")
    assert (bare_house.tree / "ran").exists()
    assert (bare_house.tree / "AGENTS.md").read_text() == "be kind\n"
    assert CANARY not in outcome.output


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/nonexistent"])
async def test_a_wall_that_does_not_stand_is_an_error_and_the_command_does_not_run(
    bare_house: House, program: str
) -> None:
    bare_house.support = Support("bubblewrap", bwrap=program, seccomp=True)
    with pytest.raises(CommandNotStarted, match="could not be put up"):
        await bare_house.sh("echo escaped > escaped")
    assert not (bare_house.tree / "escaped").exists()
    assert not (bare_house.workspace.directory / "untrusted").exists()


async def test_the_workspace_has_no_part_in_closing_the_sandbox(house: House) -> None:
    """Not by what it calls its files, and not when it is a checkout of Orchex itself."""
    for name in ("ctypes", "resource", "struct", "activities/__init__", "activities/commands/sandbox/confine"):
        path = house.tree / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(house.outside / 'escaped')!r}, 'w').close()\n")
    outcome = await house.sh("grep NoNewPrivs /proc/self/status")
    assert outcome.output.split() == ["NoNewPrivs:", "1"]
    assert not (house.outside / "escaped").exists()


def test_every_level_but_the_best_has_a_cure() -> None:
    assert cure(Support("bubblewrap+landlock")) == ""
    for level in ("bubblewrap", "landlock", "none"):
        assert cure(Support(level))


def test_the_documentation_names_everything_that_a_level_may_lack() -> None:
    told = " ".join(DOCS.read_text().split())
    levels: tuple[Level, ...] = ("bubblewrap+landlock", "bubblewrap", "landlock", "none")
    for level, abi, seccomp, closed in itertools.product(levels, (3, 5, 7), (True, False), (True, False)):
        bwrap = "/usr/bin/bwrap" if level.startswith("bubblewrap") else None
        for lacking in Support(level, bwrap, True, abi, seccomp, closed).lacks:
            assert lacking.partition(":")[0] in told
