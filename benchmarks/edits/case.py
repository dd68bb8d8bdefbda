"""One thing an editor is asked to do, what would be right, and a judge that has nothing of the editor in it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from orchex.domain.errors import EditRefused

Edit = tuple[str, str]
"""Text to replace, and the new text: whole lines, each with its line feed."""

Editor = Callable[["Case"], str]
"""The file after the edits of a case, made one after the other. Raises EditRefused."""


class Outcome(StrEnum):
    APPLIED = "applied"
    REFUSED = "refused"
    RIGHTLY_REFUSED = "rightly refused"
    WRONG = "wrongly applied"


@dataclass(frozen=True)
class Case:
    """``expected`` are the files that would be right; none: the edit says too little or the wrong thing.

    ``diff`` is a unified diff of a file named ``file`` in place of ``edits``. ``loose``: the indentation is not known.
    """

    kind: str
    name: str
    before: str
    edits: tuple[Edit, ...]
    expected: tuple[str, ...]
    loose: bool = False
    diff: str = ""

    def judge(self, editor: Editor) -> Outcome:
        try:
            after = editor(self)
        except EditRefused:
            return Outcome.REFUSED if self.expected else Outcome.RIGHTLY_REFUSED
        # Space at the end of a line is nobody's intention: what an editor does about it is not judged.
        right = any(self._bare(after) == self._bare(text) for text in self.expected)
        return Outcome.APPLIED if right else Outcome.WRONG

    def _bare(self, text: str) -> list[str]:
        return [line.strip(" \t") if self.loose else line.rstrip(" \t") for line in lines(text)]


def lines(text: str) -> list[str]:
    return text.split("\n")


def replaced_once(text: str, old: str, new: str) -> str | None:
    """``old`` replaced where it stands, if it stands at one place alone; None otherwise."""
    at = text.find(old) if old else -1
    return text[:at] + new + text[at + len(old) :] if at >= 0 and text.find(old, at + 1) < 0 else None


def places(text: str, old: str) -> list[int]:
    """Where the lines of ``old`` stand in ``text``, if the space around each is left aside; as line numbers from 0."""
    have, wanted = [it.strip() for it in lines(text)], [it.strip() for it in lines(old.removesuffix("\n"))]
    return [at for at in range(len(have) - len(wanted) + 1) if have[at : at + len(wanted)] == wanted]


def loosely_replaced(text: str, old: str, new: str) -> str | None:
    """As ``replaced_once``, but with the space around each line left aside."""
    found = places(text, old)
    if len(found) != 1:
        return None
    kept, size = lines(text), len(lines(old.removesuffix("\n")))
    return "\n".join([*kept[: found[0]], *lines(new.removesuffix("\n")), *kept[found[0] + size :]])
