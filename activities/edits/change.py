"""What an edit did to a file."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Change:
    """``path`` is relative to the root. ``old_path`` is set when it was renamed, ``warning`` when it parses no more."""

    path: str
    action: Literal["created", "modified", "deleted", "renamed"]
    old_path: str | None = None
    warning: str | None = None
