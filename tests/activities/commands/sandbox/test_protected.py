"""Git's, CI's, agents' and hooks' files are as they were when a confined command has ended."""

import asyncio
import json
import os
import shutil
import stat

import pytest

from tests.activities.commands.sandbox.conftest import PYTHON, House

SEEN = (".git", ".github", "AGENTS.md", "packages/web/CLAUDE.md")


def protected(house: House) -> dict[str, bytes | None]:
    """What is at and beneath the protected paths the project has."""
    found: dict[str, bytes | None] = {}
    for name in SEEN:
        for path in (house.tree / name, *sorted((house.tree / name).rglob("*"))):
            found[str(path.relative_to(house.tree))] = path.read_bytes() if path.is_file() else None
    return found


@pytest.mark.parametrize(
    "line",
    [
        "echo escaped > .github/workflows/ci.yml",
        "echo escaped >> AGENTS.md",
        "rm -rf .github AGENTS.md packages/web/CLAUDE.md .git",
        "echo 'gitdir: /tmp/evil' > .git; git config core.fsmonitor 'touch escaped'; git config --global x.y z",
        "mv .github gh && mkdir -p .github/workflows && echo escaped > .github/workflows/ci.yml",
        "mv .github gh && ln -s gh .github && echo escaped > gh/workflows/ci.yml",
        "mv packages p2; mkdir -p packages/web; echo escaped > packages/web/CLAUDE.md",
        "ln AGENTS.md hard && echo escaped > hard",
        "ln -s .github/workflows wf && echo escaped > wf/ci.yml && echo escaped > wf/new.yml",
        "ln -sf main.py AGENTS.md; ln -sfn packages .github/workflows",
        "chmod 000 .github/workflows AGENTS.md; chmod 777 packages/web/CLAUDE.md",
        "sed -i s/kind/escaped/ AGENTS.md; cp main.py AGENTS.md; mv main.py AGENTS.md; truncate -s 0 AGENTS.md",
        "git commit --allow-empty -qm x; git init -q; git update-ref HEAD HEAD~1",
        "rm -rf packages; echo file > packages",
        "mkdir -p .github/workflows/sub; echo escaped > .github/workflows/sub/x.yml",
    ],
)
async def test_what_is_there_stays_as_it_is(house: House, line: str) -> None:
    before = protected(house)
    modes = {name: (house.tree / name).lstat().st_mode for name in before}
    await house.sh(line)
    assert protected(house) == before
    assert {name: (house.tree / name).lstat().st_mode for name in before} == modes


NEW = (
    *(".gitlab-ci.yml", ".circleci/config.yml", "CLAUDE.md", "packages/web/AGENTS.md", ".claude/settings.json"),
    *(".mcp.json", ".cursor/rules/x.mdc", ".husky/pre-commit", ".pre-commit-config.yaml", ".envrc", ".gitmodules"),
    *(".vscode/tasks.json", "sub/.git/hooks/post-checkout", "sub/.git/config", ".GitHub/Workflows/x.yml"),
    *("low/aGENTS.mD", "low/AGENTS.md.", "low/.git\u200c/config", ".github/copilot-instructions.md"),
    *("deep/er/.devcontainer/devcontainer.json", "sub/.github/workflows/x.yml"),
)


async def test_what_is_not_there_does_not_come(house: House) -> None:
    program = "import os, sys\nfor path in sys.argv[1:]:\n os.makedirs(os.path.dirname(path) or '.', exist_ok=True)\n"
    outcome = await house.python(f"{program} open(path, 'w').close()\nopen('sub/kept', 'w').close()", *NEW)
    assert [path for path in NEW if (house.tree / path).exists()] == []
    assert "[orchex] undone" in outcome.output
    assert (house.tree / "sub/kept").exists()


async def test_a_link_in_the_place_of_a_folder_of_workflows(house: House) -> None:
    shutil.rmtree(house.tree / ".github")
    await house.sh("mkdir -p evil/workflows; echo escaped > evil/workflows/x.yml; ln -s evil .github")
    assert not (house.tree / ".github").is_symlink()
    assert (house.tree / "evil/workflows/x.yml").exists()


async def test_what_the_stream_owns_may_be_written_and_nothing_beside_it(house: House) -> None:
    house.owns = (".github/workflows/deploy.yml", "AGENTS.md")
    await house.sh(
        "echo deploy > .github/workflows/deploy.yml; echo owned > AGENTS.md;"
        " cd .github/workflows; echo escaped > ci.yml; echo escaped > other.yml; rm ci.yml"
    )
    workflows = house.tree / ".github/workflows"
    assert (workflows / "deploy.yml").read_text() == "deploy\n"
    assert (house.tree / "AGENTS.md").read_text() == "owned\n"
    assert (workflows / "ci.yml").read_text() == "on: push\n"
    assert not (workflows / "other.yml").exists()


async def test_what_it_left_is_undone_when_it_is_cancelled(house: House) -> None:
    ready = house.tree / "ready"
    task = asyncio.create_task(house.sh("echo escaped > CLAUDE.md; rm -f AGENTS.md; echo > ready; sleep 600"))
    while not ready.exists():
        await asyncio.sleep(0.02)
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (house.tree / "CLAUDE.md").exists()
    assert (house.tree / "AGENTS.md").read_text() == "be kind\n"
    assert not (house.workspace.directory / "untrusted").exists()


async def test_no_hook_and_no_setting_of_git_is_run_by_the_checkpoint_after_it(house: House) -> None:
    await house.sh(
        "printf '#!/bin/sh\\ntouch escaped\\n' > hook; chmod +x hook; mkdir .git/hooks; cp hook .git/hooks/pre-commit;"
        f" git config core.hooksPath .; git config core.fsmonitor ./hook; echo '* filter=x' > .gitattributes;"
        f" git --git-dir={house.workspace.repository.git.directory} config core.fsmonitor ./hook"
    )
    checkpoint = house.workspace.checkpoint(0, "step", "title", json.dumps({}))
    assert not (house.tree / "escaped").exists()
    assert {change.path for change in checkpoint.changed} == {"hook", ".gitattributes"}


async def test_packages_that_bring_such_names_are_left_alone(house: House) -> None:
    """What is in a dependency folder never lands, and packages do bring an AGENTS.md."""
    folder = house.tree / "node_modules/pkg"
    folder.mkdir(parents=True)
    (folder / "AGENTS.md").write_text("theirs")
    outcome = await house.sh("true")
    assert outcome.output == ""
    assert (folder / "AGENTS.md").exists()


async def test_the_model_is_told_what_was_undone(house: House) -> None:
    outcome = await house.run(PYTHON, "-c", "for n in range(30): open(f'.clinerules' if not n else f'x{n}', 'w')")
    assert outcome.output.splitlines()[-1].endswith(": .clinerules")
    assert len(list(house.tree.glob("x*"))) == 29


async def test_folders_whose_names_are_no_text_are_guarded_and_told_of(house: House) -> None:
    there, new = (house.tree / os.fsdecode(name) for name in (b"there\xe9", b"new\xff"))
    there.mkdir()
    (there / "AGENTS.md").write_text("be kind\n")
    outcome = await house.sh(
        "there=$(printf 'there\\351'); new=$(printf 'new\\377'); mkdir $new; touch $new/kept $new/CLAUDE.md;"
        " echo escaped > $there/AGENTS.md"
    )
    assert (there / "AGENTS.md").read_text() == "be kind\n"
    assert [path.name for path in new.iterdir()] == ["kept"]
    assert r"new\xff/CLAUDE.md" in outcome.output.splitlines()[-1]


async def test_a_closed_folder_hides_nothing_and_is_opened_again(house: House) -> None:
    await house.sh("mkdir -p closed/in; echo escaped > closed/in/AGENTS.md; chmod 000 closed/in closed")
    assert not (house.tree / "closed/in/AGENTS.md").exists()
    assert [stat.S_IMODE((house.tree / name).stat().st_mode) for name in ("closed", "closed/in")] == [0o700] * 2
