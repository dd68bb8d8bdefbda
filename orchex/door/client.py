"""A client's side of the door: ``Engine``'s methods, over the socket."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchex.domain.errors import StackError
from orchex.domain.event import JournalEntry
from orchex.domain.execution import Execution, ExecutionList, Status
from orchex.domain.start import StartRequest
from orchex.door.protocol import LINE_LIMIT, encode, error_from

if TYPE_CHECKING:
    from activities.messages import Landed


class DoorClient:
    """Raises what the engine raises; :class:`StackError` when nobody opens or the worker goes away in mid-answer."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str:
        plain = request.model_dump(mode="json")
        return str(await self._call("start", request=plain, execution_id=execution_id))

    async def resume(self, execution_id: str, environ: dict[str, str], new_id: str | None = None) -> str:
        return str(await self._call("resume", execution_id=execution_id, environ=environ, new_id=new_id))

    async def get(self, execution_id: str) -> Execution:
        return Execution.model_validate(await self._call("get", execution_id=execution_id))

    async def page(self, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()) -> ExecutionList:
        answer = await self._call("page", limit=limit, before=before, statuses=list(statuses))
        return ExecutionList.model_validate(answer)

    async def latest(self) -> str:
        return str(await self._call("latest"))

    async def patch(self, execution_id: str) -> bytes:
        return base64.b64decode(await self._call("patch", execution_id=execution_id))

    async def artifact(self, execution_id: str, name: str) -> bytes:
        return base64.b64decode(await self._call("artifact", execution_id=execution_id, name=name))

    async def events(self, execution_id: str, after: int = 0) -> list[JournalEntry]:
        answer = await self._call("events", execution_id=execution_id, after=after)
        return [JournalEntry.model_validate(entry) for entry in answer]

    async def cancel(self, execution_id: str, reason: str = "") -> Execution:
        return Execution.model_validate(await self._call("cancel", execution_id=execution_id, reason=reason))

    async def decide(
        self, execution_id: str, *, approved: bool, reason: str = "", plan_hash: str | None = None
    ) -> Execution:
        params = {"approved": approved, "reason": reason, "plan_hash": plan_hash}
        answer = await self._call("decide", execution_id=execution_id, **params)
        return Execution.model_validate(answer)

    async def land(self, execution_id: str, direction: Literal["apply", "undo"]) -> "Landed":
        from activities.messages import Landed

        return Landed.model_validate(await self._call("land", execution_id=execution_id, direction=direction))

    async def watch(self, execution_id: str, after: int = 0) -> AsyncIterator[JournalEntry]:
        async for answer in self._exchange("watch", {"execution_id": execution_id, "after": after}):
            if "item" in answer:
                yield JournalEntry.model_validate(answer["item"])

    async def _call(self, method: str, **params: Any) -> Any:
        answers = [answer async for answer in self._exchange(method, params)]
        return answers[-1]["result"]

    async def _exchange(self, method: str, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Every answer to one call, the last one with ``result``."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket, limit=LINE_LIMIT)
        except OSError as error:
            raise StackError(f"nobody opens at {self._socket}: {error.strerror}") from error
        try:
            writer.write(encode({"method": method, "params": params}))
            while True:
                line = await reader.readline()
                if not line.endswith(b"\n"):
                    raise StackError("the worker went away in the middle of its answer")
                answer = json.loads(line)
                if "error" in answer:
                    raise error_from(answer["error"])
                yield answer
                if "result" in answer:
                    return
        except ConnectionError as error:
            raise StackError("the worker went away in the middle of its answer") from error
        finally:
            writer.close()
