"""The projects that executions over HTTP may name: folders of this server's workers, chosen by its operator."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from api.problems import Problem
from orchex.domain.errors import InvalidInput
from orchex.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HINT = 'Write it as {"name": "/absolute/folder"}.'


@dataclass(frozen=True)
class ServedProjects:
    """Names and their folders. Clients see names alone."""

    folders: dict[str, str]

    def folder(self, name: str | None) -> str:
        """The folder of ``name``; of the only project when no name is given. Raises :class:`Problem`."""
        if not self.folders:
            raise Problem("no_project", "this server has no project: its operator sets ORCHEX_PROJECTS")
        if name is None:
            if len(self.folders) == 1:
                return next(iter(self.folders.values()))
            detail = "context.project is needed, because this server has several projects"
        elif name in self.folders:
            return self.folders[name]
        else:
            detail = f"there is no project {name!r}"
        error = {"pointer": "/context/project", "detail": detail, "code": "unknown_project"}
        known = ", ".join(sorted(self.folders))
        raise Problem("validation_failed", f"{detail}; this server has: {known}", errors=[error])

    def name(self, folder: str) -> str | None:
        """What the project in ``folder`` is called; none for one that is not served any more."""
        return next((name for name, other in self.folders.items() if other == folder), None)


def load_projects(settings: Settings) -> ServedProjects:
    """What ``ORCHEX_PROJECTS`` or the file in ``ORCHEX_PROJECTS_FILE`` says. Raises :class:`InvalidInput`."""
    if settings.projects is not None:
        return ServedProjects(_mapping(settings.projects, "ORCHEX_PROJECTS"))
    if settings.projects_file is None:
        return ServedProjects({})
    where = f"ORCHEX_PROJECTS_FILE, {settings.projects_file},"
    try:
        return ServedProjects(_mapping(settings.projects_file.read_text(encoding="utf-8"), where))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{where} cannot be read: {error}", hint="Name a file that this user can read.") from error


def _mapping(text: str, where: str) -> dict[str, str]:
    try:
        document: Any = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{where} is neither JSON nor YAML: {error}", hint=_HINT) from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{where} is not a mapping from names to folders.", hint=_HINT)
    folders = {}
    for name, folder in document.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidInput(f"{where} names a project {name!r}.", hint="Names take letters, digits, `.`, `_`, `-`.")
        if not isinstance(folder, str) or not Path(folder).expanduser().is_absolute():
            raise InvalidInput(f"{where} gives {name!r} the folder {folder!r}, which is not an absolute path.")
        folders[name] = str(Path(folder).expanduser())
    return folders
