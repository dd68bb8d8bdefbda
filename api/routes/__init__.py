"""One module per resource, each with a ``router``; ``ROUTERS`` is what is served below ``/v1``."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
