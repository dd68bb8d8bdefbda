"""One module per resource, each with a ``router``; ``ROUTERS`` is what is served below ``/v1``."""

from api.routes import artifacts, audit, billing, deliveries, events, executions, keys, teams, usage, webhooks

ROUTERS = (
    executions.router,
    events.router,
    artifacts.router,
    keys.router,
    teams.router,
    usage.router,
    billing.router,
    webhooks.router,
    deliveries.router,
    audit.router,
)
