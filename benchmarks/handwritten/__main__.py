"""The baseline's processes: ``worker ADDRESS QUEUE``, ``run ADDRESS QUEUE PROJECT``, ``cold PROJECT DATABASE``."""

import asyncio
import os
import socket
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.handwritten import activities, workflows
from benchmarks.handwritten.messages import Action
from orchex.stack.preflight import find_temporal
from orchex.stack.profile import load_profile, start_dev_argv


def worker(client: Client, queue: str) -> Worker:
    """With the options Orchex's own worker has."""
    return Worker(
        client,
        task_queue=queue,
        workflows=[
            workflows.StepsWorkflow,
            workflows.ActionsWorkflow,
            workflows.CheckoutWorkflow,
            workflows.GuardedWorkflow,
        ],
        activities=[
            activities.step,
            activities.guarded_step,
            activities.perform,
            activities.check_out,
            activities.land,
        ],
        max_heartbeat_throttle_interval=timedelta(milliseconds=250),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        max_concurrent_activities=32,
    )


async def quickstart(client: Client, queue: str, project: str) -> None:
    """What the quickstart does, with the commit after each of its actions."""
    await client.execute_workflow(
        workflows.ActionsWorkflow.run, quickstart_actions(project), id=uuid.uuid4().hex, task_queue=queue
    )


def quickstart_actions(project: str) -> list[Action]:
    """The actions of the plan, then its commands."""
    from activities.models.actions import parse_markdown, read_actions
    from benchmarks.projects import QUICKSTART
    from orchex.manifest import load_manifest

    stream = load_manifest(QUICKSTART, project=Path(project)).streams["discount"]
    planned = [Action(project, action.tool, action.input) for action in read_actions(parse_markdown(stream.plan))]
    commands = ("make -s test", *(command.command for command in stream.commands[1:]))
    return planned + [Action(project, "run_command", {"command": command}) for command in commands]


def cold(project: str, database: str) -> None:
    """From nothing: a server on an empty database, a worker, the quickstart."""
    port = _free_port()
    argv = start_dev_argv(load_profile(None), binary=find_temporal(), port=port, database=Path(database))
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            asyncio.run(_once(f"127.0.0.1:{port}", project))
        finally:
            server.kill()


async def _once(address: str, project: str) -> None:
    client = await _connected(address)
    async with worker(client, "cold"):
        await quickstart(client, "cold", project)


async def work(address: str, queue: str) -> None:
    async with worker(await _connected(address), queue):
        await asyncio.Event().wait()


async def run(address: str, queue: str, project: str) -> None:
    await quickstart(await Client.connect(address), queue, project)


async def _connected(address: str) -> Client:
    while True:
        try:
            return await Client.connect(address)
        except RuntimeError:
            await asyncio.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker", address, queue]:
            asyncio.run(work(address, queue))
        case ["run", address, queue, project]:
            asyncio.run(run(address, queue, project))
        case ["cold", project, database]:
            cold(project, database)
        case _:
            sys.exit(__doc__)
    os._exit(0)  # an interpreter that used a Temporal client may abort while it shuts down
