"""One module per resource, each with a ``router``; ``ROUTERS`` is what is served below ``/v1``."""

from api.routes import artifacts, audit, billing, events, executions, keys, teams, usage

ROUTERS = (
    executions.router,
    events.router,
    artifacts.router,
    keys.router,
    teams.router,
    usage.router,
    billing.router,
    audit.router,
)
