"""Finds out, by putting up the walls, which level of the sandbox this machine allows."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from activities.commands import namespaces
from activities.commands.host import lean_python
from activities.commands.mounts import MountPlan
from activities.commands.sandbox import landlock, seccomp
from activities.commands.sandbox.bubblewrap import Room
from activities.commands.sandbox.enclose import PENDING, enclose
from activities.commands.sandbox.limits import Limits
from activities.commands.sandbox.scratch import Scratch
from activities.commands.sandbox.support import Support
from activities.commands.sandbox.view import look_around

BWRAP_FOLDERS = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
"""Where bwrap is looked for. Never on PATH, which may lead into a project."""
_LANDLOCK_ALONE_SINCE = 3
"""Before this ABI (Linux 6.2), a file anywhere could be truncated."""
_SECONDS = 10.0
_INSTALL = "Install bubblewrap (apt install bubblewrap, dnf install bubblewrap, apk add bubblewrap)."
_ALLOW_NAMESPACES = (
    "Allow user namespaces: on Ubuntu give bwrap an AppArmor profile or set "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container let its seccomp profile allow unshare(2) and "
    "mount(2); elsewhere see kernel.unprivileged_userns_clone and user.max_user_namespaces."
)
_NEWER_KERNEL = "Landlock needs Linux 6.2 or newer to do without bubblewrap, and `landlock` in the kernel's lsm= list."
_TRIAL = (
    "import json, os, sys; sys.path.append(sys.argv[1]); from activities.commands import mounts; "
    "plan = json.loads(sys.argv[2]); plan and mounts.enter(mounts.MountPlan(*plan)); os.chdir(sys.argv[3]); "
    "os.execv(sys.argv[4], sys.argv[4:])"
)

_known: dict[int, Support] = {}


def find_support(where: Path) -> Support:
    """The best level that works for workspaces beneath ``where``. Takes some 200 ms, once per file system."""
    device = where.stat().st_dev
    if device not in _known:
        _known[device] = best_of(candidates(), where)
    return _known[device]


def candidates(folders: tuple[str, ...] = BWRAP_FOLDERS) -> list[Support]:
    """What is worth a trial, best first."""
    abi, filters = landlock.abi(), seccomp.supported()
    found: list[Support] = []
    bwrap = next((path for folder in folders if os.access(path := f"{folder}/bwrap", os.X_OK)), None)
    if bwrap is not None:
        sizes = b"--size" in subprocess.run([bwrap, "--help"], capture_output=True, check=False).stdout
        if abi:
            found.append(Support("bubblewrap+landlock", bwrap, sizes, abi, filters))
        found.append(Support("bubblewrap", bwrap, sizes, 0, filters))
    if abi >= _LANDLOCK_ALONE_SINCE and filters:
        found += [Support("landlock", landlock=abi, seccomp=True, closed_mounts=closed) for closed in (True, False)]
    return found


def best_of(options: list[Support], where: Path) -> Support:
    """The first that stands its trial, with what is wrong with those before it; level ``none`` when all fail."""
    problems: list[str] = []
    for option in options:
        failure = try_out(option, where)
        if failure is None:
            return option._replace(problem=_problem(option, problems))
        problems.append(f"{option.level}: {failure}")
    return Support("none", problem=_problem(Support("none"), problems))


def cure(support: Support) -> str:
    """What to do for a better level; empty at the best."""
    if support.level == "bubblewrap+landlock":
        return ""
    if support.level == "bubblewrap":
        return "Use a kernel with Landlock (Linux 5.13 or newer), and have `landlock` in its lsm= list."
    installed = any(os.access(f"{folder}/bwrap", os.X_OK) for folder in BWRAP_FOLDERS)
    first = _ALLOW_NAMESPACES if installed else _INSTALL
    return f"{first} {_NEWER_KERNEL}" if support.level == "none" else first


def _problem(chosen: Support, problems: list[str]) -> str:
    if problems or chosen.level == "bubblewrap+landlock":
        return "; ".join(problems)
    return "this kernel has no Landlock" if chosen.bwrap else "bubblewrap is not installed"


def try_out(support: Support, where: Path) -> str | None:
    """Run one command within the walls: it may write in its room, and nowhere else. What went wrong, or None."""
    try:
        with tempfile.TemporaryDirectory(prefix="orchex-trial-", dir=where) as area:
            return _try_out(support, Path(area).resolve())
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def _try_out(support: Support, area: Path) -> str | None:
    project, tree, private, outside = (area / name for name in ("project", "tree", "private", "outside"))
    for folder in (project, tree, private, outside):
        folder.mkdir()
    scratch = Scratch(area / "scratch")
    scratch.make()
    try:
        level = namespaces.probe(area).level
        if support.closed_mounts and level == "none":
            return "no mount namespaces"
        mounted = level != "none" and (support.bwrap is not None or support.closed_mounts)
        root = project if mounted else tree
        writable = (str(root), *scratch.own) if support.closed_mounts else None
        plan = None
        if mounted and level != "none":
            plan = MountPlan(str(project), str(tree), str(private), (), level, writable=writable)
        env = {"PATH": os.defpath}
        line = f"echo held > inside; echo escaped > {outside}/file; echo escaped > $TMPDIR/../file"
        argv, env = enclose(
            ("/bin/sh", "-c", line),
            env,
            support=support,
            view=look_around(env, project=project, ours=()),
            room=Room(root, root, root, (), (), scratch.path),
            limits=Limits(),
        )
        command = [*lean_python(_TRIAL), json.dumps(plan), str(root), *argv]
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if (scratch.path / "tmp" / PENDING).exists():
            return done.stderr.strip().rpartition("\n")[2] or f"it ended with {done.returncode} before it began"
        if not (tree / "inside").exists():
            return f"a command could not write in its workspace: {done.stderr.strip()}"
        if any(outside.iterdir()):
            return "a command could write outside its workspace"
    finally:
        scratch.remove()
    return None
