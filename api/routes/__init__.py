"""One module per resource, each with a ``router``; ``ROUTERS`` is what is served below ``/v1``."""

from api.routes import artifacts, events, executions

ROUTERS = (executions.router, events.router, artifacts.router)
