"""The environment that an execution's commands inherit: in a file only the user can read, deleted at the end."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from orchex.store.disk import refused


class Environments:
    """One file per execution, mode 0600. Never in the store, a workflow or a log."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "environments"

    def keep(self, execution_id: str, environ: Mapping[str, str]) -> None:
        """Raises :class:`StorageError` when it cannot, and leaves nothing of it then."""
        path = self._path(execution_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                json.dump(dict(environ), file)
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise refused(error, f"cannot keep an environment below {self._folder}") from error

    def get(self, execution_id: str) -> dict[str, str]:
        """The environment that was kept; the worker's own where there is none (another host started it)."""
        try:
            text = self._path(execution_id).read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return dict(os.environ)
        return {str(name): str(value) for name, value in json.loads(text).items()}

    def forget(self, execution_id: str) -> None:
        self._path(execution_id).unlink(missing_ok=True)

    def _path(self, execution_id: str) -> Path:
        return self._folder / f"{execution_id}.json"
