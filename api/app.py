"""``create_app``: the API as one ASGI application."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from api.bodies import Bodies
from api.envelope import Envelope
from api.parts import Parts
from api.problems import Problem, answer_problem
from api.routes import ROUTERS
from orchex.domain.errors import OrchexError

BASE = "/v1"


def create_app(parts: Parts) -> ASGIApp:
    """The whole API. Needs no lifespan: whoever makes ``parts`` closes them."""
    app = FastAPI(title="Orchex", version="1", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.parts = parts
    for kind in (Problem, OrchexError, RequestValidationError, HTTPException, RecursionError):
        app.add_exception_handler(kind, answer_problem)
    for router in ROUTERS:
        app.include_router(router, prefix=BASE)
    return Envelope(Bodies(app))
