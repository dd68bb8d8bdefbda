"""``create_app``: the API as one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Lifespan

from api.assistants import Fork, assistants
from api.bodies import Bodies
from api.envelope import Envelope
from api.heads import Heads
from api.metrics import Measured
from api.parts import Parts
from api.problems import Problem, answer_problem
from api.routes import ROUTERS, meta
from api.routes import notices as billing_notices
from orchex.domain.errors import OrchexError

BASE = "/v1"


def create_app(parts: Parts) -> ASGIApp:
    """The whole API, MCP included. Whoever makes ``parts`` closes them."""
    mcp = assistants(parts)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp.running():
            yield

    app = application(lifespan, notices=parts.billing.has_notices)
    app.state.parts = parts
    return Measured(Envelope(Bodies(Fork(Heads(app), mcp))), parts.metrics)


def application(lifespan: Lifespan[FastAPI] | None = None, *, notices: bool = False) -> FastAPI:
    """The routes alone, with none of the layers around them; with that of a payment provider's notices if asked for."""
    routers = (*ROUTERS, billing_notices.router) if notices else ROUTERS
    app = FastAPI(
        title="Orchex",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    for kind in (Problem, OrchexError, RequestValidationError, HTTPException, RecursionError, Exception):
        app.add_exception_handler(kind, answer_problem)
    for router in routers:
        app.include_router(router, prefix=BASE)
    app.include_router(meta.router)
    app.state.methods = [
        (compile_path(prefix + route.path)[0], _methods(route))
        for prefix, those in ((BASE, routers), ("", (meta.router,)))
        for router in those
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
    return app


def _methods(route: APIRoute) -> frozenset[str]:
    """As ``Allow`` tells them: whatever answers GET answers HEAD."""
    methods = frozenset(route.methods or ())
    return methods | {"HEAD"} if "GET" in methods else methods
