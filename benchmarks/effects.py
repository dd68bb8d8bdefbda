"""The effects of a step as one would write them by hand: a file, a subprocess, a commit.

The hand-written activities do these, and so does the bare loop that tells what they cost without any Temporal.
"""

import asyncio
from pathlib import Path


async def step(folder: Path, number: int, text: str, command: str = "true") -> None:
    """Write a file, run a command, commit what changed."""
    path = folder / "steps" / f"{number:03d}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{text} {number}\n")
    await run(folder, "/bin/sh", "-c", command)
    await commit(folder, f"Step {number}")


async def commit(folder: Path, message: str) -> None:
    await run(folder, "git", "add", "-A")
    await run(folder, "git", "commit", "-q", "--allow-empty", "-m", message)


async def run(folder: Path, *argv: str, stdin: bytes = b"") -> bytes:
    """Raises RuntimeError, with what it said, when the command fails."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin or None)
    if process.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed: {err.decode(errors='replace')}")
    return out
