"""From an import as a file spells it to the project's own files it means; what comes from elsewhere is no file."""

from collections.abc import Callable, Collection
from typing import Protocol

from activities.context.resolving.go import GoResolver
from activities.context.resolving.python import PythonResolver
from activities.context.resolving.script import ScriptResolver
from activities.sources.parsed import Language


class Resolver(Protocol):
    def resolve(self, importer: str, imported: str) -> tuple[str, ...]: ...

    def neighbours(self, importer: str) -> tuple[str, ...]:
        """Files that ``importer`` uses without importing them."""
        ...


class Resolvers:
    """``names`` are the project's files, ``read`` gives the contents of one, empty when it cannot."""

    def __init__(self, names: Collection[str], read: Callable[[str], bytes]) -> None:
        known = frozenset(names)
        script = ScriptResolver(known, read)
        self._of: dict[Language, Resolver] = {
            "python": PythonResolver(known),
            "javascript": script,
            "typescript": script,
            "tsx": script,
            "go": GoResolver(known, read),
        }

    def __getitem__(self, language: Language) -> Resolver:
        return self._of[language]
