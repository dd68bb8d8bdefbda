"""The journal of a landing: what is to change, written and synced before the first change.

``<project>/journals/<id>.<state>``. The state is the end of the file's name, so that moving on is one rename, which
works on a full disk too::

    staging   temporary files are being written     crash: they are removed, nothing happened
    forward   files change places                   crash: the rest follows
    backward  a file had changed: back to before    crash: the rest follows
    landed    the old files are being removed       crash: the rest follows
    done      complete                              undone, aborted: as they say
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from activities.workspaces.beneath import Entry
from activities.workspaces.project import ProjectRepository, checked_name


class State(StrEnum):
    STAGING = "staging"
    FORWARD = "forward"
    BACKWARD = "backward"
    LANDED = "landed"
    DONE = "done"
    UNDONE = "undone"
    ABORTED = "aborted"

    @property
    def open(self) -> bool:
        return self in (State.STAGING, State.FORWARD, State.BACKWARD, State.LANDED)


@dataclass(frozen=True)
class Operation:
    """One path below the top: what is there, what shall be, and the name beside it that holds the other of the two."""

    path: str
    old: Entry
    new: Entry
    temporary: str


@dataclass(frozen=True)
class Plan:
    """``before`` and ``after`` are trees; ``undoes`` is the id of the journal this one takes back."""

    before: str
    after: str
    operations: tuple[Operation, ...]
    undoes: str | None


@dataclass
class Journal:
    folder: Path
    id: str
    state: State
    plan: Plan

    @property
    def path(self) -> Path:
        return self.folder / f"{self.id}.{self.state}"

    def move_on(self, state: State) -> None:
        """Rename to the next state, durably."""
        before = self.path
        self.state = state
        before.rename(self.path)
        _sync(self.folder)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        _sync(self.folder)


def journals(repository: ProjectRepository) -> Iterator[Journal]:
    """Every journal of the project."""
    folder = repository.directory / "journals"
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        name, _, state = path.name.rpartition(".")
        if state in list(State):
            yield _read(folder, name, State(state))


def find_journal(repository: ProjectRepository, journal_id: str) -> Journal | None:
    folder = repository.directory / "journals"
    states = [state for state in State if (folder / f"{checked_name(journal_id)}.{state}").exists()]
    return _read(folder, journal_id, states[0]) if states else None


def start_journal(repository: ProjectRepository, journal_id: str, plan: Plan) -> Journal:
    """Write and sync a new journal; it takes the place of one with the same id that came to its end."""
    folder = repository.directory / "journals"
    folder.mkdir(exist_ok=True)
    ended = find_journal(repository, journal_id)
    journal = Journal(folder, checked_name(journal_id), State.STAGING, plan)
    temporary = folder / f"{journal.id}.tmp"
    with temporary.open("w") as file:
        operations = [[o.path, o.old, o.new, o.temporary] for o in plan.operations]
        json.dump([plan.before, plan.after, operations, plan.undoes], file)
        file.flush()
        os.fsync(file.fileno())
    if ended is not None:
        ended.remove()
    temporary.rename(journal.path)
    _sync(folder)
    return journal


def _read(folder: Path, journal_id: str, state: State) -> Journal:
    before, after, listed, undoes = json.loads((folder / f"{journal_id}.{state}").read_bytes())
    operations = tuple(Operation(path, _entry(old), _entry(new), temporary) for path, old, new, temporary in listed)
    return Journal(folder, journal_id, state, Plan(before, after, operations, undoes))


def _entry(listed: list[str] | None) -> Entry:
    return (listed[0], listed[1]) if listed else None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
