"""What a planner is told of a project before any file of it: how it is laid out, and its own scripts."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from activities.commands.redaction import redact as redact_shapes
from activities.commands.resolve import own_scripts
from activities.context.files import ProjectFiles
from activities.edits.paths import WorkTree
from orchex.domain.printing import printable

MAX_LINES = 200
_MAX_SCRIPTS = 50
_MAX_NAME = 120


def project_brief(
    root: Path, *, listed: Sequence[str] | None = None, redact: Callable[[str], str] = redact_shapes
) -> str:
    """The project's folders and files in at most ``MAX_LINES`` lines, the upper ones first, and its scripts.

    ``listed`` as for ``gather``. The names come from the project: data, as its files are. A script is told with the
    command it runs and where it is written down.
    """
    project = ProjectFiles(WorkTree(root), listed)
    top = _Folder("")
    for path in sorted(project.names):
        top.add(path.split("/"))
    lines = [f"The project has {top.count} files{_beyond(project)}:", *_tree(top)]
    scripts = [
        f"  {_short(name)}: {_short(shlex.join(command.argv))} ({command.origin})"
        for name, command in own_scripts(root, limit=_MAX_SCRIPTS).items()
    ]
    lines += ["", "Its own scripts, by the names to run them by:", *scripts] if scripts else ["", "It has no scripts."]
    return redact("\n".join(lines)) + "\n"


@dataclass
class _Folder:
    path: str
    count: int = 0
    folders: dict[str, "_Folder"] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def add(self, parts: Sequence[str]) -> None:
        folder = self
        folder.count += 1
        for depth, part in enumerate(parts[:-1], start=1):
            folder = folder.folders.setdefault(part, _Folder("/".join(parts[:depth])))
            folder.count += 1
        folder.files.append(parts[-1])

    @property
    def lines(self) -> int:
        return len(self.folders) + len(self.files)


def _tree(top: _Folder) -> list[str]:
    """Folders are opened from the top down, the smaller first, as long as there are lines left for their contents."""
    left = MAX_LINES
    opened: set[str] = set()
    level = [top]
    while level:
        for folder in sorted(level, key=lambda it: (it.lines, it.path)):
            if folder.lines <= left:
                left -= folder.lines
                opened.add(folder.path)
        level = [inner for folder in level if folder.path in opened for inner in folder.folders.values()]
    return list(_lines(top, opened, 1)) if "" in opened else [_summary(top, 1)]


def _lines(folder: _Folder, opened: set[str], depth: int) -> list[str]:
    lines = []
    for name, inner in sorted(folder.folders.items()):
        if inner.path in opened:
            lines += [f"{'  ' * depth}{_short(name)}/", *_lines(inner, opened, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}{_short(name)}/ {_summary(inner, 0)}")
    return lines + [f"{'  ' * depth}{_short(name)}" for name in folder.files]


def _summary(folder: _Folder, depth: int) -> str:
    """How many files of which kinds lie beneath: ``(120 files: 80 .ts, 40 .tsx)``."""
    kinds: Counter[str] = Counter()
    waiting = [folder]
    while waiting:
        inner = waiting.pop()
        kinds.update(Path(name).suffix or "without suffix" for name in inner.files)
        waiting += inner.folders.values()
    told = sorted(kinds.items(), key=lambda it: (-it[1], it[0]))[:3]
    return f"{'  ' * depth}({folder.count} files: {', '.join(f'{count} {_short(kind)}' for kind, count in told)})"


def _beyond(project: ProjectFiles) -> str:
    return f", {project.unsearched}" if project.unsearched else ""


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
