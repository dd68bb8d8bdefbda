"""What an execution hands back: its plans, patches, changed files and command logs."""

import shutil
from collections.abc import Collection, Sequence
from itertools import chain, count
from pathlib import Path

from activities.logs import step_logs
from activities.workspaces.diff import Change, changes, patch
from activities.workspaces.project import ProjectRepository
from orchex.domain.printing import encodable
from orchex.store.blobs import BlobStore
from orchex.store.executions import Executions
from orchex.store.tables import ArtifactRow

MAX_FILES = 2_000
"""Changed files listed one by one; the patch always has them all."""
MAX_NAME = 400
MAX_KEPT_FILES = 100
MAX_KEPT_BYTES = 8 * 1024 * 1024
"""What is kept of changed files besides the patch, so that each can be had whole."""


class ArtifactKeeper:
    """Writes artifacts under names that stay the same, so that doing it again changes nothing."""

    def __init__(self, home: Path, blobs: BlobStore, executions: Executions) -> None:
        self._home = home
        self._blobs = blobs
        self._executions = executions

    def plan(self, execution_id: str, stream: str, ref: str) -> None:
        size = len(self._blobs.get(ref))
        row = ArtifactRow(
            execution_id=execution_id, name=f"{stream}.plan.json", stream=stream, kind="plan", size=size, blob=ref
        )
        self._executions.keep_artifacts(execution_id, [row])

    def work(self, execution_id: str, stream: str, repository: ProjectRepository, base: str, final: str) -> int:
        """The patch between two commits, the files it changes and the stream's logs; returns the number of files."""
        found = changes(repository, base, final)
        text = patch(repository, base, final)
        rows = [
            ArtifactRow(
                execution_id=execution_id,
                name=f"{stream}.patch",
                stream=stream,
                kind="patch",
                size=len(text),
                blob=self._blobs.put(text),
            ),
            *self._files(execution_id, stream, repository, found[:MAX_FILES]),
            *self._logs(execution_id, stream),
        ]
        self._executions.keep_artifacts(execution_id, rows)
        shutil.rmtree(step_logs(self._home, execution_id, stream), ignore_errors=True)
        return len(found)

    def _files(
        self, execution_id: str, stream: str, repository: ProjectRepository, found: Sequence[Change]
    ) -> list[ArtifactRow]:
        """The changed files, the first ones with their content."""
        rows: dict[str, ArtifactRow] = {}
        room = MAX_KEPT_BYTES
        with repository.objects.reader() as reader:
            for number, change in enumerate(found):
                row = _file(execution_id, stream, change, rows)
                if change.oid is not None and number < MAX_KEPT_FILES and change.size <= room:
                    room -= change.size
                    row.blob = self._blobs.put(b"".join(reader.chunks(change.oid)))
                rows[row.name] = row
        return list(rows.values())

    def _logs(self, execution_id: str, stream: str) -> list[ArtifactRow]:
        folder = step_logs(self._home, execution_id, stream)
        rows = []
        for path in sorted(folder.glob("*.log")) if folder.is_dir() else ():
            content = path.read_bytes()
            rows.append(
                ArtifactRow(
                    execution_id=execution_id,
                    name=f"{stream}/{path.name}",
                    stream=stream,
                    kind="log",
                    size=len(content),
                    blob=self._blobs.put(content),
                )
            )
        return rows


def _file(execution_id: str, stream: str, change: Change, taken: Collection[str]) -> ArtifactRow:
    path = encodable(change.path)
    return ArtifactRow(
        execution_id=execution_id,
        name=_free(f"{stream}/files/{path}", taken),
        stream=stream,
        kind="file",
        path=path,
        action=change.action,
        size=change.size,
    )


def _free(name: str, taken: Collection[str]) -> str:
    """``name`` cut to its longest, with a number where that is ``taken``: what is cut or written out may read the same
    for two files.
    """
    cut = name[:MAX_NAME]
    numbered = (f"{cut[: MAX_NAME - 5]}~{number}" for number in count(2))
    return next(it for it in chain([cut], numbered) if it not in taken)
