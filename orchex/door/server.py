"""The worker's side of the door."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchex.domain.errors import InvalidInput, OrchexError
from orchex.domain.start import StartRequest
from orchex.door.protocol import LINE_LIMIT, Orchestrator, encode, error_document

log = logging.getLogger(__name__)

Call = Callable[[dict[str, Any]], Awaitable[Any]]


@asynccontextmanager
async def open_door(path: Path, engine: Orchestrator) -> AsyncIterator[None]:
    """Serve ``engine`` at the socket ``path``, for this user alone; a stale socket is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    door = _Door(engine)
    server = await asyncio.start_unix_server(door.serve, path, limit=LINE_LIMIT)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


class _Door:
    def __init__(self, engine: Orchestrator) -> None:
        self._engine = engine
        self._calls: dict[str, Call] = {
            "start": lambda params: engine.start(
                StartRequest.model_validate(params["request"]), params.get("execution_id")
            ),
            "resume": lambda params: engine.resume(**params),
            "get": lambda params: engine.get(**params),
            "page": lambda params: engine.page(**params),
            "latest": lambda params: engine.latest(),
            "patch": lambda params: engine.patch(**params),
            "artifact": lambda params: engine.artifact(**params),
            "events": lambda params: engine.events(**params),
            "cancel": lambda params: engine.cancel(**params),
            "decide": lambda params: engine.decide(**params),
            "land": lambda params: engine.land(**params),
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection carries one call; a worker that stops hangs up on those that watch."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                line = await reader.readline()
                if line:
                    await self._answer(json.loads(line), reader, writer)
            except OrchexError as error:
                writer.write(encode({"error": error_document(error)}))
            except ConnectionError:
                raise
            except Exception:
                log.exception("a call through the door failed")
                oops = OrchexError("the worker failed to answer", hint="Its log tells more: logs/worker.log.")
                writer.write(encode({"error": error_document(oops)}))
            await writer.drain()
        writer.close()

    async def _answer(self, call: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, params = call["method"], call.get("params", {})
        if method == "watch":
            await self._watch(params, reader, writer)
            return
        if method not in self._calls:
            raise InvalidInput(f"the door knows no method {method!r}")
        writer.write(encode({"result": _plain(await self._calls[method](params))}))

    async def _watch(self, params: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Entries until the last one, or until the client hangs up: nobody is watched for who is gone."""
        telling = asyncio.create_task(self._tell(params, writer))
        hung_up = asyncio.create_task(reader.read())
        try:
            await asyncio.wait({telling, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        finally:
            telling.cancel()
            hung_up.cancel()
            await asyncio.gather(telling, hung_up, return_exceptions=True)

    async def _tell(self, params: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        async for entry in self._engine.watch(**params):
            writer.write(encode({"item": entry.model_dump(mode="json")}))
            await writer.drain()
        writer.write(encode({"result": None}))


def _plain(answer: Any) -> Any:
    if isinstance(answer, BaseModel):
        return answer.model_dump(mode="json")
    if isinstance(answer, list):
        return [_plain(entry) for entry in answer]
    return base64.b64encode(answer).decode() if isinstance(answer, bytes) else answer
