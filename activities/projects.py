"""The projects a worker has opened, so that not every step asks git where things are."""

from pathlib import Path

from activities.workspaces.project import ProjectRepository, open_project


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
