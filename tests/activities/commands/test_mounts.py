import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.commands.mounts import Level, MountPlan
from activities.commands.namespaces import probe
from activities.commands.runner import CommandRunner
from activities.commands.spec import CommandSpec
from orchex.domain.errors import CommandNotStarted

Shell = Callable[..., CommandSpec]
NOBODY = 65534
SUPPORT = probe()
needs_namespaces = pytest.mark.skipif(SUPPORT.level == "none", reason=SUPPORT.reason)
pytestmark = needs_namespaces


class House:
    """A user's project with dependency folders, and a workspace of it."""

    def __init__(self, root: Path) -> None:
        self.project, self.tree, self.private = root / "my, project:1", root / "tree", root / "private"
        for path, text in {
            "node_modules/left/index.js": "left",
            "packages/a/node_modules/right.js": "right",
            "packages/a/index.js": "user",
            "src/mine.py": "user",
            ".env": "user",
        }.items():
            self.write(self.project / path, text)
        self.write(self.tree / "src/mine.py", "workspace")
        self.write(self.tree / "packages/a/index.js", "workspace")
        self.private.mkdir()

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def plan(self, *dependencies: str, level: Level | None = None) -> MountPlan:
        chosen: Level = level or ("root" if SUPPORT.level == "root" else "user")
        names = dependencies or ("node_modules", "packages/a/node_modules", "missing")
        return MountPlan(str(self.project), str(self.tree), str(self.private), names, chosen)

    def users(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.project)): path.read_text() for path in self.project.rglob("*") if path.is_file()
        }


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_the_workspace_stands_at_the_project_s_own_path(
    runner: CommandRunner, shell: Shell, house: House
) -> None:
    plan = house.plan()._replace(dependencies=())
    outcome = await runner.run(shell("pwd -P; cat src/mine.py; echo new > made; ls -A", cwd=house.project, mounts=plan))
    assert outcome.output.split("\n") == [str(house.project), "workspace" + "made", "packages", "src", ""]
    assert (house.tree / "made").read_text() == "new\n"
    assert not (house.project / "made").exists()


async def test_an_absolute_path_into_the_project_reaches_the_workspace_s_code(
    runner: CommandRunner, shell: Shell, house: House
) -> None:
    site = house.project / ".venv/lib"
    House.write(site / "editable.pth", f"{house.project}/src\n")
    House.write(house.tree / "src/mine.py", "print('workspace')")
    line = f"{sys.executable} -S -c 'import site; site.addsitedir(\"{site}\"); import mine'"
    outcome = await runner.run(shell(line, cwd=house.project, mounts=house.plan(".venv")))
    assert outcome.output == "workspace\n"


async def test_only_the_dependency_folders_of_the_user_s_project_show(
    runner: CommandRunner, shell: Shell, house: House
) -> None:
    outcome = await runner.run(shell("find . -type f | sort", cwd=house.project, mounts=house.plan()))
    assert outcome.output.split() == [
        "./node_modules/left/index.js",
        "./packages/a/index.js",
        "./packages/a/node_modules/right.js",
        "./src/mine.py",
    ]


async def test_what_appears_in_the_user_s_project_is_hidden_from_the_next_command(
    runner: CommandRunner, shell: Shell, house: House
) -> None:
    await runner.run(shell("true", cwd=house.project, mounts=house.plan()))
    for path in ("new", "packages/a/new", "packages/b/new"):
        House.write(house.project / path, "user")
    (house.project / ".env").unlink()
    outcome = await runner.run(shell("find . -name new; ls -A", cwd=house.project, mounts=house.plan()))
    assert outcome.output.split() == ["node_modules", "packages", "src"]


async def test_a_clean_install_leaves_the_user_s_folder_untouched(
    runner: CommandRunner, shell: Shell, house: House
) -> None:
    before = house.users()
    line = (
        "rm -rf node_modules && mkdir node_modules && echo fresh > node_modules/fresh"
        " && echo changed > packages/a/node_modules/right.js && rm -r src && mkdir build"
    )
    outcome = await runner.run(shell(line, cwd=house.project, mounts=house.plan()))
    assert (outcome.exit_code, outcome.output) == (0, "")
    assert house.users() == before
    outcome = await runner.run(
        shell("ls; cat node_modules/* packages/a/node_modules/*", cwd=house.project, mounts=house.plan())
    )
    assert outcome.output.split() == ["build", "node_modules", "packages", "fresh", "changed"], (
        "the next command sees it"
    )
    assert not (house.tree / "src").exists()
    assert (house.tree / "build").is_dir()


async def test_a_removed_package_leaves_no_device_file_in_the_workspace(
    runner: CommandRunner, shell: Shell, house: House
) -> None:
    await runner.run(shell("rm -rf packages", cwd=house.project, mounts=house.plan()))
    devices = [path for path in house.tree.rglob("*") if stat.S_ISCHR(path.lstat().st_mode)]
    assert devices == []
    outcome = await runner.run(shell("ls", cwd=house.project, mounts=house.plan()))
    assert outcome.output.split() == ["node_modules", "src"], "and it stays removed"


async def test_a_dependency_folder_that_is_a_link_is_not_written_through(
    runner: CommandRunner, shell: Shell, house: House, tmp_path: Path
) -> None:
    House.write(tmp_path / "elsewhere/installed", "user")
    (house.project / ".venv").symlink_to(tmp_path / "elsewhere")
    line = "cat .venv/installed; echo changed > .venv/installed; cat .venv/installed"
    outcome = await runner.run(shell(line, cwd=house.project, mounts=house.plan(".venv")))
    assert outcome.output == "userchanged\n"
    assert (tmp_path / "elsewhere/installed").read_text() == "user"


async def test_commands_follow_one_another_in_one_workspace(runner: CommandRunner, shell: Shell, house: House) -> None:
    for number in range(15):
        line = f"test $(ls node_modules | wc -l) = {number + 1} && touch node_modules/{number} && {{ sleep 100 & }}"
        outcome = await runner.run(shell(line, cwd=house.project, mounts=house.plan()))
        assert (outcome.exit_code, outcome.leftovers) == (0, 1), outcome.output


@pytest.mark.skipif(SUPPORT.level != "root", reason="only root can have mounts that propagate")
def test_the_mounts_do_not_propagate_where_mounts_are_shared(house: House, marker: str, tmp_path: Path) -> None:
    plan = house.plan()
    program = [sys.executable, str(Path(__file__).with_name("worker_to_kill.py")), marker, plan.project]
    line = f"ls {tmp_path}/ready || touch {tmp_path}/ready; sleep 0.5"
    worker = shlex.join([*program, line, plan.project, plan.tree, plan.private, "root", *plan.dependencies])
    wait = f"while ! [ -e {tmp_path}/ready ]; do sleep 0.02; done"
    script = f"mount --make-rshared / && {{ {worker} & }}; {wait}; cat /proc/self/mountinfo; wait"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "shared:" in done.stdout
    assert str(house.project).replace(" ", "\\040") not in done.stdout


async def test_the_mounts_are_the_command_s_alone(runner: CommandRunner, shell: Shell, house: House) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    seen: list[str] = []
    await runner.run(
        shell("echo x", cwd=house.project, mounts=house.plan()),
        on_output=lambda _: seen.append(Path("/proc/self/mountinfo").read_text()),
    )
    assert seen == [before]


@pytest.mark.parametrize("path", ["../outside", "/etc", "."])
async def test_a_dependency_folder_outside_the_project_is_refused(
    runner: CommandRunner, shell: Shell, house: House, path: str
) -> None:
    with pytest.raises(CommandNotStarted, match="not beneath the project"):
        await runner.run(shell("true", cwd=house.project, mounts=house.plan(path)))


async def test_a_missing_workspace_is_an_error_that_says_so(runner: CommandRunner, shell: Shell, house: House) -> None:
    shutil.rmtree(house.tree)
    with pytest.raises(CommandNotStarted, match="could not be mounted"):
        await runner.run(shell("true", cwd=house.project, mounts=house.plan()._replace(dependencies=())))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_an_ordinary_user_gets_the_same_view(tmp_path_factory: pytest.TempPathFactory, marker: str) -> None:
    python = next((path for path in ("/usr/bin/python3", sys.executable) if as_nobody([path, "-c", NEWS]) == 0), None)
    if python is None:
        pytest.skip("no Python that an ordinary user may execute and that has 3.11's features")
    root = Path("/tmp", f"orchex-{os.getpid()}-nobody")
    try:
        house = House(root)
        for path in (root, *root.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        before = house.users()
        line = (
            "id -u; cat src/mine.py; rm -rf node_modules && mkdir node_modules;"
            " setsid sleep 600 & grep CapEff /proc/self/status"
        )
        plan = house.plan("node_modules", level="user")
        arguments = [plan.project, plan.tree, plan.private, "user", *plan.dependencies]
        program = Path(__file__).with_name("worker_to_kill.py")
        done = subprocess.run(
            [*AS_NOBODY, python, program, marker, house.project, line, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.split() == ["0", "1", "0", str(NOBODY), "workspaceCapEff:", "0" * 16], done.stderr
        assert house.users() == before
        assert subprocess.run([*AS_NOBODY, "rm", "-r", house.private], check=False).returncode == 0
    finally:
        shutil.rmtree(root, ignore_errors=True)


AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
NEWS = "import tomllib, os; os.pidfd_open(os.getpid())"


def as_nobody(command: list[str]) -> int:
    return subprocess.run([*AS_NOBODY, *command], capture_output=True, check=False).returncode
