"""Many who wait for many journals are woken by one look at all of them."""

import asyncio
from collections.abc import Mapping, Sequence

from orchex.domain.errors import StorageError
from orchex.engine.heads import JournalHeads
from orchex.store.executions import Head

LONG = 60.0


class Journals:
    """Heads that a test moves on, and the looks that were taken at them."""

    def __init__(self, **heads: Head) -> None:
        self.heads = dict(heads)
        self.looks: list[set[str]] = []
        self.broken = False

    async def look(self, ids: Sequence[str]) -> Mapping[str, Head]:
        self.looks.append(set(ids))
        if self.broken:
            self.broken = False
            raise StorageError("the store did not answer")
        return {id: self.heads[id] for id in ids if id in self.heads}


async def test_whoever_waits_is_woken_by_one_look_at_all() -> None:
    journals = Journals(a=Head(1, ended=False), b=Head(1, ended=False))
    heads = JournalHeads(journals.look, every=0.001)
    waiting = [asyncio.create_task(heads.grown(id, 1, LONG)) for id in ("a", "a", "b", "a", "b")]
    while len(journals.looks) < 3:
        await asyncio.sleep(0)
    assert journals.looks[-1] == {"a", "b"}
    assert not any(task.done() for task in waiting)
    journals.heads = {"a": Head(2, ended=False), "b": Head(1, ended=True)}
    told = await asyncio.gather(*waiting)
    assert told == [journals.heads[id] for id in ("a", "a", "b", "a", "b")]
    assert not heads.watched("a")
    taken = len(journals.looks)
    await asyncio.sleep(0.02)
    assert len(journals.looks) <= taken + 1  # nobody waits, nobody looks


async def test_an_execution_that_is_gone_has_ended() -> None:
    assert await JournalHeads(Journals().look, every=0.001).grown("a", 7, LONG) == Head(0, ended=True)


async def test_a_store_that_fails_once_is_asked_again() -> None:
    journals = Journals(a=Head(2, ended=False))
    journals.broken = True
    assert await JournalHeads(journals.look, every=0.001).grown("a", 1, LONG) == Head(2, ended=False)
    assert len(journals.looks) == 2


async def test_nothing_new_in_time_is_told_and_nobody_waits_any_more() -> None:
    journals = Journals(a=Head(1, ended=False))
    heads = JournalHeads(journals.look, every=0.001)
    assert await heads.grown("a", 1, 0.02) is None
    assert not heads.watched("a")
