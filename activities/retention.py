"""Deleting executions that have ended, with everything that this home keeps of them, and collecting their blobs.

What is outside the store goes first and the row last: a crash in between leaves an execution that is deleted by asking
again. Nobody can resume it meanwhile, because its row is locked.
"""

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from activities.logs import execution_logs
from activities.projects import landing_id
from activities.workspaces.apply import forget_landing
from activities.workspaces.objects import storage_error
from activities.workspaces.opening import forget
from activities.workspaces.project import ProjectRepository, load_project
from orchex.domain.errors import InvalidInput, NotFound, OrchexError, StorageError
from orchex.store.blobs import BlobStore, Collected
from orchex.store.database import Database, database_url, open_database
from orchex.store.environments import Environments
from orchex.store.retention import (
    Deletable,
    delete_rows,
    ended_before,
    lock_deletable,
    oldest_unfinished,
    references,
)

YOUNG = timedelta(hours=1)
"""A blob of this age may belong to something that is only about to be written down."""

EVERY = timedelta(hours=1)
AT_ONCE = 200
"""Executions that one round deletes at most, so that the first one after a long time does not take for ever."""

log = logging.getLogger(__name__)


class Retention:
    """``days`` is how long executions are kept after their end; null for ever."""

    def __init__(self, home: Path, database: Database, days: int | None = None) -> None:
        self._home = home
        self._database = database
        self._days = days
        self._blobs = BlobStore(home / "blobs")
        self._environments = Environments(home)

    def delete(self, execution_id: str) -> None:
        """Raises :class:`NotFound`, and :class:`InvalidInput` for one that has not ended."""
        with self._database.write() as session:
            found = lock_deletable(session, execution_id)
            self._forget(found)
            delete_rows(session, execution_id)

    def delete_all(self, execution_ids: Iterable[str]) -> list[str]:
        """All of them or, when one of them may not be, none. Raises as :meth:`delete` does."""
        wanted = list(dict.fromkeys(execution_ids))
        with self._database.read() as session:
            for execution_id in wanted:
                lock_deletable(session, execution_id)
        for execution_id in wanted:
            self.delete(execution_id)
        return wanted

    def expire(self, days: int, limit: int | None = None) -> list[str]:
        """Delete what ended more than ``days`` ago, oldest first; the ids of those that are gone."""
        with self._database.read() as session:
            found = ended_before(session, datetime.now(UTC) - timedelta(days=days), limit)
        gone = []
        for execution_id in found:
            try:
                self.delete(execution_id)
            except (NotFound, InvalidInput):  # somebody else deleted it, or resumed it, just now
                continue
            except OrchexError as error:
                log.warning("%s could not be deleted: %s", execution_id, error.message)
                continue
            gone.append(execution_id)
        return gone

    def collect(self) -> Collected:
        """Take away the blobs that nothing refers to any more.

        Never one younger than an hour, nor younger than the oldest execution that has not ended: what such a one
        refers to may so far stand in its workflow alone.
        """
        with self._database.read() as session:
            oldest = oldest_unfinished(session)
        before = min(datetime.now(UTC), oldest or datetime.now(UTC)) - YOUNG
        return self._blobs.collect(self._referenced(), before)

    def keep_to_it(self) -> None:
        """One round of what ``days`` asks for, at most once an hour for all workers of this home."""
        if self._days is None:
            return
        with self._round() as due:
            if not due:
                return
            try:
                gone = self.expire(self._days, AT_ONCE)
                collected = self.collect()
            except OrchexError as error:
                log.warning("what is kept too long stays for now: %s", error.message)
            else:
                log.info("deleted %d executions that ended long ago, and %d blobs", len(gone), collected.blobs)

    # -- what is outside the store

    def _forget(self, found: Deletable) -> None:
        for repository in self._repositories(found.project):
            for stream in found.streams:
                forget_landing(repository, landing_id(found.id, stream))
            forget(repository, found.id)
        _remove(execution_logs(self._home, found.id))
        self._environments.forget(found.id)

    def _repositories(self, folder: str) -> Iterator[ProjectRepository]:
        """Private repositories of a project: one, or several if git was set up in it later; also when it is gone."""
        projects = self._home / "projects"
        for directory in sorted(projects.iterdir()) if projects.is_dir() else ():
            try:
                repository = load_project(self._home, directory.name)
            except (NotFound, StorageError) as error:
                log.warning("%s is passed over: %s", directory.name, error.message)
                continue
            if repository.layout.folder == folder:
                yield repository

    def _referenced(self) -> set[str]:
        """By the database, and by the one of this home if that is another: both put their blobs here."""
        with self._database.read() as session:
            found = references(session)
        own = database_url(None, self._home)
        if self._database.url != own and (self._home / "orchex.db").exists():
            database = open_database(None, self._home)
            try:
                with database.read() as session:
                    found |= references(session)
            finally:
                database.close()
        return found

    @contextmanager
    def _round(self) -> Iterator[bool]:
        """Whether one is due, and nobody else is at it. The file says when the last one began, in seconds."""
        descriptor = os.open(self._home / "retention", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            due = _locked(descriptor) and not 0 <= time.time() - _seconds(descriptor) < EVERY.total_seconds()
            if due:
                os.pwrite(descriptor, f"{int(time.time()):020}".encode(), 0)
            yield due
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _seconds(descriptor: int) -> float:
    try:
        return float(os.pread(descriptor, 20, 0))
    except ValueError:  # there was none yet
        return 0.0


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error) from error
