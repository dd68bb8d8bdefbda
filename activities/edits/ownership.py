"""Which files a stream may change: those that its ``owns`` match, or any when it owns none in particular."""

from collections.abc import Sequence

from activities.edits.globs import compile_globs
from orchex.domain.printing import legible


class Ownership:
    """Globs as in a manifest, anchored at the project's root."""

    def __init__(self, owns: Sequence[str]) -> None:
        self._globs = compile_globs(owns) if owns else None

    def allows(self, path: str) -> bool:
        return self._globs is None or self._globs.match_file(legible(path))

    def violated_by(self, paths: Sequence[str]) -> list[str]:
        """Those of ``paths`` that are somebody else's, each once, sorted."""
        return sorted({path for path in paths if not self.allows(path)})
