"""DBOS Transact on SQLite: a workflow of steps; launching it takes up what was interrupted."""

import time
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from benchmarks.rivals import job

GIVEN = job.order()
DBOS(
    config={
        "name": "rival",
        "system_database_url": f"sqlite:///{GIVEN.state / 'dbos.sqlite'}",
        "application_version": "1",
        "log_level": "ERROR",
    }
)


@DBOS.step()
def one(number: int) -> None:
    job.step(GIVEN, number)


@DBOS.workflow()
def ten(folder: str) -> float:
    began = time.monotonic()
    for number in range(1, job.STEPS + 1):
        one(number)
    return time.monotonic() - began


def main() -> None:
    Path(GIVEN.state).mkdir(parents=True, exist_ok=True)
    DBOS.launch()
    if GIVEN.verb == "serve":
        job.wait(GIVEN)
    else:
        with SetWorkflowID("ten"):
            job.say(DBOS.start_workflow(ten, str(GIVEN.folder)).get_result())
    DBOS.destroy()


main()
