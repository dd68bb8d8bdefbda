"""A user's home with secrets in it, a project, a workspace of it, and commands of a model that run there."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from activities.commands.environment import command_environment
from activities.commands.runner import CommandRunner
from activities.commands.sandbox.levels import candidates, try_out
from activities.commands.sandbox.policy import SandboxPolicy
from activities.commands.sandbox.support import Support
from activities.commands.spec import CommandOutcome, CommandSpec
from activities.dependencies import mount_plan
from activities.untrusted import Confinement
from activities.workspaces.opening import open_workspace
from activities.workspaces.project import open_project
from activities.workspaces.workspace import Workspace

CANARY = "canary-Zq7fK2m9"
LEVELS = ("bubblewrap+landlock", "bubblewrap", "landlock", "landlock, open mounts")


def name_of(support: Support) -> str:
    return support.level if support.bwrap or support.closed_mounts else "landlock, open mounts"


@dataclass
class House:
    """``outside`` is a folder of the user's that is neither the project nor the home."""

    root: Path
    runner: CommandRunner
    support: Support
    environ: dict[str, str] = field(default_factory=dict)
    policy: SandboxPolicy = field(default_factory=SandboxPolicy)
    owns: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.home, self.outside = self.root / "home/ada", self.root / "outside"
        self.project, self.state = self.home / "work/shop", self.home / ".local/state/orchex"
        for path, text in {
            self.home / ".ssh/id_ed25519": CANARY,
            self.home / ".aws/credentials": CANARY,
            self.home / ".netrc": CANARY,
            self.home / ".config/gh/hosts.yml": CANARY,
            self.home / ".docker/config.json": CANARY,
            self.home / ".bash_history": CANARY,
            self.home / ".cargo/credentials.toml": CANARY,
            self.home / ".cargo/bin/tool": "#!/bin/sh\necho toolchain\n",
            self.home / ".gitconfig": f"[user]\n\tname = Ada\n[x]\n\ttoken = {CANARY}\n",
            self.home / "work/other/main.py": CANARY,
            self.state / "environments/exec_x.json": CANARY,
            self.outside / "file": CANARY,
            self.project / "main.py": "print('main')\n",
            self.project / ".gitignore": "node_modules\n",
            self.project / ".github/workflows/ci.yml": "on: push\n",
            self.project / "AGENTS.md": "be kind\n",
            self.project / "packages/web/CLAUDE.md": "be brief\n",
            self.project / "node_modules/left/index.js": "left\n",
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.home / ".cargo/bin/tool").chmod(0o755)
        self._git("init", "-q", "-b", "main")
        self._git("add", ".")
        self._git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "first")
        self.state.chmod(0o700)
        repository = open_project(self.state, self.project)
        self.workspace: Workspace = open_workspace(repository, "exec_1", "shop")
        assert self.workspace.begin(0, "step") is None
        self.tree = self.workspace.root
        self.environ = {"PATH": f"{self.home}/.cargo/bin:{os.defpath}", "HOME": str(self.home), **self.environ}

    def _git(self, *arguments: str) -> None:
        environment = {**os.environ, "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=self.project, env=environment, check=True)

    def spec(self, *argv: str) -> CommandSpec:
        mounted = bool(self.support.bwrap or self.support.closed_mounts)
        plan = mount_plan(self.workspace) if mounted else None
        env = command_environment(
            self.environ,
            execution="exec_1",
            stream="shop",
            step_id="step",
            label="test",
            pass_env=self.pass_env,
        )
        return CommandSpec(argv, self.project if plan else self.tree, env, mounts=plan)

    async def run(self, *argv: str) -> CommandOutcome:
        """What a model asked for, carried out."""
        confinement = Confinement(
            self.state,
            self.workspace,
            self.policy,
            owns=self.owns,
            pass_env=self.pass_env,
            support=self.support,
        )
        return await confinement.run(self.spec(*argv), self.runner)

    def world(self) -> dict[str, tuple[int, int, bytes | str]]:
        """Everything of the user's: mode, time and content of each file outside the workspace."""
        found: dict[str, tuple[int, int, bytes | str]] = {}
        for path in sorted([*self.home.rglob("*"), *self.outside.rglob("*"), self.outside]):
            if path.is_relative_to(self.state / "projects"):
                continue
            stat = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path)] = (stat.st_mode, stat.st_mtime_ns, content)
        return found

    @property
    def bare(self) -> bool:
        """Landlock with no namespace at all around it: what it does not hold is named where it is tested."""
        return not self.support.bwrap and not self.support.closed_mounts

    async def sh(self, line: str) -> CommandOutcome:
        return await self.run("/bin/sh", "-c", line)

    async def python(self, program: str, *arguments: str) -> CommandOutcome:
        return await self.run(PYTHON, "-I", "-c", program, *map(str, arguments))


PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


@pytest.fixture(scope="session")
def walls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Support | str]:
    """Each level, with what it stands on here or why it does not stand."""
    where = tmp_path_factory.mktemp("walls")
    found: dict[str, Support | str] = dict.fromkeys(LEVELS, "this machine has not what it takes; see orchex doctor")
    for candidate in candidates():
        failure = try_out(candidate, where)
        found[name_of(candidate)] = candidate if failure is None else failure
    return found


@pytest.fixture(params=LEVELS)
def support(request: pytest.FixtureRequest, walls: dict[str, Support | str]) -> Support:
    found = walls[request.param]
    if isinstance(found, str):
        assert "could write outside" not in found, f"{request.param} lets writes through"
        pytest.skip(f"{request.param}: {found}")
    return found


@pytest.fixture
def house(tmp_path: Path, runner: CommandRunner, support: Support) -> House:
    return House(tmp_path, runner, support)
