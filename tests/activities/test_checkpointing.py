"""What an attempt at a step hands back."""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.checkpointing import MAX_DROPPED, MAX_NOTES, Checkpointing, Done
from activities.commands.runner import CommandRunner
from activities.commands.sandbox.policy import SandboxPolicy
from activities.messages import StepReport, StepRequest
from activities.projects import Projects
from activities.scene import Scene
from activities.workspaces.opening import open_workspace
from orchex.domain.compiled import RunContext
from orchex.domain.errors import OwnershipViolation
from orchex.domain.ids import new_execution_id
from orchex.store.environments import Environments

Body = Callable[[Scene], Awaitable[Done[StepReport]]]


async def attempted(tmp_path: Path, body: Body, *, owns: Sequence[str] = (), drops: bool = False) -> StepReport:
    """What is reported of a step that does ``body`` in the workspace of ``project``."""
    project, execution = tmp_path / "project", new_execution_id()
    projects = Projects(tmp_path / "home")
    open_workspace(projects.open(str(project)), execution, "main")
    checkpointing = Checkpointing(
        tmp_path / "home", projects, Environments(tmp_path / "home"), CommandRunner(), SandboxPolicy()
    )
    request = StepRequest(
        run=RunContext(execution_id=execution, project=str(project)),
        stream_id="main",
        title="one",
        started_event="e",
        number=0,
        step_id="s",
        owns=tuple(owns),
    )

    async def attempt() -> StepReport:
        return await checkpointing.attempt(request, StepReport, body, drops_new_files=drops)

    report: StepReport = await ActivityEnvironment().run(attempt)
    return report


async def test_a_report_stays_small_however_long_names_are(tmp_path: Path) -> None:
    folder = Path(*["d" * 200] * 8)
    (tmp_path / "project" / folder).mkdir(parents=True)
    (tmp_path / "project" / folder / "kept").write_text("a\n")

    async def body(scene: Scene) -> Done[StepReport]:
        for number in range(2 * MAX_DROPPED):
            (scene.workspace.root / folder / f"{number:03}").write_text("x\n")
        return Done(StepReport(checkpoint="", notes=("n" * 10_000,) * 30))

    report = await attempted(tmp_path, body, drops=True)
    assert (len(report.dropped), len(report.notes)) == (MAX_DROPPED, MAX_NOTES)
    assert report.dropped[0].startswith("dddd")
    assert report.dropped[0].endswith("/000")
    assert len(report.model_dump_json().encode()) < 64 * 1024


async def wrote(tmp_path: Path, names: Sequence[bytes], *, owns: Sequence[str] = (), drops: bool = False) -> StepReport:
    """What is reported of a step that writes files of these names, and edited them itself."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / ".gitignore").write_text("*.log\n")

    async def body(scene: Scene) -> Done[StepReport]:
        for name in names:
            (scene.workspace.root / os.fsdecode(name)).write_text("x\n")
        return Done(StepReport(checkpoint=""), tuple(map(os.fsdecode, names)))

    report = await attempted(tmp_path, body, owns=owns, drops=drops)
    assert report.model_dump_json()
    return report


async def test_what_a_command_left_is_told_whatever_it_is_called(tmp_path: Path) -> None:
    report = await wrote(tmp_path, [b"caf\xe9", b"two\nlines"], drops=True)
    assert sorted(report.dropped) == [r"caf\xe9", r"two\nlines"]


async def test_what_git_ignores_is_told_whatever_it_is_called(tmp_path: Path) -> None:
    report = await wrote(tmp_path, [b"caf\xe9.log", b"kept\xe9"])
    assert (report.changed, report.notes) == (1, (r"caf\xe9.log: git ignores it, so it will not land in the project",))


async def test_a_file_of_any_name_has_an_owner(tmp_path: Path) -> None:
    with pytest.raises(OwnershipViolation, match=r"does not own: caf\\xe9\n"):
        await wrote(tmp_path, [b"caf\xe9", b"mine\xe9.txt"], owns=["mine?.txt"])
