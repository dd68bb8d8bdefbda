"""Runs what a model asks to have run: within the sandbox, with what it may not change set right afterwards."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from activities.commands.mounts import MountPlan
from activities.commands.runner import CommandRunner
from activities.commands.sandbox.bubblewrap import Room
from activities.commands.sandbox.enclose import PENDING, enclose
from activities.commands.sandbox.environment import confined_environment
from activities.commands.sandbox.guard import Guard
from activities.commands.sandbox.levels import cure, find_support
from activities.commands.sandbox.policy import SandboxPolicy
from activities.commands.sandbox.scratch import Scratch
from activities.commands.sandbox.support import Support
from activities.commands.sandbox.view import PYTHON, View, look_around
from activities.commands.spec import CommandOutcome, CommandSpec
from activities.commands.watch import Allowance
from activities.edits.protection import Protection
from activities.threads import in_thread
from activities.workspaces.workspace import Workspace
from orchex.domain.errors import CommandNotStarted
from orchex.domain.printing import printable

REFUSED = "refused"
_NOT_EXECUTABLE = 126
_MOST_NAMED = 10


@dataclass(frozen=True)
class Confinement:
    """What holds for every command that a model issues in one step. ``home`` is Orchex's own.

    ``owns`` are globs of protected paths that the stream may change, ``pass_env`` names what passes into the
    environment beside what always may. ``support`` None is the best that this machine allows.
    """

    home: Path
    workspace: Workspace
    policy: SandboxPolicy
    owns: Sequence[str] = ()
    pass_env: Sequence[str] = ()
    support: Support | None = None

    async def run(self, spec: CommandSpec, runner: CommandRunner) -> CommandOutcome:
        """Run ``spec``, made as for a command of the user's own, within the walls that this machine allows.

        Where it allows none, the answer is a refusal: exit code 126, and output that says what to do. What became of
        protected files is undone when the last process has ended, also when the run is cancelled. Raises
        CommandNotStarted when the walls cannot be put up, and as ``CommandRunner.run`` does.
        """
        support = self.support
        if support is None:
            support = await in_thread(find_support, self.workspace.directory)
        if support.level == "none" and not self.policy.allow_unsandboxed:
            return _refusal(support, spec)
        if PYTHON.is_relative_to(self.workspace.repository.top):
            raise _inside_the_project()
        scratch = Scratch(self._scratch_path())
        try:
            outcome, undone = await self._run(spec, runner, support, scratch)
        finally:
            await in_thread(scratch.remove)
        output = _with_note(outcome.output, undone)
        return replace(outcome, output=output, confinement=support.level)

    async def _run(
        self, spec: CommandSpec, runner: CommandRunner, support: Support, scratch: Scratch
    ) -> tuple[CommandOutcome, tuple[str, ...]]:
        """How it ended, and which protected paths had to be put back."""
        guard = Guard(self.workspace.root, Protection(trusted=False, owned=self.owns), scratch.path / "vault")
        confined = await in_thread(self._confine, spec, support, scratch, guard)
        try:
            outcome = await runner.run(confined)
        finally:
            undone = await in_thread(guard.put_back)
        if (scratch.path / "tmp" / PENDING).exists() and not outcome.timed_out:
            raise _not_closed(outcome)
        return outcome, undone

    def _confine(self, spec: CommandSpec, support: Support, scratch: Scratch, guard: Guard) -> CommandSpec:
        limits, repository = self.policy.limits, self.workspace.repository
        scratch.make()
        protected = guard.keep()
        env = confined_environment(spec.env, self.pass_env)
        enclosed = enclose(
            spec.argv,
            env,
            support=support,
            view=self._view(env),
            room=Room(
                cwd=spec.cwd,
                top=repository.top if spec.mounts else self.workspace.top,
                writable=spec.cwd,
                protected=tuple(spec.cwd / path for path in protected),
                readable=self._git(mounted=spec.mounts is not None),
                scratch=scratch.path,
            ),
            limits=limits,
        )
        return replace(
            spec,
            argv=enclosed.argv,
            env=enclosed.env,
            timeout=limits.seconds,
            mounts=None if spec.mounts is None else _closed(spec.mounts, support, scratch, spec.cwd),
            allowance=Allowance(limits.processes, limits.memory, str(spec.cwd), limits.free_disk),
            output_limit=limits.output,
        )

    def _view(self, env: dict[str, str]) -> View:
        repository = self.workspace.repository
        ours = (self.home.resolve(), repository.top)
        return look_around(env, project=repository.folder, ours=ours, extra=self.policy.readable)

    def _git(self, *, mounted: bool) -> tuple[Path, ...]:
        """What git reads to answer questions about the workspace: status, diff, log.

        Where the workspace covers the project, what the project's own repository lends is found under another name.
        """
        repository = self.workspace.repository
        folders = [repository.git.directory, repository.directory / "borrowed"]
        if repository.layout.has_git:
            folders.append(Path(repository.layout.objects))
        covered = repository.top if mounted else None
        return tuple(path for path in folders if path.is_dir() and not (covered and path.is_relative_to(covered)))

    def _scratch_path(self) -> Path:
        """Beside the checkout, but never where the mounted workspace would cover it."""
        directory = self.workspace.directory
        if not directory.resolve().is_relative_to(self.workspace.repository.top):
            return directory / "untrusted"
        return Path(tempfile.gettempdir(), f"orchex-{self.workspace.execution}-{self.workspace.stream}")


def _closed(plan: MountPlan, support: Support, scratch: Scratch, folder: Path) -> MountPlan:
    """The user's own mounts, less what would let a command leave something for the commands after it."""
    writable = (str(folder), *scratch.own) if support.closed_mounts else None
    return plan._replace(discard=str(scratch.path / "discard"), writable=writable)


def _with_note(output: str, undone: tuple[str, ...]) -> str:
    if not undone:
        return output
    named = ", ".join(map(printable, undone[:_MOST_NAMED]))
    named += f" and {len(undone) - _MOST_NAMED} more" if undone[_MOST_NAMED:] else ""
    between = "" if output.endswith("\n") or not output else "\n"
    return f"{output}{between}[orchex] undone, since CI, agents, hooks or git are configured there: {named}\n"


def _refusal(support: Support, spec: CommandSpec) -> CommandOutcome:
    said = (
        "[orchex] refused: nothing on this machine can confine a command that a model asks for "
        f"({support.problem}). {cure(support)} ORCHEX_ALLOW_UNSANDBOXED=1 lets them run with all that the user may.\n"
    )
    return CommandOutcome(
        exit_code=_NOT_EXECUTABLE,
        signal=None,
        timed_out=False,
        duration_ms=0,
        output=said,
        output_bytes=0,
        leftovers=0,
        survivors=0,
        log_path=None,
        confinement=REFUSED,
    )


def _inside_the_project() -> CommandNotStarted:
    """What closes the sandbox would be the workspace's to change."""
    return CommandNotStarted(
        f"A model's command cannot be confined: the Python that Orchex runs on, {PYTHON}, lies in the project.",
        hint="Install Orchex outside the project (uv tool, pipx).",
    )


def _not_closed(outcome: CommandOutcome) -> CommandNotStarted:
    said = outcome.output.strip().rpartition("\n")[2] or f"it ended with {outcome.exit_code}"
    return CommandNotStarted(
        f"The sandbox for a command could not be put up: {said}",
        hint="`orchex doctor` tells what this machine allows.",
    )
