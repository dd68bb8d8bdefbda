"""A tool that takes strict arguments, and whose deliberate errors are results the model reads."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent, ToolAnnotations

from mcp_server.arguments import Arguments, checked
from mcp_server.wording import tell_error
from orchex.domain.errors import OrchexError
from orchex.domain.execution import Wire

A = TypeVar("A", bound=Arguments)
W = TypeVar("W", bound=Wire)


class OrchexTool(Tool):
    """``fn`` takes the checked arguments and the request's context, and returns the whole result."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        kind = self.fn_metadata.arg_model
        assert issubclass(kind, Arguments)
        try:
            return await self.fn(checked(kind, arguments), context)
        except OrchexError as error:
            return refusal(error)
        except MCPError:
            raise
        except Exception as error:
            raise UnexpectedToolError(f"Error executing tool {self.name}") from error


def tool(
    name: str,
    kind: type[A],
    answer: type[W],
    act: Callable[[A, Context[Any, Any]], Awaitable[W]],
    tell: Callable[[W], str],
    *,
    title: str,
    description: str,
    annotations: ToolAnnotations,
) -> OrchexTool:
    async def carry_out(arguments: A, context: Context[Any, Any]) -> CallToolResult:
        return result(await act(arguments, context), tell)

    return OrchexTool(
        fn=carry_out,
        name=name,
        title=title,
        description=description,
        parameters=kind.published(),
        fn_metadata=FuncMetadata(arg_model=kind, output_model=answer),
        is_async=True,
        context_kwarg="context",
        annotations=annotations,
    )


def result(answer: W, tell: Callable[[W], str]) -> CallToolResult:
    """The answer as data, in words, and as JSON text, which is all that clients before 2025-06-18 see of the data."""
    return CallToolResult(
        content=[
            TextContent(type="text", text=tell(answer)),
            TextContent(type="text", text=answer.model_dump_json(by_alias=True)),
        ],
        structured_content=answer.model_dump(mode="json", by_alias=True),
    )


def refusal(error: OrchexError) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=tell_error(error))], is_error=True)
