"""What the suite wants to find on any server it judges: tools, resources and prompts with answers that it knows.

They are added to Orchex's server beside its own. ``slow_compute`` and ``confirm_delete`` become executions, so that
what the suite sees of tasks is what clients see of ``orchex_execute``.
"""

import asyncio
import base64
import struct
import zlib
from dataclasses import replace
from typing import Any, Literal

from mcp.server import MCPServer, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from tests.conformance.asking import add_asking
from tests.e2e.manifests import manifest


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


PIXEL = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00"))
    + _chunk(b"IEND", b"")
)
SILENCE = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
SILENCE += b"data" + struct.pack("<I", 0)


def _image() -> ImageContent:
    return ImageContent(type="image", data=base64.b64encode(PIXEL).decode(), mime_type="image/png")


def _embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, text=text, mime_type=mime_type))


def add_fixtures(server: MCPServer[Any]) -> None:
    _add_tools(server)
    _add_resources(server)
    _add_prompts(server)
    _add_tasks(server)
    add_asking(server)


def _add_tools(server: MCPServer[Any]) -> None:
    @server.tool()
    def test_simple_text() -> str:
        """Answer with a text."""
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> ImageContent:
        """Answer with an image."""
        return _image()

    @server.tool()
    def test_audio_content() -> AudioContent:
        """Answer with a sound."""
        return AudioContent(type="audio", data=base64.b64encode(SILENCE).decode(), mime_type="audio/wav")

    @server.tool()
    def test_embedded_resource() -> EmbeddedResource:
        """Answer with a resource."""
        return _embedded("test://embedded-resource", "This is an embedded resource content.")

    @server.tool()
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        """Answer with a text, an image and a resource."""
        mixed = _embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
        return [TextContent(type="text", text="Multiple content types test:"), _image(), mixed]

    @server.tool()
    def test_error_handling() -> str:
        """Fail."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool()
    async def test_tool_with_progress(context: Context[Any, Any]) -> str:
        """Tell of progress."""
        for progress in (0, 50, 100):
            await context.report_progress(progress, 100)
            await asyncio.sleep(0.05)
        return "done"

    @server.tool()
    def test_missing_capability(context: Context[Any, Any]) -> str:
        """Take a client that samples."""
        capabilities = context.client_capabilities
        if capabilities is None or capabilities.sampling is None:
            data: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this takes a client that samples", data)
        return "done"


def _add_resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return PIXEL

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


def _add_prompts(server: MCPServer[Any]) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """Say something simple."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """Say what was given."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        """Show a resource."""
        embedded = _embedded(resourceUri, "Embedded resource content for testing.")
        return [UserMessage(embedded), UserMessage("Please process the embedded resource above.")]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """Show an image."""
        return [UserMessage(_image()), UserMessage("Please analyze the image above.")]


def _add_tasks(server: MCPServer[Any]) -> None:
    @server.tool()
    def greet(name: str) -> str:
        """Greet by name, at once."""
        return f"Hello, {name}!"

    @server.tool()
    def slow_compute(seconds: float = 0) -> str:
        """Take some seconds, as a task."""
        raise AssertionError("it is an execution before it comes here")

    @server.tool()
    def confirm_delete(filename: str = "") -> str:
        """Ask first, as a task."""
        raise AssertionError("it is an execution before it comes here")

    server.middleware.append(_as_executions)


async def _as_executions(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    params = ctx.params or {}
    if ctx.method != "tools/call" or params.get("name") not in ("slow_compute", "confirm_delete"):
        return await call_next(ctx)
    seconds = float(params.get("arguments", {}).get("seconds", 0))
    approval: Literal["none", "plan"] = "plan" if params["name"] == "confirm_delete" else "none"
    arguments = {"task": params["name"], "manifest": manifest(f"sleep {seconds}"), "approval": approval, "wait": 45}
    return await call_next(replace(ctx, params={**params, "name": "orchex_execute", "arguments": arguments}))
