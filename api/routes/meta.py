"""About the server itself: health, readiness, metrics, the OpenAPI document, pages for people. No key is needed."""

import asyncio
import re
from html import escape
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.negotiation import prefers
from api.openapi import describe
from api.parts import Parts, parts_of
from api.problems import KINDS, Problem
from orchex.domain.errors import StorageError
from orchex.store.database import SCHEMA_REVISION

router = APIRouter(include_in_schema=False)

ThisServer = Annotated[Parts, Depends(parts_of)]

STATIC = Path(__file__).parents[1] / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Pages load what this server has, and nothing inline runs: what an execution says of itself can do no harm."""
_ASSETS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@router.get("/healthz")
async def healthz() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(parts: ThisServer) -> Response:
    """Everything that a start of an execution needs answers too. Raises :class:`Problem`."""
    if parts.draining.is_set():
        raise Problem("draining")
    if await asyncio.to_thread(parts.database.revision) != SCHEMA_REVISION:
        raise StorageError("the database has another schema: run `orchex admin db upgrade`")
    await parts.engine.check_temporal()
    return JSONResponse({"status": "ok"})


@router.get("/metrics")
async def metrics(parts: ThisServer) -> Response:
    return Response(generate_latest(parts.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    app = request.app
    if app.openapi_schema is None:
        app.openapi_schema = describe(app)
    return JSONResponse(app.openapi_schema)


@router.get("/problems")
async def problems() -> Response:
    """Every code there is."""
    return JSONResponse({code: vars(kind) for code, kind in KINDS.items()})


@router.get("/problems/{code}")
async def problem(request: Request, code: str) -> Response:
    """What a problem's ``type`` leads to."""
    if code not in KINDS:
        raise Problem("not_found")
    kind = KINDS[code]
    if prefers(request, ("application/json", "text/html")) == "application/json":
        return JSONResponse({"code": code, **vars(kind)})
    title, meaning = escape(kind.title), re.sub("`(.+?)`", r"<code>\1</code>", escape(kind.meaning))
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        "<link rel=icon href=/static/mark.svg type=image/svg+xml>"
        f"<link rel=stylesheet href=/static/page.css><main><h1>{title}</h1>"
        f"<p><code>{code}</code> · HTTP {kind.status}{' · may be retried' if kind.retryable else ''}</p>"
        f"<p>{meaning}</p><p><a href=/docs>All of the API</a></p></main>"
    )
    return HTMLResponse(body, headers={"Content-Security-Policy": POLICY})


@router.get("/")
async def dashboard() -> Response:
    return _page("dashboard.html")


@router.get("/docs")
async def docs() -> Response:
    return _page("docs.html")


@router.get("/static/{name}")
async def asset(name: str) -> Response:
    path = STATIC / Path(name).name
    if path.suffix not in _ASSETS or not path.is_file():
        raise Problem("not_found")
    return Response(path.read_bytes(), media_type=_ASSETS[path.suffix], headers={"Cache-Control": "no-cache"})


def _page(name: str) -> Response:
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    return HTMLResponse((STATIC / name).read_text(encoding="utf-8"), headers=headers)
