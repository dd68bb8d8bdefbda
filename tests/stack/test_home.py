import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchex.domain.errors import StorageError
from orchex.stack.home import prepare_home, write_atomically
from orchex.stack.paths import SOCKET_PATH_LIMIT, StackPaths

START = """
import sys
from pathlib import Path
from orchex.domain.errors import StorageError
from orchex.settings import Settings
from orchex.stack.client import ensure_stack
try:
    print(ensure_stack(Settings(home=Path(sys.argv[1])), worker=["true"]))
except StorageError as error:
    print(error)
"""


def _may_mount() -> bool:
    try:
        return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


needs_mounts = pytest.mark.skipif(not _may_mount(), reason="needs the right to mount (unshare -m)")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")


def start_on_mount(home: Path, options: str) -> str:
    """What a start says on a home that is a file system of its own, in a mount namespace that ends with it."""
    home.mkdir(mode=0o700)
    script = f'mount -t tmpfs -o mode=700,{options} none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(home), sys.executable, START]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_new_home_is_private(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path / "deep" / "home")
    prepare_home(paths)
    for directory in (paths.home, paths.directory, paths.temporal, paths.logs):
        assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720])
def test_a_home_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(StorageError, match="can be written by other users") as caught:
        prepare_home(StackPaths(tmp_path))
    assert f"chmod go-w '{tmp_path}'" in caught.value.hint


@needs_root
def test_a_home_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 54321, -1)
    with pytest.raises(StorageError, match="belongs to another user"):
        prepare_home(StackPaths(tmp_path))


def test_a_home_beneath_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=rf"Cannot write {tmp_path}/file/home: Not a directory") as caught:
        prepare_home(StackPaths(tmp_path / "file" / "home"))
    assert "set ORCHEX_HOME to a folder" in caught.value.hint


@needs_mounts
def test_a_read_only_home_is_a_clear_error(tmp_path: Path) -> None:
    said = start_on_mount(tmp_path / "home", "ro")
    assert f"Cannot write {tmp_path}/home/stack: Read-only file system." in said
    assert "set ORCHEX_HOME" in said


@needs_mounts
def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    said = start_on_mount(tmp_path / "home", "size=8m")
    assert "Only 8 MB are free" in said
    assert "Free some space" in said


@needs_mounts
def test_a_disk_that_takes_no_more_files_is_a_clear_error(tmp_path: Path) -> None:
    said = start_on_mount(tmp_path / "home", "size=200m,nr_inodes=5")
    assert "No space left on device." in said
    assert "Free some space" in said


def test_a_folder_for_the_door_that_somebody_else_put_there_is_refused(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path / ("x" * 120))
    directory = paths.door.parent
    directory.symlink_to(tmp_path)
    try:
        with pytest.raises(StorageError, match="not a private folder"):
            prepare_home(paths)
    finally:
        directory.unlink()


def test_a_folder_for_the_door_that_others_can_write_is_refused(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path / ("x" * 120))
    directory = paths.door.parent
    directory.mkdir()
    directory.chmod(0o777)
    try:
        with pytest.raises(StorageError, match="not a private folder"):
            prepare_home(paths)
    finally:
        directory.rmdir()


def test_a_door_always_fits_into_a_socket_address(tmp_path: Path) -> None:
    for length in range(1, 200, 7):
        assert len(os.fsencode(StackPaths(Path("/") / ("ü" * length)).door)) <= SOCKET_PATH_LIMIT
    assert StackPaths(Path("/a")).door == Path("/a/stack/door.sock")
    assert StackPaths(Path("/", "a" * 200)).door != StackPaths(Path("/", "b" * 200)).door


def test_a_file_is_replaced_whole_and_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.json"
    write_atomically(path, "old")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
