"""A stream's private checkout, and the steps that take it from checkpoint n to n+1, each exactly once."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from activities.workspaces.diff import ChangedPath, staged_paths
from activities.workspaces.git import GitFailed, ObjectMissing, run_git, split_nul
from activities.workspaces.locks import acquire
from activities.workspaces.objects import storage_error
from activities.workspaces.project import ProjectRepository
from activities.workspaces.record import (
    RecordedCommit,
    StepOutcome,
    read_commit,
    read_outcome,
    record_message,
)
from activities.workspaces.refs import checkpoint_ref, move_ref, read_ref
from activities.workspaces.staging import WorkTree, restore_index
from orchex.domain.errors import WorkspaceLost

OnPoint = Callable[[str], None]
"""Called with the name of each point at which a crash is interesting; for tests that crash there."""


@dataclass(frozen=True)
class Checkpoint:
    """``changed`` are the paths that differ from the checkpoint before; ``dropped`` the new files a command left."""

    commit: str
    number: int
    changed: tuple[ChangedPath, ...]
    dropped: tuple[str, ...] = ()


class Workspace:
    """One stream's checkout. One attempt at a time: ``begin`` takes its lock, ``checkpoint`` or ``release`` frees it.

    A file ``clean`` holds the commit that tree and index are equal to. It is taken away before a step works and written
    after its checkpoint, so whatever kills an attempt, the next one sees that it has to reset.
    """

    def __init__(
        self, repository: ProjectRepository, execution: str, stream: str, on_point: OnPoint = lambda _: None
    ) -> None:
        self.repository = repository
        self.execution = execution
        self.stream = stream
        self.directory = repository.workspace_directory(execution, stream)
        self.top = self.directory / "tree"
        self.index = self.directory / "index"
        self._git = repository.git
        self._on_point = on_point
        self._lock: int | None = None
        self._start: RecordedCommit | None = None
        self._replaced: str | None = None

    @property
    def root(self) -> Path:
        """The project's own folder within the checkout: where commands run and edits go."""
        return self.top / self.repository.prefix

    @property
    def upper(self) -> Path:
        """A private area beside the checkout, for overlays and copies of dependency folders."""
        return self.directory / "upper"

    @cached_property
    def base(self) -> str:
        """The commit the stream started from (checkpoint 0)."""
        return self.commit(0)

    def commit(self, number: int) -> str:
        """The commit of a checkpoint. Raises WorkspaceLost when there is none."""
        found = read_ref(self._git, self._ref(number))
        if found is None:
            raise WorkspaceLost(f"{self._ref(number)} is not in {self._git.directory}")
        return found

    def begin(
        self,
        number: int,
        step_id: str,
        *,
        reap: Callable[[], object] = lambda: None,
        wait: float = 30.0,
        waiting: Callable[[], None] | None = None,
    ) -> StepOutcome | None:
        """Start the step that leads from checkpoint ``number`` to ``number + 1``.

        Takes the lock (up to ``wait`` seconds, calling ``waiting`` meanwhile; then WorkspaceBusy), calls ``reap`` to
        end what earlier attempts left running, and returns the recorded outcome if this very step is done already:
        the lock is free again then. Otherwise the tree is as at ``number``, save for ignored files, and marked in use.
        """
        if self._lock is not None:
            raise RuntimeError("a step of this workspace object has begun and not ended")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = acquire(self.directory / "lock", wait=wait, waiting=waiting)
        try:
            reap()
            done = self._done(number, step_id)
            if done is None:
                self._start_from(number)
                return None
        except BaseException:
            self.release()
            raise
        self.release()
        return done

    def checkpoint(self, number: int, step_id: str, title: str, result_json: str) -> Checkpoint:
        """Record the tree as it is and ``result_json`` as checkpoint ``number + 1``, in one ref update; free the lock.

        Three git processes: add, then write-tree and diff-index side by side. Whatever fails leaves checkpoint
        ``number`` standing and the lock free.
        """
        with self._ending() as start:
            self._work_tree().stage()
            self._on_point("staged")
            with self._difference(start) as changed:
                tree = self._work_tree().tree()
                commit = self._record(number, record_message(title, step_id, result_json), tree)
            self.mark_clean(commit, tree)
        return Checkpoint(commit, number + 1, changed.result())

    def checkpoint_command(self, number: int, step_id: str, title: str, result_json: str) -> Checkpoint:
        """As ``checkpoint``, for a validation command: edits of tracked files stay, new ones are listed and removed."""
        with self._ending() as start:
            changed, dropped = self._status()
            tree = start.tree
            kept: tuple[ChangedPath, ...] = ()
            if changed:
                self._git.run("add", "-u", "--", self._work_tree().pathspec, index=self.index, work_tree=self.top)
                with self._difference(start) as difference:
                    tree = self._work_tree().tree()
                kept = difference.result()
            commit = self._record(number, record_message(title, step_id, result_json), tree)
            if dropped:
                self._clean()
            self.mark_clean(commit, tree)
        return Checkpoint(commit, number + 1, kept, dropped)

    def release(self) -> None:
        """Give the lock back without a checkpoint. The next ``begin`` resets what this attempt left."""
        self._start = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def ignored(self, paths: list[str]) -> list[str]:
        """Those of ``paths`` (relative to the project) that no checkpoint would hold: an ignore rule names them."""
        # check-ignore knows no literal pathspecs; nothing that starts with "./" is read as magic.
        ahead = f"./{self.repository.prefix}"
        asked = b"".join(os.fsencode(f"{ahead}{path}") + b"\0" for path in paths)
        environment = self._git.environment(self.index, self.top)
        del environment["GIT_LITERAL_PATHSPECS"]
        words = ("check-ignore", "-z", "--stdin")
        done = run_git(*words, environment=environment, cwd=self.top, stdin=asked, accept=(0, 1))
        return [name.removeprefix(ahead) for name in split_nul(done.stdout)]

    def _ref(self, number: int) -> str:
        return checkpoint_ref(self.execution, self.stream, number)

    def _work_tree(self) -> WorkTree:
        return WorkTree(self._git, self.top, self.index, self.repository.prefix)

    def _done(self, number: int, step_id: str) -> StepOutcome | None:
        """A checkpoint counts as this step's only if it follows the checkpoint the step starts from."""
        self._replaced = commit = read_ref(self._git, self._ref(number + 1))
        if commit is None:
            return None
        recorded = read_commit(self.repository.objects, commit)
        outcome = read_outcome(recorded, number + 1)
        if outcome is None or outcome.step_id != step_id or recorded.parents[:1] != (self.commit(number),):
            return None
        return outcome

    def _start_from(self, number: int) -> None:
        commit = self.commit(number)
        recorded = self._recorded_clean()
        if recorded is None or recorded.commit != commit:
            recorded = read_commit(self.repository.objects, commit)
            self.reset(commit)
        self._on_point("reset")
        (self.directory / "clean").unlink(missing_ok=True)
        self._start = recorded

    def _started(self) -> RecordedCommit:
        if self._lock is None or self._start is None:
            raise RuntimeError("a checkpoint needs a step that has begun")
        return self._start

    def _recorded_clean(self) -> RecordedCommit | None:
        try:
            commit, tree, boot = (self.directory / "clean").read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return RecordedCommit(commit, tree, (), "") if boot == _boot() else None

    def mark_clean(self, commit: str, tree: str) -> None:
        """Say that tree and index are equal to ``commit``. It holds until the machine restarts: no file was synced."""
        temporary = self.directory / "clean.tmp"
        temporary.write_text(f"{commit} {tree} {_boot()}\n")
        temporary.replace(self.directory / "clean")

    def reset(self, commit: str) -> None:
        """Make the tree what ``commit`` says, new files removed; ignored ones stay. The commands' index starts over."""
        self.fill(commit)
        with self._checking_out(commit):
            self._clean()
            self._on_point("cleaned")
            from_scratch = self.directory / "base.index"
            if from_scratch.exists():
                restore_index(from_scratch, self.admin / "index")
                (self.admin / "HEAD").write_text(f"{self.base}\n")

    def fill(self, commit: str) -> None:
        """Make every file of ``commit`` as it says. New ones stay: where there are none, that is all of a reset."""
        (self.directory / "clean").unlink(missing_ok=True)
        self.index.with_name("index.lock").unlink(missing_ok=True)
        with self._checking_out(commit):
            self._read_tree(commit)

    @contextmanager
    def _checking_out(self, commit: str) -> Iterator[None]:
        try:
            yield
        except ObjectMissing as error:
            raise WorkspaceLost(
                f"{commit[:12]} cannot be checked out: the project's own repository has pruned an object it needs",
                hint="Start a new execution; the project itself is untouched.",
            ) from error
        except GitFailed as error:
            raise WorkspaceLost(f"{self.top} cannot be reset: {error.message}") from error
        except OSError as error:
            raise storage_error(error) from error

    def _read_tree(self, commit: str) -> None:
        reset = ("read-tree", "--reset", "-u", commit)
        try:
            self._git.run(*reset, index=self.index, work_tree=self.top)
        except ObjectMissing:
            raise
        except GitFailed:
            # An index that is damaged is no loss: everything it says is in the commit.
            self.index.unlink(missing_ok=True)
            self._git.run(*reset, index=self.index, work_tree=self.top)

    @property
    def admin(self) -> Path:
        """The folder that makes the checkout a linked worktree of the private repository."""
        return self._git.directory / "worktrees" / f"{self.execution}.{self.stream}"

    def _clean(self) -> None:
        self._git.run("clean", "-ffdq", "--", self._work_tree().pathspec, index=self.index, work_tree=self.top)

    def _status(self) -> tuple[bool, tuple[str, ...]]:
        """Whether a tracked file changed, and what is new, folders as one entry."""
        listed = ("ls-files", "-m", "-d", "-o", "-t", "-z", "--exclude-standard", "--directory", "--no-empty-directory")
        found = self._git.names(*listed, "--", self._work_tree().pathspec, index=self.index, work_tree=self.top)
        prefix = self.repository.prefix
        dropped = tuple(entry[2:].removeprefix(prefix) for entry in found if entry.startswith("? "))
        return len(dropped) < len(found), dropped

    @contextmanager
    def _difference(self, start: RecordedCommit) -> "Iterator[Future[tuple[ChangedPath, ...]]]":
        """What the index holds that is not as in ``start``, found out beside the block."""
        with ThreadPoolExecutor(1) as beside:
            yield beside.submit(staged_paths, self.repository, start.tree, self.index)

    def _record(self, number: int, message: str, tree: str) -> str:
        commit = self.repository.objects.write_commit(tree, [self._started().commit], message)
        self._on_point("committed")
        move_ref(self._git, self._ref(number + 1), commit, self._replaced or self.repository.objects.null)
        self._on_point("recorded")
        return commit

    @contextmanager
    def _ending(self) -> Iterator[RecordedCommit]:
        """The end of a step: gives the checkpoint it started from, frees the lock, puts disk errors in our words."""
        try:
            yield self._started()
        except OSError as error:
            raise storage_error(error) from error
        finally:
            self.release()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
