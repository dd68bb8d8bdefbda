"""The example manifests that come with Orchex."""

from functools import cache
from importlib import resources
from pathlib import Path


@cache
def examples() -> dict[str, Path]:
    """Every example by name: ``orchex/share/manifests`` of an installed Orchex, or those of a source tree."""
    package = Path(str(resources.files("orchex")))
    installed = package / "share" / "manifests"
    folder = installed if installed.is_dir() else package.parent / "manifests"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
