"""What an edit did to a file."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Change:
    """``path`` relative to the root; ``old_path`` only when it was renamed; ``warning`` when it stopped parsing."""

    path: str
    action: Literal["created", "modified", "deleted", "renamed"]
    old_path: str | None = None
    warning: str | None = None
