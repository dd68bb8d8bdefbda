"""Requests as they are on the wire, for what the SDK's client would not send."""

import itertools
import json
from typing import Any

import httpx2

VERSION = "2026-07-28"
TASKS = "io.modelcontextprotocol/tasks"
_NAMES = {"tools/call": "name", "resources/read": "uri", "prompts/get": "name"}


class Wire:
    """One client's requests. ``extensions`` and ``elicitation`` are what it declares with each of them."""

    def __init__(
        self,
        url: str,
        key: str = "key-one",
        *,
        extensions: tuple[str, ...] = (TASKS,),
        elicitation: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if headers is None else headers
        self._capabilities: dict[str, Any] = {"extensions": {name: {} for name in extensions}}
        if elicitation:
            self._capabilities["elicitation"] = {}
        self._numbers = itertools.count(1)

    def message(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """A request of the newest version, which carries all that a server must know of its client."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": self._capabilities,
        }
        return {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": {**params, "_meta": meta}}

    async def send(
        self, method: str, *, named: str | None = None, more: dict[str, str] | None = None, **params: Any
    ) -> httpx2.Response:
        """``named`` is the Mcp-Name header; by default what the specification wants of a request of the core."""
        mirrored = named or params.get(_NAMES.get(method, ""))
        headers = {
            **self._headers,
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": method,
            **({"Mcp-Name": mirrored} if mirrored else {}),
            **(more or {}),
        }
        async with httpx2.AsyncClient(timeout=60) as http:
            return await http.post(self._url, headers=headers, json=self.message(method, params))

    async def ask(self, method: str, *, named: str | None = None, **params: Any) -> dict[str, Any]:
        return _message(await self.send(method, named=named, **params))

    async def send_legacy(self, method: str, params: dict[str, Any], headers: dict[str, str]) -> httpx2.Response:
        body = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        accepted = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
        async with httpx2.AsyncClient(timeout=60) as http:
            return await http.post(self._url, headers={**self._headers, **accepted, **headers}, json=body)

    async def legacy(self, method: str, params: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        return _message(await self.send_legacy(method, params, headers))


def _message(answer: httpx2.Response) -> dict[str, Any]:
    """The response in the body, be it JSON or the last event of a stream."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        events = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
        found: dict[str, Any] = json.loads(next(event for event in reversed(events) if event.strip()))
        return found
    body: dict[str, Any] = answer.json()
    return body
