"""One activity a step. Each does its effects and nothing to make them safe to repeat."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio import activity

from benchmarks import effects
from benchmarks.handwritten.messages import Action, Checkout, Step

HEARTBEAT_SECONDS = 0.2

_WORKTREES = asyncio.Lock()
"""Git reads the records of all worktrees when it adds or removes one: two at once trip over each other."""


@activity.defn
async def step(order: Step) -> None:
    await effects.step(Path(order.folder), order.number, order.text, order.command)


@activity.defn
async def guarded_step(order: Step) -> None:
    """A step that heartbeats, so that the loss of its worker is noticed, and tells the command which attempt it is."""
    async with _heartbeats():
        attempt = f"ATTEMPT={activity.info().attempt}; {order.command}"
        await effects.step(Path(order.folder), order.number, order.text, attempt)


@activity.defn
async def perform(action: Action) -> None:
    """One action of a runbook, and a commit."""
    folder = Path(action.folder)
    if action.tool == "create":
        path = folder / action.input["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(action.input["file_text"])
    elif action.tool == "apply_patch":
        await effects.run(folder, "git", "apply", stdin=action.input["patch"].encode())
    else:
        await effects.run(folder, "/bin/sh", "-c", action.input["command"])
    await effects.commit(folder, action.tool)


@activity.defn
async def check_out(checkout: Checkout) -> None:
    async with _WORKTREES:
        await effects.run(Path(checkout.project), "git", "worktree", "add", "-q", "--detach", checkout.folder)


@activity.defn
async def land(checkout: Checkout) -> None:
    """Keep the change as a patch, apply it to the project, remove the checkout."""
    project, folder = Path(checkout.project), Path(checkout.folder)
    change = await effects.run(folder, "git", "diff", "--binary", "HEAD~1", "HEAD")
    Path(checkout.patch).write_bytes(change)
    await effects.run(project, "git", "apply", stdin=change)
    async with _WORKTREES:
        await effects.run(project, "git", "worktree", "remove", "--force", str(folder))


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    async def beat() -> None:
        while True:
            activity.heartbeat(os.getpid())
            await asyncio.sleep(HEARTBEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
