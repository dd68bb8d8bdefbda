"""What never enters a snapshot or a checkpoint, beside the person's own ignore rules.

The lists hold names that are made by tools and are never sources. A name that could well be somebody's source folder
(``vendor``, ``build``, ``dist``) is left to the project's own ``.gitignore``: no edit may vanish for its folder's name.
"""

DEPENDENCY_FOLDERS = (
    "node_modules",
    "bower_components",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    ".gradle",
    ".pnpm-store",
)
"""Installed dependencies by name alone: excluded even where no ignore rule names them."""

DEPENDENCY_FOLDERS_WHEN_IGNORED = ("vendor", "env", "Pods", "target", ".bundle", ".yarn", "deps", "_build", ".build")
"""Installed dependencies or build trees only where the project ignores them."""

_CACHES = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")

TEMPORARY_PREFIX = ".orchex-apply-"
"""Names of the files that exist beside a project's files while a change lands."""

_ALWAYS = (
    *(f"{name}/" for name in (*DEPENDENCY_FOLDERS, *_CACHES)),
    *DEPENDENCY_FOLDERS,
    f"{TEMPORARY_PREFIX}*",
    "[.][gG][iI][tT]",
)
_WITHOUT_GIT = (".hg/", ".svn/", ".DS_Store", "*.py[co]", "/target/")


def exclude_text(persons: bytes, *, has_git: bool, ours: str | None) -> bytes:
    """The private repository's ``info/exclude``: ours first, the person's after, so that theirs may say otherwise.

    ``ours`` is the path of Orchex's own home relative to the top, when it lies within the project.
    """
    lines = [*_ALWAYS, *(() if has_git else _WITHOUT_GIT), *([f"/{_literal(ours)}/"] if ours else [])]
    return "\n".join(lines).encode(errors="surrogateescape") + b"\n" + persons


def _literal(path: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*?[ !#" else letter for letter in path)
