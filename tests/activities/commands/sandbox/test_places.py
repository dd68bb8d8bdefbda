"""Where the project, the home and Orchex's own folder lie, what is on PATH and what a project is made of."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from activities.commands.sandbox.view import look_around, visible_parts
from activities.workspaces.opening import open_workspace
from activities.workspaces.project import open_project
from tests.activities.commands.sandbox.conftest import CANARY, House


def reopened(house: House, *, state: Path | None = None, project: Path | None = None) -> House:
    """The same house, with Orchex's home or the project somewhere else."""
    house.state, house.project = state or house.state, project or house.project
    house.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    house.workspace = open_workspace(open_project(house.state, house.project), "exec_1", "shop")
    house.workspace.begin(0, "step")
    house.tree = house.workspace.root
    return house


async def test_a_project_that_is_part_of_a_repository_writes_in_its_own_folder_only(house: House) -> None:
    reopened(house, state=house.root / "state", project=house.project / "packages/web")
    await house.sh("echo new > new; echo escaped > ../escaped; mkdir ../../.github; echo escaped > ../../escaped")
    assert (house.tree / "new").exists()
    assert not (house.workspace.top / "packages/escaped").exists()
    assert not (house.workspace.top / ".github").exists()
    assert not (house.workspace.top / "escaped").exists()


async def test_a_project_without_git(house: House) -> None:
    plain = house.home / "work/plain"
    plain.mkdir()
    (plain / "notes.txt").write_text("notes\n")
    reopened(house, state=house.root / "state", project=plain)
    outcome = await house.sh("cat notes.txt; echo new > new; mkdir .git; echo escaped > .git/config")
    assert outcome.output.startswith("notes\n")
    assert (house.tree / "new").exists()
    assert not (plain / "new").exists()
    assert (house.tree / ".git").is_file()


async def test_orchex_s_own_home_within_the_project(house: House) -> None:
    shutil.rmtree(house.project / "node_modules")
    reopened(house, state=house.project / ".orchex")
    (house.state / "orchex.db").write_text(CANARY)
    outcome = await house.sh(f"cat main.py; echo new > new; cat {house.state}/orchex.db .orchex/orchex.db")
    assert outcome.output.startswith("print('main')\n")
    assert CANARY not in outcome.output
    assert (house.tree / "new").exists()


async def test_no_home_and_no_path(house: House) -> None:
    house.environ = {}
    outcome = await house.sh("/bin/cat main.py")
    assert outcome.output == "print('main')\n"


async def test_a_virtual_environment_whose_python_is_elsewhere(house: House) -> None:
    if house.bare:
        pytest.skip("without mounts a dependency folder is copied when the stream is opened")
    (house.project / ".gitignore").write_text("node_modules\n.venv\n")
    venv.create(house.project / ".venv")
    (house.workspace.directory / "dependencies.json").unlink(missing_ok=True)
    house.environ["HOME"] = str(house.root)  # where pytest's own folders are: nothing of the real home is shown
    outcome = await house.run(".venv/bin/python", "-c", "import sys; print(sys.prefix)")
    assert outcome.output.strip() == str(house.project / ".venv")


def test_a_folder_on_path_brings_its_installation_and_never_more(tmp_path: Path) -> None:
    home, other, tool = tmp_path / "ada", tmp_path / "other", tmp_path / "tools/x"
    for folder in (
        home / "bin",
        home / "lib",
        other / "bin",
        other / "lib",
        other / ".git",
        tool / "bin",
        tool / "lib",
    ):
        folder.mkdir(parents=True)
    path = os.pathsep.join(
        map(str, ("/bin", "/", "", "bin", home, home / "bin", other / "bin", tool / "bin", tmp_path))
    )
    view = look_around({"HOME": str(home), "PATH": path}, project=tmp_path / "p", ours=(tmp_path / "state",))
    beneath = {path for path in view.readable if path.is_relative_to(tmp_path)}
    assert beneath == {home / "bin", other / "bin", tool}
    assert Path("/") not in view.readable


def test_what_the_settings_let_in_is_shown_without_what_is_orchex_s(tmp_path: Path) -> None:
    for name in ("data/corpus", "data/state/blobs"):
        (tmp_path / name).mkdir(parents=True)
    view = look_around(
        {}, project=tmp_path / "p", ours=(tmp_path / "data/state",), extra=(tmp_path / "data", Path("/"))
    )
    assert tmp_path / "data" in view.readable
    parts = visible_parts(view)
    assert tmp_path / "data/corpus" in parts
    assert not any(part.is_relative_to(tmp_path / "data/state") for part in parts)
    assert not any((tmp_path / "data/state").is_relative_to(part) for part in parts)


async def test_settings_let_a_folder_in_to_be_read(house: House) -> None:
    house.policy = type(house.policy)(readable=(house.outside,))
    outcome = await house.sh(f"cat {house.outside}/file; echo escaped > {house.outside}/file")
    assert outcome.output.startswith(CANARY)
    assert (house.outside / "file").read_text() == CANARY


def test_the_same_holds_for_an_ordinary_user() -> None:
    """Runs some of these tests again as nobody, whose namespaces have to be user namespaces."""
    python, packages = "/usr/bin/python3", next(path for path in sys.path if path.endswith("site-packages"))
    folder = Path(f"/tmp/orchex-{os.getpid()}-ordinary")
    if os.geteuid() != 0:
        pytest.skip("this is an ordinary user")
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", f"PYTHONPATH={packages}"]
    environment = ["PATH=/usr/bin:/bin", f"HOME={folder}", f"TMPDIR={folder}", "PYTHONDONTWRITEBYTECODE=1"]
    if subprocess.run(
        [*as_nobody, *environment, python, "-c", "import pytest, tomllib, pydantic"], check=False
    ).returncode:
        pytest.skip("no Python 3.11 that an ordinary user may execute finds these packages")
    folder.mkdir()
    try:
        os.chown(folder, 65534, 65534)
        here = Path(__file__).parent
        chosen = (
            "writing_outside",
            "secret_in_the_home",
            "not_there",
            "signals",
            "nothing_reaches",
            "fork_bomb",
            "tasks",
            "works_in",
        )
        files = [str(here / f"test_{name}.py") for name in ("files", "protected", "processes", "network", "limits")]
        program = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(chosen), *files]
        done = subprocess.run(
            [*as_nobody, *environment, *program], cwd=here.parents[3], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert " passed" in done.stdout
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
