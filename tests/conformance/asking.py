"""Tools and a prompt that ask their client for more before they answer, as the suite wants to see it done.

None of Orchex's own does. They show that the server they are served by lets such a conversation through, and seals the
state that a client carries between its rounds.
"""

from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

Questions = dict[str, InputRequest]
Answer = str | InputRequiredResult


def _form(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(text: str, tokens: int = 100) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens))


NAME: Questions = {"user_name": _form("What is your name?", "name")}
CONFIRM: Questions = {"confirm": _form("Please confirm", "ok", "boolean")}


def _answer(context: Context[Any, Any], questions: Questions, state: str | None = None) -> Answer:
    """The questions, until every one has its answer and the state has come back; then that it was so."""
    given = context.input_responses or {}
    if questions.keys() <= given.keys() and (state is None or context.request_state == state):
        return "state-ok: " + ", ".join(given[key].model_dump_json(by_alias=True) for key in questions)
    return InputRequiredResult(input_requests=questions, request_state=state)


def add_asking(server: MCPServer[Any]) -> None:
    @server.tool()
    def test_input_required_result_elicitation(context: Context[Any, Any]) -> Answer:
        """Ask for a name."""
        return _answer(context, NAME)

    @server.tool()
    def test_input_required_result_sampling(context: Context[Any, Any]) -> Answer:
        """Ask a model."""
        return _answer(context, {"capital_question": _sample("What is the capital of France?")})

    @server.tool()
    def test_input_required_result_list_roots(context: Context[Any, Any]) -> Answer:
        """Ask for the client's folders."""
        return _answer(context, {"client_roots": ListRootsRequest()})

    @server.tool()
    def test_input_required_result_request_state(context: Context[Any, Any]) -> Answer:
        """Ask, and have the client carry a state."""
        return _answer(context, CONFIRM, "asked")

    @server.tool()
    def test_input_required_result_tampered_state(context: Context[Any, Any]) -> Answer:
        """Ask, and have the client carry a state that it may not change."""
        return _answer(context, CONFIRM, "asked")

    @server.tool()
    def test_input_required_result_multiple_inputs(context: Context[Any, Any]) -> Answer:
        """Ask three things at once."""
        questions = {**NAME, "greeting": _sample("Generate a greeting", 50), "client_roots": ListRootsRequest()}
        return _answer(context, questions, "asked")

    @server.tool()
    def test_input_required_result_multi_round(context: Context[Any, Any]) -> Answer:
        """Ask one thing after the other."""
        if context.request_state is None:
            return _answer(context, {"step1": _form("Step 1: What is your name?", "name")}, "first")
        return _answer(context, {"step2": _form("Step 2: What is your favorite color?", "color")}, "second")

    @server.tool()
    def test_input_required_result_capabilities(context: Context[Any, Any]) -> Answer:
        """Ask only what the client can answer."""
        able = context.client_capabilities
        questions: Questions = {"greeting": _sample("Generate a greeting")} if able and able.sampling else {}
        return _answer(context, questions | (NAME if able and able.elicitation else {}))

    @server.prompt()
    def test_input_required_result_prompt(context: Context[Any, Any]) -> Answer:
        """Ask for a context."""
        return _answer(context, {"user_context": _form("What context should the prompt use?", "context")})
