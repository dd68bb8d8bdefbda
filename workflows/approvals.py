"""Waiting for somebody's decision."""

from temporalio import workflow

from orchex.domain.compiled import RunContext
from workflows.dispatch import flush
from workflows.limits import Limits
from workflows.messages import PlanDecision
from workflows.outbox import Outbox
from workflows.telling import StreamEvents


class Approvals:
    """One decision at a time; the stream's clock stands still while it is waited for."""

    def __init__(self, run: RunContext, events: StreamEvents, limits: Limits, outbox: Outbox) -> None:
        self._run = run
        self._events = events
        self._limits = limits
        self._outbox = outbox
        self._waiting: str | None = None
        self._decision: PlanDecision | None = None

    def waits_for(self, plan_ref: str) -> bool:
        return self._waiting == plan_ref and self._decision is None

    def decide(self, decision: PlanDecision) -> None:
        self._decision = decision

    async def decision(self, plan_ref: str, over_budget: str = "") -> PlanDecision:
        """What is decided of a plan, or, when ``over_budget`` says how, of going on past the budget."""
        self._events.awaiting_approval(plan_ref, over_budget)
        self._decision, self._waiting = None, plan_ref
        try:
            with self._limits.clock_stopped():
                await flush(self._run, self._outbox)
                await workflow.wait_condition(lambda: self._decision is not None)
        finally:
            self._waiting = None
        decision = self._decision
        assert decision is not None
        if decision.approved:
            self._events.approved()
        return decision
