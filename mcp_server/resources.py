"""What can be read beside the tools: executions and their patches, example manifests, how to write one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp_types import (
    Annotations,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from mcp_server.addresses import ARTIFACT, EXECUTION, GUIDE, MANIFEST, PATCH
from mcp_server.backend import Backend
from mcp_server.examples import examples
from mcp_server.waiting import look
from mcp_server.wording import tell_error
from orchex.domain.errors import NotFound, OrchexError

_MOST_COMPLETIONS = 100
_FOR_MODELS = Annotations(audience=["assistant"], priority=0.8)


def add_resources(server: MCPServer, backend: Backend) -> None:
    """Register them all, and what can be completed in their addresses."""
    _add_executions(server, backend)
    _add_manifests(server)

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(
        reference: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        if not isinstance(reference, ResourceTemplateReference):
            return None
        known = await _known(reference.uri, backend)
        fitting = [value for value in known if value.startswith(argument.value)]
        return Completion(values=fitting[:_MOST_COMPLETIONS], total=len(fitting), has_more=False)


def _add_executions(server: MCPServer, backend: Backend) -> None:
    @server.resource(
        EXECUTION,
        name="execution",
        title="An execution",
        description="All there is to know about an execution, as JSON.",
        mime_type="application/json",
    )
    async def execution(id: str) -> str:
        async with _told(id):
            return backend.shown(await look(backend, id)).model_dump_json(by_alias=True, indent=2)

    @server.resource(
        PATCH,
        name="patch",
        title="An execution's changes",
        description="What an execution changed so far, as a patch that `git apply` takes.",
        mime_type="text/x-diff",
    )
    async def patch(id: str) -> str | bytes:
        async with _told(id):
            return _content(await (await backend.reader()).patch(id))

    @server.resource(
        ARTIFACT,
        name="artifact",
        title="What an execution handed back",
        description="A log of a command, a changed file, a plan: what the `url` of an artifact names.",
    )
    async def artifact(id: str, name: str) -> str | bytes:
        async with _told(id, name):
            return _content(await (await backend.reader()).artifact(id, name))


def _add_manifests(server: MCPServer) -> None:
    @server.resource(
        MANIFEST,
        name="manifest",
        title="An example manifest",
        description="An example that comes with Orchex: " + ", ".join(examples()) + ".",
        mime_type="application/yaml",
    )
    def manifest(name: str) -> str:
        if name not in examples():
            raise ResourceNotFoundError(f"there is no example {name!r}; there are: {', '.join(examples())}")
        return examples()[name].read_text(encoding="utf-8")

    @server.resource(
        GUIDE,
        name="manifest-guide",
        title="How to write a manifest",
        description="The fields of a manifest, and how to write a runbook: a plan that needs no model.",
        mime_type="text/markdown",
        annotations=_FOR_MODELS,
    )
    def guide() -> str:
        return (resources.files("mcp_server") / "manifest-guide.md").read_text(encoding="utf-8")


def _content(content: bytes) -> str | bytes:
    """Text where it is text; anything else stays what it is."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


async def _known(template: str, backend: Backend) -> Sequence[str]:
    if template == MANIFEST:
        return tuple(examples())
    if template not in (EXECUTION, PATCH, ARTIFACT):
        return ()
    try:
        page = await (await backend.reader()).page(_MOST_COMPLETIONS)
    except NotFound:
        return ()
    return [one.id for one in page.data]


@asynccontextmanager
async def _told(execution_id: str, artifact: str = "") -> AsyncIterator[None]:
    """Orchex's errors as those of a resource."""
    try:
        yield
    except NotFound as error:
        what = f"artifact {artifact!r} of an execution" if artifact else "execution"
        raise ResourceNotFoundError(f"there is no {what} {execution_id!r}") from error
    except OrchexError as error:
        raise ResourceError(tell_error(error)) from error
