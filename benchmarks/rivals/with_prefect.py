"""Prefect with the server that it starts for itself; the results of its tasks are kept, so that none is done again."""

import os

from benchmarks.rivals import job

GIVEN = job.order()
GIVEN.state.mkdir(parents=True, exist_ok=True)
os.environ |= {
    "PREFECT_HOME": str(GIVEN.state),
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
}

import time  # noqa: E402

from prefect import flow, task  # noqa: E402  (it reads the environment when it is imported)
from prefect.cache_policies import INPUTS  # noqa: E402
from prefect.client.orchestration import get_client  # noqa: E402


@task(cache_policy=INPUTS, log_prints=False)
def one(number: int) -> None:
    job.step(GIVEN, number)


@flow(log_prints=False)
def ten() -> float:
    began = time.monotonic()
    for number in range(1, job.STEPS + 1):
        one(number)
    return time.monotonic() - began


def main() -> None:
    if GIVEN.verb == "serve":
        with get_client(sync_client=True) as client:  # which starts the server
            client.hello()
            job.wait(GIVEN)
    else:
        job.say(ten())


main()
