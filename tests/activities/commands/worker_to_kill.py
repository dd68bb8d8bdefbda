"""A worker of its own process, for tests that kill it: runs one shell line and prints how it ended."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from activities.commands.mounts import MountPlan
from activities.commands.reaper import reap
from activities.commands.runner import CommandRunner
from activities.commands.spec import CommandSpec


async def main(marker: str, cwd: str, line: str, *mounts: str) -> None:
    project, tree, private, level, *dependencies = mounts or ("", "", "", "", "")
    plan = MountPlan(project, tree, private, tuple(dependencies), "root" if level == "root" else "user")
    env = {"PATH": os.defpath, "ORCHEX_MARKER": marker}
    spec = CommandSpec(("/bin/sh", "-c", line), Path(cwd), env, mounts=plan if mounts else None)
    async with CommandRunner() as runner:
        outcome = await runner.run(spec)
    print(outcome.exit_code, outcome.leftovers, reap(marker), outcome.output)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
