"""Globs from a manifest: gitignore syntax anchored at the root, compiled to RE2, which no pattern can make slow."""

import re
import warnings
from collections.abc import Sequence

import re2
from pathspec import PathSpec
from pathspec.pattern import Pattern

from orchex.domain.errors import InvalidInput

Globs = PathSpec[Pattern]


def compile_globs(globs: Sequence[str]) -> Globs:
    """Raises InvalidInput for what is no glob: a backslash with nothing behind it, a reversed range."""
    lines = ["/" + glob.lstrip("/") for glob in globs]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # pathspec compiles by ``re`` too, which muses on ``[[``
            return PathSpec.from_lines("gitignore", lines, backend="re2")
    except (ValueError, re.error, re2.error) as error:
        raise InvalidInput(f"{', '.join(map(repr, globs))}: not a glob that can be read: {error}") from error
