# Generated from orchex/client/aio/webhooks.py by `python -m tests.client.generate_sync`. Edit that one.

"""``client.webhooks``: where a team's events are sent, what came of it, and sending again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from orchex.client.bodies import each, given, listed, moment
from orchex.client.calls import Call, Query, post, segment
from orchex.client.models import CreatedEndpoint, EndpointDocument, Page
from orchex.client.sync.pages import items
from orchex.client.sync.transport import Transport
from orchex.domain.event import EventType
from orchex.domain.webhook import PATIENCE, Delivery, DeliveryDetail, DeliveryStatus, Recovery, Trial

_TRIAL_SECONDS = 2 * PATIENCE.total_seconds()
"""How long the answer to a trial may take: the server waits for the receiver before it answers."""


class Webhooks:
    """For keys with the scope ``webhooks:read``, and ``webhooks:write`` for what changes or sends anything.

    Every method raises :class:`~orchex.client.errors.ClientError`; of an endpoint that the key's team does not have,
    :class:`~orchex.client.errors.NotFoundError`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, limit: int = 50) -> Iterator[EndpointDocument]:
        """All of the team's endpoints, newest first; pages of ``limit`` are read as they are needed."""
        yield from items(self._transport, Page[EndpointDocument], "/webhooks", {"limit": limit})

    def create(
        self,
        url: str,
        *,
        events: Sequence[EventType | str] | None = None,
        description: str = "",
        disabled: bool = False,
        idempotency_key: str | None = None,
    ) -> CreatedEndpoint:
        """Have ``events`` sent to ``url``, all of the contract's by default.

        The answer's ``secret`` is what they are signed with, and is told this once.
        """
        more = {"events": _names(events), "description": description or None, "disabled": disabled or None}
        body = given({"url": url, **more})
        return self._transport.model(CreatedEndpoint, post("/webhooks", body, idempotency_key=idempotency_key))

    def get(self, endpoint_id: str) -> EndpointDocument:
        return self._endpoint(Call("GET", _path(endpoint_id)))

    def update(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        events: Sequence[EventType | str] | None = None,
        description: str | None = None,
        etag: str | None = None,
    ) -> EndpointDocument:
        """Change what is given. With the ``etag`` of what was read, only if it has not changed since: else
        :class:`~orchex.client.errors.PreconditionFailedError`.
        """
        return self._change(endpoint_id, {"url": url, "events": _names(events), "description": description}, etag)

    def enable(self, endpoint_id: str) -> EndpointDocument:
        """Send to it again, from the next event on; ``recover`` sends what it has missed. Harmless when it is."""
        return self._change(endpoint_id, {"disabled": False})

    def disable(self, endpoint_id: str) -> EndpointDocument:
        """Send nothing more to it. What was on its way is cancelled. Harmless when it is."""
        return self._change(endpoint_id, {"disabled": True})

    def delete(self, endpoint_id: str) -> None:
        """It and its delivery log are gone."""
        self._transport.send(Call("DELETE", _path(endpoint_id)))

    def rotate_secret(
        self, endpoint_id: str, *, expire_old_after: int | None = None, idempotency_key: str | None = None
    ) -> CreatedEndpoint:
        """A new ``secret``, told this once. The old one signs beside it for so many seconds more: a day by default,
        and with 0 not at all.
        """
        body = given({"expireOldAfter": expire_old_after})
        call = post(f"{_path(endpoint_id)}/rotate-secret", body, idempotency_key=idempotency_key)
        return self._transport.model(CreatedEndpoint, call)

    def test(self, endpoint_id: str, *, event: EventType | str | None = None) -> Trial:
        """Send a sample now, and tell what came of it: a receiver that fails raises nothing.

        ``event`` is its type, ``execution.completed`` by default. It is sent to a disabled endpoint too.
        """
        call = post(f"{_path(endpoint_id)}/test", given({"event": None if event is None else str(event)}))
        return self._transport.model(Trial, replace(call, timeout=_TRIAL_SECONDS))

    def deliveries(
        self, endpoint_id: str, *, status: DeliveryStatus | str | Sequence[DeliveryStatus | str] = (), limit: int = 50
    ) -> Iterator[Delivery]:
        """What was sent and what will be, those of the newest events first; pages of ``limit`` are read as they are
        needed.
        """
        query: Query = {"status": each(status), "limit": limit}
        yield from items(self._transport, Page[Delivery], f"{_path(endpoint_id)}/deliveries", query)

    def delivery(self, endpoint_id: str, delivery_id: str) -> DeliveryDetail:
        """One of them, with its body and every attempt."""
        return self._transport.model(DeliveryDetail, Call("GET", _delivery_path(endpoint_id, delivery_id)))

    def redeliver(self, endpoint_id: str, delivery_id: str, *, idempotency_key: str | None = None) -> Delivery:
        """Send it again, whatever came of it: with the same id, and signed anew.

        Raises :class:`~orchex.client.errors.ConflictError` while the endpoint is disabled.
        """
        call = post(f"{_delivery_path(endpoint_id, delivery_id)}/redeliver", idempotency_key=idempotency_key)
        return self._transport.model(Delivery, call)

    def recover(self, endpoint_id: str, since: datetime, until: datetime | None = None) -> Recovery:
        """Send again all that did not arrive of the events from ``since`` on, up to ``until``, which is now by default.

        A server takes on so many at a time: it is asked until there are no more, and ``queued`` is all of them. Raises
        :class:`~orchex.client.errors.ConflictError` while the endpoint is disabled, also if it becomes so meanwhile:
        what is queued by then is cancelled, and another call takes it up.
        """
        body = given({"since": moment(since), "until": moment(until)})
        queued = 0
        while True:
            some = self._transport.model(Recovery, post(f"{_path(endpoint_id)}/recover", body))
            queued += some.queued
            if not some.has_more or not some.queued:
                return Recovery(queued=queued, has_more=some.has_more)

    def _change(self, endpoint_id: str, body: dict[str, Any], etag: str | None = None) -> EndpointDocument:
        headers = {"If-Match": etag} if etag else {}
        return self._endpoint(Call("PATCH", _path(endpoint_id), body=given(body), headers=headers))

    def _endpoint(self, call: Call) -> EndpointDocument:
        answer = self._transport.send(call)
        return answer.model(EndpointDocument).model_copy(update={"etag": answer.headers.get("etag", "")})


def _names(events: Sequence[EventType | str] | None) -> Sequence[str] | None:
    return None if events is None else [str(event) for event in listed("events", events)]


def _path(endpoint_id: str) -> str:
    return f"/webhooks/{segment(endpoint_id)}"


def _delivery_path(endpoint_id: str, delivery_id: str) -> str:
    return f"{_path(endpoint_id)}/deliveries/{segment(delivery_id)}"
