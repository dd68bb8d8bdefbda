"""Executions: start, read, list, cancel, decide, resume."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.idempotency import PARAMETER, REPLAYED, idempotency_key, keyed_request
from api.models.executions import CancelInput, DecisionInput, ExecutionInput
from api.negotiation import not_modified
from api.openapi import answers, link
from api.pages import DEFAULT_LIMIT, Before, Limit, id_cursor, next_link
from api.parts import Parts, actor_of, parts_of
from api.problems import Problem
from orchex.domain.access import Scope
from orchex.domain.errors import InvalidInput
from orchex.domain.execution import Accepted, Execution, ExecutionList, Status
from orchex.domain.ids import is_execution_id
from orchex.domain.manifest import Manifest
from orchex.domain.start import StartOptions, StartRequest
from orchex.engine.submissions import Submission
from orchex.manifest import parse_manifest, render
from orchex.store.executions import Acceptance

router = APIRouter(tags=["Executions"])

Reading = Annotated[Caller, require(Scope.EXECUTIONS_READ)]
Writing = Annotated[Caller, require(Scope.EXECUTIONS_WRITE)]
ThisServer = Annotated[Parts, Depends(parts_of)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]

POLL_SECONDS = "2"
"""When to look again at one that has not ended; its event stream tells at once."""

STARTED = answers(
    202,
    402,
    409,
    headers={202: ("Location", REPLAYED)},
    links={
        202: {
            name: link(name, id="/id")
            for name in ("get_execution", "cancel_execution", "get_events", "approve_plan", "resume_execution")
        }
    },
)


@router.post(
    "/executions",
    status_code=202,
    response_model=Accepted,
    responses=STARTED,
    openapi_extra={"parameters": [PARAMETER]},
)
async def start_execution(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, body: ExecutionInput
) -> Response:
    """Start an execution of a task, or of a manifest's streams."""
    engine = parts.engine_of(caller)
    prepared = await asyncio.to_thread(lambda: engine.prepared(_start_request(body, parts)))
    labelled = prepared.model_copy(update={"labels": body.metadata})
    return await _submit(request, caller, parts, key, labelled)


@router.post(
    "/executions/{id}/resume",
    status_code=202,
    response_model=Accepted,
    responses=STARTED,
    openapi_extra={"parameters": [PARAMETER]},
)
async def resume_execution(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, id: str
) -> Response:
    """Go on from where a failed or cancelled execution stopped, as a new one with a fresh clock."""
    return await _submit(request, caller, parts, key, await parts.engine_of(caller).prepared_resume(id))


async def _submit(request: Request, caller: Caller, parts: Parts, key: str | None, prepared: Acceptance) -> Response:
    keyed = await keyed_request(request, key, caller)
    submission = Submission(prepared, caller, actor_of(caller, request), keyed, parts.environ)
    accepted, replayed = await parts.submissions.submit(submission)
    headers = {"Location": f"/v1{accepted.status_url}"} | ({REPLAYED: "true"} if replayed else {})
    return Response(accepted.model_dump_json(by_alias=True), 202, headers, "application/json")


def _start_request(body: ExecutionInput, parts: Parts) -> StartRequest:
    """Raises :class:`Problem` for a project this server does not have, :class:`InvalidManifest` for a wrong text."""
    options = body.options
    return StartRequest(
        project=parts.projects.folder(body.context.project),
        manifest=_manifest(body.manifest, body.inputs) if body.manifest is not None else None,
        streams=tuple(body.streams),
        task=body.task,
        files=tuple(body.context.files),
        depth=body.context.depth,
        environment=body.context.environment,
        options=StartOptions.model_validate(options.model_dump()),
        environ=None,
    )


def _manifest(text: str, inputs: Mapping[str, str | float]) -> Manifest:
    """With its inputs filled in: a truth as ``true`` or ``false``, a number as in JSON."""
    manifest = parse_manifest(text, "manifest")
    try:
        return render(manifest, {name: it if isinstance(it, str) else json.dumps(it) for name, it in inputs.items()})
    except InvalidInput as error:
        errors = [{"pointer": "/inputs", "detail": error.message, "code": "inputs"}]
        raise Problem("validation_failed", error.message, errors=errors) from error


@router.get(
    "/executions/{id}",
    response_model=Execution,
    responses=answers(
        200,
        304,
        headers=dict.fromkeys((200, 304), ("ETag", "Retry-After")),
        links={200: {"get_artifact": link("get_artifact", id="/id", name="/result/artifacts/0/name")}},
    ),
)
async def get_execution(request: Request, caller: Reading, parts: ThisServer, id: str) -> Response:
    """The whole document of one execution."""
    execution, tag = await parts.documents.get(parts.engine_of(caller), caller.team_id, id)
    headers = {"ETag": tag} | ({} if execution.status.terminal else {"Retry-After": POLL_SECONDS})
    return not_modified(request, headers) or _document(_told(execution, parts), 200, headers)


@router.get(
    "/executions",
    response_model=ExecutionList,
    responses=answers(
        200,
        400,
        headers={200: ("Link",)},
        links={200: {name: link(name, id="/data/0/id") for name in ("get_execution", "get_events", "reject_plan")}},
    ),
)
async def list_executions(
    request: Request,
    caller: Reading,
    parts: ThisServer,
    response: Response,
    limit: Limit = DEFAULT_LIMIT,
    before: Before = None,
    status: Annotated[
        list[Status] | None, Query(max_length=20, description="Only these; may be given several times.")
    ] = None,
) -> Response:
    """The team's executions, newest first, without their steps and artifacts."""
    if before is not None:
        before = id_cursor(before, is_execution_id)
    page = await parts.engine_of(caller).page(limit, before, status or ())
    told = page.model_copy(update={"data": tuple(_told(execution, parts) for execution in page.data)})
    headers = next_link(request, page.next_cursor) if page.next_cursor else {}
    return Response(told.model_dump_json(by_alias=True), 200, headers, "application/json")


@router.post("/executions/{id}/cancel", status_code=202, response_model=Execution, responses=answers(200, 202))
async def cancel_execution(
    request: Request, caller: Writing, parts: ThisServer, id: str, body: CancelInput | None = None
) -> Response:
    """Stop it. 202 while it stops, 200 when it has ended; any number of times."""
    reason = body.reason if body else ""
    execution = await parts.engine_of(caller).cancel(id, reason)
    await parts.audit(caller, request, "execution.cancelled", id, reason=reason)
    return _document(_told(execution, parts), 200 if execution.status.terminal else 202)


@router.post("/executions/{id}/approve", response_model=Execution, responses=answers(200, 409))
async def approve_plan(request: Request, caller: Writing, parts: ThisServer, id: str, body: DecisionInput) -> Response:
    """Let the plan that waits be carried out."""
    return await _decide(request, caller, parts, id, body, approved=True)


@router.post("/executions/{id}/reject", response_model=Execution, responses=answers(200, 409))
async def reject_plan(request: Request, caller: Writing, parts: ThisServer, id: str, body: DecisionInput) -> Response:
    """End the execution: its plan is not what was wanted."""
    return await _decide(request, caller, parts, id, body, approved=False)


async def _decide(
    request: Request, caller: Caller, parts: Parts, id: str, body: DecisionInput, *, approved: bool
) -> Response:
    engine = parts.engine_of(caller)
    execution = await engine.decide(id, approved=approved, reason=body.reason, plan_hash=body.plan_hash)
    action = "execution.approved" if approved else "execution.rejected"
    await parts.audit(caller, request, action, id, plan=body.plan_hash, reason=body.reason)
    return _document(_told(execution, parts), 200)


def _told(execution: Execution, parts: Parts) -> Execution:
    """Where a project lies on this server is nobody's business: clients know it by name."""
    return execution.model_copy(update={"project": parts.projects.name(execution.project)})


def _document(execution: Execution, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(execution.model_dump_json(by_alias=True), status, headers, "application/json")
