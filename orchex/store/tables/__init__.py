"""The tables. Times are UTC; JSON columns are replaced whole, never changed in place."""

from orchex.store.tables.billing import ClosedMonthRow, SubscriptionRow
from orchex.store.tables.executions import ArtifactRow, EventRow, ExecutionRow, StepRow, StreamRow
from orchex.store.tables.requests import AuditRow, IdempotencyRow
from orchex.store.tables.teams import ApiKeyRow, MembershipRow, TeamRow, UserRow
from orchex.store.tables.turns import TurnRow
from orchex.store.tables.usage import UsageDayRow, UsageEventRow, UsageMonthRow
from orchex.store.tables.webhooks import AttemptRow, DeliveryRow, EndpointRow, MessageRow

__all__ = [
    "ApiKeyRow",
    "ArtifactRow",
    "AttemptRow",
    "AuditRow",
    "ClosedMonthRow",
    "DeliveryRow",
    "EndpointRow",
    "EventRow",
    "ExecutionRow",
    "IdempotencyRow",
    "MembershipRow",
    "MessageRow",
    "StepRow",
    "StreamRow",
    "SubscriptionRow",
    "TeamRow",
    "TurnRow",
    "UsageDayRow",
    "UsageEventRow",
    "UsageMonthRow",
    "UserRow",
]
