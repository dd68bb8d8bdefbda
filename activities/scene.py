"""Where one step's commands run: the workspace, seen at the project's own path, with the user's environment."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from activities.commands.environment import command_environment
from activities.commands.redaction import redact
from activities.commands.resolve import resolve
from activities.commands.runner import CommandRunner
from activities.commands.sandbox.policy import SandboxPolicy
from activities.commands.spec import CommandOutcome, CommandSpec
from activities.dependencies import mount_plan
from activities.kept_secrets import known_secrets
from activities.logs import log_name, step_logs
from activities.messages import StepRequest
from activities.noise import relative
from activities.untrusted import Confinement
from activities.workspaces.workspace import Workspace


@dataclass
class Scene:
    """One attempt's view. ``environ`` is the environment of whoever started the execution.

    ``owns`` are the globs of protected files that the stream may change. ``sandbox`` tells, once a model's command
    has run or was refused, what confined it: a level of ``activities.commands.sandbox``, or ``refused``.
    """

    home: Path
    workspace: Workspace
    request: StepRequest
    environ: dict[str, str]
    runner: CommandRunner
    policy: SandboxPolicy
    owns: tuple[str, ...] = ()
    sandbox: str | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    async def shell(self, line: str) -> CommandOutcome:
        """Run a command of the plan: a shell line, or the bare name of a script of the project."""
        resolved = resolve(line, self.workspace.root, dependencies=self.workspace.repository.folder)
        return await self.run(resolved.argv, None)

    async def untrusted(self, line: str) -> CommandOutcome:
        """As ``shell``, for a line that a model wrote: confined, or refused where nothing can confine it."""
        resolved = resolve(line, self.workspace.root, dependencies=self.workspace.repository.folder)
        pass_env = self.request.pass_env
        confinement = Confinement(self.home, self.workspace, self.policy, owns=self.owns, pass_env=pass_env)
        outcome = await confinement.run(self._spec(resolved.argv, None), self.runner)
        self.sandbox = outcome.confinement
        return outcome

    async def run(self, argv: tuple[str, ...], timeout_ms: int | None) -> CommandOutcome:
        """Run one command in the project root; its whole redacted output goes to a log file of the step."""
        return await self.runner.run(self._spec(argv, timeout_ms))

    def _spec(self, argv: tuple[str, ...], timeout_ms: int | None) -> CommandSpec:
        request, repository = self.request, self.workspace.repository
        mounts = mount_plan(self.workspace)
        env = command_environment(
            self.environ,
            execution=request.run.execution_id,
            stream=request.stream_id,
            step_id=request.step_id,
            label=request.environment,
            pass_env=request.pass_env,
        )
        self._count += 1
        return CommandSpec(
            argv=argv,
            cwd=repository.folder if mounts else self.workspace.root,
            env=env,
            timeout=timeout_ms / 1000 if timeout_ms else None,
            mounts=mounts,
            log_path=self._log_path(),
            secrets=self.secrets,
        )

    def screen(self, text: str) -> str:
        """``text`` as a model may see it: without secrets, and without telling where the project lies."""
        roots = (self.workspace.repository.folder, self.workspace.root)
        return redact(relative(text, roots), self.secrets)

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What nobody is to be told: of the environment, and of the project as it was when the attempt began to act."""
        return known_secrets(self.workspace.root, self.environ)

    @property
    def log(self) -> str | None:
        """The artifact that the last command's whole output becomes; None before there was one."""
        return f"{self.request.stream_id}/{self._log_name()}" if self._count else None

    def _log_name(self) -> str:
        return log_name(self.request.number, self._count)

    def _log_path(self) -> Path:
        folder = step_logs(self.home, self.request.run.execution_id, self.request.stream_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / self._log_name()
