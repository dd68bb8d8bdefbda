"""The projects a worker has opened, so that not every step asks git where things are."""

import logging
from pathlib import Path

from activities.workspaces.apply import recover
from activities.workspaces.project import ProjectRepository, load_project, open_project
from orchex.domain.errors import OrchexError

log = logging.getLogger(__name__)


class Projects:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._opened: dict[str, ProjectRepository] = {}

    def open(self, folder: str) -> ProjectRepository:
        """The private repository of ``folder``, brought up to date with the user's own rules: once per stream."""
        repository = open_project(self._home, Path(folder))
        self._opened[folder] = repository
        return repository

    def get(self, folder: str) -> ProjectRepository:
        """As it was when last opened by this worker; opened now if this worker never did."""
        return self._opened.get(folder) or self.open(folder)

    def recover(self) -> None:
        """Bring every landing that a crash cut short to its end, in every project of this home."""
        folder = self._home / "projects"
        for project in sorted(folder.iterdir()) if folder.is_dir() else ():
            try:
                failures = recover(load_project(self._home, project.name))
            except OrchexError as error:
                failures = [error]
            for failure in failures:
                log.warning("a landing in %s was not finished: %s", project.name, failure)


def landing_id(execution_id: str, stream: str) -> str:
    """What the landing of one stream is known by: landing it again is the same landing."""
    return f"{execution_id}-{stream}"
