"""Carry out a journal's plan on the person's files: stage everything, then let the files change places.

All new content is written and synced under temporary names first, so that the second half needs no space, only renames.
A rename that replaces is an exchange: what was really there is looked at afterwards, and is put back if it is not what
the plan expected. So at no moment can somebody's edit be overwritten unseen, and the way back is renames as well.
"""

import errno
import os
import stat
from collections.abc import Callable

from activities.workspaces.beneath import FOLDER, Entry, Folder, NotBeneath
from activities.workspaces.journal import Journal, Operation, State
from activities.workspaces.objects import ObjectReader, storage_error
from activities.workspaces.project import ProjectRepository
from orchex.domain.errors import MergeConflict, OrchexError
from orchex.domain.printing import printable


class Landing:
    """One journal at work on one project."""

    def __init__(
        self, repository: ProjectRepository, folder: Folder, journal: Journal, on_point: Callable[[str], None]
    ) -> None:
        self._repository = repository
        self._folder = folder
        self._journal = journal
        self._operations = journal.plan.operations
        self._on_point = on_point

    def run(self) -> None:
        """Take the journal from whatever state it is in to its end. Raises MergeConflict when that is ``aborted``."""
        if self._journal.state is State.FORWARD:
            self._forward()
        if self._journal.state is State.BACKWARD:
            self._backward()
        if self._journal.state is State.STAGING:
            self._discard()
            self._journal.remove()
        if self._journal.state is State.LANDED:
            self._finish()

    def stage(self) -> None:
        """Write every new file beside its place. On a failure all are removed again and nothing has happened."""
        try:
            with self._repository.objects.reader() as reader:
                for number, operation in enumerate(self._operations):
                    self._keep(operation.old, operation.path)
                    if operation.new is not None:
                        self._write(operation, operation.new, reader)
                        self._keep(operation.new, operation.temporary)
                    self._on_point(f"staged {number}")
            self._sync()
        except BaseException as error:
            self._discard()
            self._journal.remove()
            raise storage_error(error) if isinstance(error, OSError) else error from error
        self._journal.move_on(State.FORWARD)
        self._on_point("forward")

    def _keep(self, entry: Entry, path: str) -> None:
        """Hold the bytes in the private repository itself, out of reach of the project's own pruning."""
        if entry is not None:
            with self._folder.content(path) as content:
                self._repository.objects.keep_blob(entry[1], content)

    def _write(self, operation: Operation, new: tuple[str, str], reader: ObjectReader) -> None:
        mode, oid = new
        with self._folder.parent(operation.temporary) as (folder, name):
            if mode == "120000":
                os.symlink(reader.read(oid), os.fsencode(name), dir_fd=folder)
                self._own(operation, folder, name)
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o777 if mode == "100755" else 0o666, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                for chunk in reader.chunks(oid):
                    file.write(chunk)
                self._own(operation, folder, name)
                self._permit(operation, mode, file.fileno())
                file.flush()
                os.fsync(file.fileno())

    def _permit(self, operation: Operation, mode: str, descriptor: int) -> None:
        """A changed file keeps the permissions it had; only the executable bits follow git's mode."""
        if operation.old is None or operation.old[0] == "120000":
            return
        with self._folder.parent(operation.path) as (folder, name):
            bits = stat.S_IMODE(os.lstat(name, dir_fd=folder).st_mode)
        if mode != operation.old[0]:
            readers = (bits & 0o444) >> 2
            bits = bits | readers if mode == "100755" else bits & ~0o111
        os.fchmod(descriptor, bits)

    def _own(self, operation: Operation, folder: int, name: str) -> None:
        """Root gives a file to whoever owned the one it replaces, or owns the folder."""
        if os.geteuid() != 0:
            return
        owner = os.fstat(folder)
        if operation.old is not None:
            with self._folder.parent(operation.path) as (place, original):
                owner = os.lstat(original, dir_fd=place)
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)

    def _forward(self) -> None:
        self._settle()
        try:
            for number, operation in enumerate(self._operations):
                self._land(operation)
                self._on_point(f"landed {number}")
            self._sync()
        except (MergeConflict, OSError) as error:
            self._journal.move_on(State.BACKWARD)
            self._on_point("backward")
            self._backward()
            raise storage_error(error) if isinstance(error, OSError) else error from error
        self._journal.move_on(State.LANDED)
        self._on_point("landed")

    def _backward(self) -> None:
        self._settle()
        for number, operation in enumerate(reversed(self._operations)):
            self._revert(operation)
            self._on_point(f"reverted {number}")
        self._discard()
        self._sync()
        self._journal.move_on(State.ABORTED)

    def _finish(self) -> None:
        self._discard()
        for operation in self._operations:
            if operation.new is None:
                self._remove_folders_of(operation.path)
        self._sync()
        self._on_point("finished")
        self._journal.move_on(State.DONE)

    def _entries(self, operation: Operation) -> tuple[Entry, Entry]:
        """What is at the place and what is at the temporary name."""
        form = self._repository.layout.object_format
        try:
            place = self._folder.entry(operation.path, form)
        except NotBeneath:
            place = None if self._gives_way(operation.path) else FOLDER
        return place, self._folder.entry(operation.temporary, form)

    def _gives_way(self, path: str) -> bool:
        """A file of the plan stands where a folder on the way to ``path`` shall be, or is to be again."""
        parents = {"/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1)}
        return any(operation.path in parents for operation in self._operations)

    def _land(self, operation: Operation) -> None:
        place, temporary = self._entries(operation)
        old, new = operation.old, operation.new
        if place == new and (new is None or temporary in (old, new, None)):
            return
        if new is None and temporary == old and place == FOLDER:
            return  # A later operation has put a folder where the file was.
        if new is None and place == old and temporary is None:
            self._folder.move(operation.path, operation.temporary)
            self._verify(operation, lambda: self._folder.move(operation.temporary, operation.path))
        elif old is None and temporary == new and place in (None, FOLDER):
            self._create(operation)
        elif old is not None and place == old and temporary == new:
            self._folder.exchange(operation.temporary, operation.path)
            self._verify(operation, lambda: self._folder.exchange(operation.temporary, operation.path))
        else:
            raise self._conflict(operation)

    def _create(self, operation: Operation) -> None:
        try:
            if self._entries(operation)[0] == FOLDER:
                self._folder.remove_empty(operation.path)
            self._folder.move(operation.temporary, operation.path)
        except (FileExistsError, NotBeneath) as error:
            raise self._conflict(operation) from error
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                raise self._conflict(operation) from error
            raise

    def _verify(self, operation: Operation, put_back: Callable[[], None]) -> None:
        """What was taken away must be what the plan expected; else somebody wrote in between, and it goes back."""
        self._on_point("taken away")
        if self._entries(operation)[1] != operation.old:
            put_back()
            raise self._conflict(operation)

    def _revert(self, operation: Operation) -> None:
        """Put back whatever was taken away, expected or not. What somebody made of our file since then stays."""
        place, temporary = self._entries(operation)
        old, new = operation.old, operation.new
        if new is None and place is None and temporary is not None:
            self._folder.move(operation.temporary, operation.path)
        elif old is None and place == new and temporary is None:
            self._folder.move(operation.path, operation.temporary)
            if self._entries(operation)[1] != new:
                self._folder.move(operation.temporary, operation.path)
            self._remove_folders_of(operation.path)
        elif old is not None and place == new and temporary not in (new, None):
            self._folder.exchange(operation.temporary, operation.path)
            if self._entries(operation)[1] != new:
                self._folder.exchange(operation.temporary, operation.path)

    def _settle(self) -> None:
        """A three-step exchange (see ``Folder.exchange``) that was cut short is completed or taken back."""
        form = self._repository.layout.object_format
        for operation in self._operations:
            spare = f"{operation.temporary}.old"
            if self._folder.entry(spare, form) is None:
                continue
            place, temporary = self._entries(operation)
            if temporary is None:
                self._folder.move(spare, operation.temporary)
            elif place is None:
                self._folder.move(spare, operation.path)

    def _discard(self) -> None:
        for operation in self._operations:
            self._folder.unlink(operation.temporary)

    def _remove_folders_of(self, path: str) -> None:
        """Remove the folders that ``path`` leaves empty, below the project."""
        prefix = self._repository.prefix
        parent = path.rpartition("/")[0]
        while parent and f"{parent}/" != prefix:
            try:
                with self._folder.parent(parent) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return
            parent = parent.rpartition("/")[0]

    def _sync(self) -> None:
        places = {operation.path.rpartition("/")[0]: operation.path for operation in self._operations}
        for path in places.values():
            try:
                self._folder.sync(path)
            except NotBeneath:
                continue

    def _conflict(self, operation: Operation) -> MergeConflict:
        path = operation.path.removeprefix(self._repository.prefix)
        return MergeConflict(
            f"{printable(path)} was changed by somebody else while the changes landed; the project is as it was",
            hint="Save and close the file elsewhere, then apply again.",
            files=(path,),
        )


def conclude(repository: ProjectRepository, journal: Journal, on_point: Callable[[str], None]) -> OrchexError | None:
    """Bring a journal that a crash left open to its end; what stood in the way, if it ended as it had not begun."""
    try:
        with Folder.open(repository.top) as folder:
            Landing(repository, folder, journal, on_point).run()
    except OrchexError as error:
        return error
    return None
