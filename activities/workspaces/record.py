"""A checkpoint's record is its commit message: what was done and that it was done become true in one ref update.

::

    <title>

    <result, as the step gave it>

    Orchex-Step: <step id>
"""

import re
from dataclasses import dataclass

from activities.workspaces.objects import ObjectStore

_STEP = re.compile(r"\n\nOrchex-Step: ([^\n]*)\n\Z")
_STEP_ID = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,255}")


@dataclass(frozen=True)
class StepOutcome:
    """A step that is done: its checkpoint and the result it recorded."""

    number: int
    commit: str
    step_id: str
    title: str
    result_json: str


@dataclass(frozen=True)
class RecordedCommit:
    """A commit of the private repository, taken apart."""

    commit: str
    tree: str
    parents: tuple[str, ...]
    message: str


def record_message(title: str, step_id: str, result_json: str) -> str:
    """Raises ValueError for a step id that is not one line of ASCII, and for NUL anywhere."""
    if _STEP_ID.fullmatch(step_id) is None:
        raise ValueError(f"not a step id: {step_id!r}")
    line = " ".join(title.replace("\0", " ").split()) or "step"
    line = line.encode(errors="replace").decode()
    return f"{line}\n\n{result_json}\n\nOrchex-Step: {step_id}\n"


def read_commit(objects: ObjectStore, commit: str) -> RecordedCommit:
    """Raises ObjectMissing when there is no such commit."""
    with objects.reader() as reader:
        raw = reader.read(commit).decode(errors="replace")
    header, _, message = raw.partition("\n\n")
    fields = [line.split(" ", 1) for line in header.split("\n")]
    tree = next(value for name, value in fields if name == "tree")
    parents = tuple(value for name, value in fields if name == "parent")
    return RecordedCommit(commit, tree, parents, message)


def read_outcome(recorded: RecordedCommit, number: int) -> StepOutcome | None:
    """The record of a checkpoint's commit; None for a commit that carries none."""
    found = _STEP.search(recorded.message)
    if found is None:
        return None
    title, _, result = recorded.message[: found.start()].partition("\n\n")
    return StepOutcome(number, recorded.commit, found[1], title, result)
