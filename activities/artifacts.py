"""What an execution hands back: its plans, patches, changed files and command logs."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from activities.logs import step_logs
from activities.workspaces.diff import Change, changes, patch
from activities.workspaces.project import ProjectRepository
from orchex.domain.text import encodable
from orchex.store.blobs import BlobStore
from orchex.store.executions import Executions
from orchex.store.tables import ArtifactRow

MAX_FILES = 2_000
"""Changed files listed one by one; the patch always has them all."""
MAX_NAME = 400
"""Characters of an artifact's name."""
_DIGEST_BYTES = 16
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
        rows, room = [], MAX_KEPT_BYTES
        with repository.objects.reader() as reader:
            for number, change in enumerate(found):
                row = _file(execution_id, stream, change)
                if change.oid is not None and number < MAX_KEPT_FILES and change.size <= room:
                    room -= change.size
                    row.blob = self._blobs.put(b"".join(reader.chunks(change.oid)))
                rows.append(row)
        return rows

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


def _file(execution_id: str, stream: str, change: Change) -> ArtifactRow:
    return ArtifactRow(
        execution_id=execution_id,
        name=_name(stream, change.path),
        stream=stream,
        kind="file",
        path=encodable(change.path),
        action=change.action,
        size=change.size,
    )


def _name(stream: str, path: str) -> str:
    """That of the file; where it is too long, or no text, as much of it as there is room for and a digest of it all."""
    name = f"{stream}/files/{encodable(path)}"
    if len(name) <= MAX_NAME and name.endswith(path):
        return name
    digest = hashlib.blake2b(os.fsencode(path), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{name[: MAX_NAME - 2 * _DIGEST_BYTES - 1]}~{digest}"
