"""Edits that models wrote as SEARCH/REPLACE blocks, from a chat with aider about aider, and what came of them.

After edits were applied the chat names the commit they made: its parent holds the files as the model saw them, the
commit itself what was meant. Commits that were rewritten since are not in the history any more; then the files of the
commit before are taken, and only what can be told from the text of the edit is judged.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.edits.case import Case, Edit, loosely_replaced, replaced_once
from benchmarks.edits.corpus import Clone

TRANSCRIPT = "tests/fixtures/chat-history.md"
_SEARCH, _DIVIDER, _REPLACE = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"
_COMMIT = re.compile(r"> Commit ([0-9a-f]{7,40}) ")


@dataclass
class _Answer:
    """The blocks of one answer by file, the files that were written, and the commit, if they made one."""

    blocks: dict[str, list[Edit]] = field(default_factory=lambda: defaultdict(list))
    applied: set[str] = field(default_factory=set)
    commit: str | None = None


def cases(clone: Clone) -> Iterator[Case]:
    text = clone.read("HEAD", TRANSCRIPT)
    if text is None:
        raise FileNotFoundError(f"{TRANSCRIPT}: not in this clone")
    last = None
    for answer in _answers(text.split("\n")):
        known = answer.commit is not None and clone.read(answer.commit, "README.md") is not None
        before = f"{answer.commit}^" if known else last
        for path, edits in answer.blocks.items():
            file = clone.read(before, path) if before else None
            whole = all(old.strip() for old, _ in edits)
            if file is None or not whole:
                continue  # a new file, or one whose state is not known
            after = clone.read(str(answer.commit), path) if known and path in answer.applied else None
            yield from _judged(f"{answer.commit} {path}", file, edits, after)
        last = answer.commit if known else last


def _judged(name: str, before: str, edits: Sequence[Edit], after: str | None) -> Iterator[Case]:
    """One case of all edits if the commit tells what is right, else one for each edit that can be judged alone."""
    exact: str | None = before
    for old, new in edits:
        exact = replaced_once(exact, old, new) if exact is not None else None
    if after is not None:
        expected = (after,) if exact is None else (after, exact)
        yield Case("with their commit", name, before, tuple(edits), expected)
        return
    for edit in edits:
        right = replaced_once(before, *edit)
        if right is not None:
            yield Case("without a commit", name, before, (edit,), (right,))
            before = right
        elif edit[0] in before:
            yield Case("without a commit", name, before, (edit,), ())
        else:
            loose = loosely_replaced(before, *edit)
            yield Case("without a commit", name, before, (edit,), () if loose is None else (loose,), loose=True)


def _answers(lines: Sequence[str]) -> Iterator[_Answer]:
    answer, path, at = _Answer(), "", 0
    while at < len(lines):
        line = lines[at].rstrip()
        commit = _COMMIT.match(line)
        if line == _SEARCH:
            path = _path_above(lines, at) or path
            block = _block(lines, at)
            if block:
                edit, at = block
                answer.blocks[path].append(edit)
        elif line.startswith("> Applied edit to "):
            answer.applied.add(line.removeprefix("> Applied edit to "))
        elif (commit and answer.applied) or line.startswith("#### "):
            answer.commit = commit[1] if commit else None
            yield answer
            answer = _Answer()
        at += 1


def _path_above(lines: Sequence[str], at: int) -> str | None:
    """The line above a block names its file; None below another block, which is of the same file then."""
    at -= 1
    while at >= 0 and (not lines[at].strip() or lines[at].startswith("```")):
        at -= 1
    return None if at < 0 or lines[at].startswith(_REPLACE) else lines[at].strip().strip("`*#: ")


def _block(lines: Sequence[str], at: int) -> tuple[Edit, int] | None:
    """The edit that begins there and its last line; None if it is not well formed."""
    marks = [at]
    for mark in (_DIVIDER, _REPLACE):
        found = next((i for i in range(marks[-1] + 1, len(lines)) if lines[i].rstrip() in (_SEARCH, mark)), None)
        if found is None or lines[found].rstrip() != mark:
            return None
        marks.append(found)
    start, middle, end = marks
    old, new = ("".join(f"{line}\n" for line in lines[a + 1 : b]) for a, b in ((start, middle), (middle, end)))
    return (old, new), end
