"""A sample, sent at once: whoever sets an endpoint up sees whether it works."""

from datetime import UTC, datetime
from typing import Any

import httpcore2

from activities.webhooks.sending import send
from orchex.domain.event import EventType
from orchex.domain.execution import Result, Status, rfc3339
from orchex.domain.ids import new_id
from orchex.domain.webhook import Attempt, Trial, body_of
from orchex.store.webhooks.draining import Outgoing
from orchex.store.webhooks.endpoints import Target

SAMPLE_EXECUTION = "exec_00000000000000000000000000"
"""No execution has this id."""


async def send_trial(pool: httpcore2.AsyncConnectionPool, target: Target, type: EventType) -> Trial:
    """Signed and shaped like any event; ``data.test`` is true."""
    event_id = new_id("evt")
    outcome = await send(pool, target, Outgoing("", event_id, body_of(_sample(event_id, type))))
    return Trial(
        event_id=event_id,
        succeeded=outcome.succeeded,
        attempt=Attempt(
            number=1,
            at=outcome.at,
            status_code=outcome.status_code,
            duration=outcome.duration,
            error=outcome.error,
            reply=outcome.reply,
        ),
    )


def _sample(event_id: str, type: EventType) -> dict[str, Any]:
    status = Status(type.removeprefix("execution.")) if type.terminal else Status.RUNNING
    result = Result(success=status is Status.COMPLETED, summary="A test of this webhook.") if type.terminal else None
    return {
        "id": event_id,
        "type": type,
        "event": type,
        "timestamp": rfc3339(datetime.now(UTC)),
        "data": {
            "executionId": SAMPLE_EXECUTION,
            "status": status,
            "result": result.model_dump(mode="json", by_alias=True) if result else None,
            "sequence": 1,
            "previousSequence": None,
            "test": True,
        },
    }
