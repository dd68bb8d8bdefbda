"""``orchex admin executions`` and ``orchex admin blobs``: what is kept no longer."""

import json as jsonlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchex.cli import options
from orchex.cli.admin.place import opened
from orchex.cli.text import clean, count, put
from orchex.settings import load_settings

if TYPE_CHECKING:
    from activities.retention import Retention


def delete(
    executions: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of executions that have ended.")],
    json: options.Json = False,
) -> None:
    """Delete executions with their journals, artifacts, logs and checkpoints; all of them or none.

    What a team used stays in its books.
    """
    with _retention() as retention:
        gone = retention.delete_all(executions)
        retention.collect()
    _tell(gone, json)


def expire(
    days: Annotated[int, typer.Option(min=0, max=36_500, help="Days since the end; 0 for all that have ended.")],
    json: options.Json = False,
) -> None:
    """Delete the executions that ended longer ago, and collect their blobs. ORCHEX_RETENTION_DAYS does so by itself."""
    with _retention() as retention:
        gone = retention.expire(days)
        retention.collect()
    _tell(gone, json)


def collect(json: options.Json = False) -> None:
    """Take away the blobs that no execution refers to; those of the last hour, or of one that runs, stay."""
    with _retention() as retention:
        collected = retention.collect()
    if json:
        put(jsonlib.dumps(collected._asdict()))
    else:
        put(f"{count(collected.blobs, 'blob')} collected ({collected.bytes:,} bytes), {collected.kept:,} kept")


@contextmanager
def _retention() -> "Iterator[Retention]":
    from activities.retention import Retention

    settings = load_settings()
    with opened(settings) as database:
        yield Retention(settings.home, database)


def _tell(gone: list[str], json: bool) -> None:
    if json:
        put(jsonlib.dumps({"deleted": gone}))
        return
    for execution in gone:
        put(f"{clean(execution)} is deleted")
    if not gone:
        put("nothing to delete")
