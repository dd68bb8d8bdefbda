"""The context of a stream as data: what is in, what is not, and why."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

MAX_NOTES = 20


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContextFile(_Data):
    """``path`` relative to the root, ``bytes`` its size, ``reason`` the pattern that named it."""

    path: str
    reason: str
    bytes: int


class LeftOut(_Data):
    """A file, or a pattern, that gave nothing to read. A path that is no UTF-8 is shown with replacements."""

    path: str
    reason: str


class ContextPack(_Data):
    """``read_as`` is the depth that was really read; ``note`` says so when another was asked for, else it is empty."""

    files: tuple[ContextFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    read_as: Literal["minimal"] = "minimal"
    note: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """``note`` and the patterns and files left out, a sentence each; of very many, the first."""
        own = [self.note] if self.note else []
        own += [f"context: {left.path}: {left.reason}" for left in self.left_out[:MAX_NOTES]]
        if len(self.left_out) > MAX_NOTES:
            own.append(f"context: {len(self.left_out) - MAX_NOTES} more files were left out")
        return tuple(own)
