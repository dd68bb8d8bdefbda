"""The child process of ``namespaces.probe``: mounts a small project and looks whether the promise holds."""

from pathlib import Path
from typing import cast

from activities.commands import mounts


def main(area: str, level: str) -> None:
    """Exits non-zero, with the reason as the last line on stderr, if anything is not as promised."""
    project, tree, private = (Path(area, name) for name in ("project", "tree", "private"))
    installed = Path("dependency", "installed")
    for folder in (project / "dependency", tree, private):
        folder.mkdir(parents=True)
    (project / installed).write_text("theirs")
    (project / "hidden").write_text("theirs")
    (tree / "edited").write_text("ours")
    level = cast(mounts.Level, level)
    plan = mounts.MountPlan(str(project), str(tree), str(private), ("dependency",), level)
    try:
        mount_points = mounts.enter(plan)
    except OSError as error:
        raise SystemExit(str(error)) from None
    shown = sorted(path.name for path in project.iterdir())
    (project / installed).write_text("changed")
    if shown != ["dependency", "edited"] or (tree / installed).read_text() != "changed":
        raise SystemExit(f"the overlay shows {shown}")
    mounts.leave(plan, mount_points)
    if (project / installed).read_text() != "theirs":
        raise SystemExit("the overlay wrote through to its lower layer")
