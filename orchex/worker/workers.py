"""The Temporal workers of one process: one for everything, and one for webhooks beside it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.accounts import Accountant
from activities.artifacts import ArtifactKeeper
from activities.attempts import AttemptInterceptor
from activities.checkpointing import Checkpointing
from activities.landing import LandingActivities
from activities.ledger import AttemptLedger
from activities.planning import PlanActivities
from activities.reconcile import Reconciler
from activities.recording import Recorder
from activities.starting import Starter
from activities.steps import StepActivities
from activities.streams import StreamActivities
from activities.turns import TurnActivities
from activities.webhooks.delivering import Courier
from activities.webhooks.starting import DrainStarter
from activities.webhooks.sweeping import WebhookSweep
from orchex.worker.parts import Parts
from workflows.accounts import AccountsWorkflow
from workflows.land import LandWorkflow
from workflows.manifest import ManifestWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.stream import StreamWorkflow
from workflows.webhooks import WebhookEndpointWorkflow

GRACE = timedelta(seconds=2)
"""How long a stopping worker waits for activities; what is cut short is retried by its successor."""

MOST_ACTIVITIES = 32
MOST_DRAINS = 500
"""Webhook endpoints that one process sends to at once: a receiver that hangs holds a place for seconds."""

WORKFLOWS = (StreamWorkflow, ManifestWorkflow, LandWorkflow, ReconcileWorkflow, AccountsWorkflow)


def build_worker(
    client: Client, parts: Parts, queue: str, drains: DrainStarter, *, host_queue: str | None = None
) -> Worker:
    """A Temporal worker on ``queue``; ``host_queue`` is what its streams are told to come back to."""
    artifacts = ArtifactKeeper(parts.home, parts.blobs, parts.executions)
    checkpointing = Checkpointing(parts.home, parts.projects, parts.environments, parts.runner, parts.sandbox)
    steps = StepActivities(checkpointing, parts.blobs)
    turns = TurnActivities(checkpointing, parts.blobs, parts.turns, parts.prices)
    plans = PlanActivities(parts.blobs, parts.turns, parts.prices, parts.environments, artifacts)
    streams = StreamActivities(
        parts.projects,
        parts.blobs,
        parts.environments,
        parts.executions,
        artifacts,
        host_queue,
        parts.home / "parses",
    )
    landing = LandingActivities(parts.projects, parts.executions)
    starter = Starter(client, queue, parts.database, parts.plans)
    sweep = WebhookSweep(drains, parts.database)
    reconciler = Reconciler(
        client, queue, parts.executions, parts.journal, parts.environments, starter, parts.retention, sweep
    )
    return _worker(
        client,
        parts,
        queue,
        drains,
        WORKFLOWS,
        [
            streams.open_stream,
            streams.finish_stream,
            steps.work,
            steps.run_command,
            turns.take_turn,
            plans.propose_plan,
            landing.land,
            reconciler.reconcile,
            Recorder(parts.journal, parts.environments, starter, drains).record_events,
            Accountant(parts.database, parts.plans, parts.billing).keep_accounts,
        ],
        MOST_ACTIVITIES,
    )


def build_webhook_worker(client: Client, parts: Parts, drains: DrainStarter, courier: Courier) -> Worker:
    """A Temporal worker for webhooks alone: what hangs there keeps no step waiting."""
    return _worker(
        client,
        parts,
        drains.queue,
        drains,
        (WebhookEndpointWorkflow,),
        [courier.deliver_due],
        MOST_DRAINS,
        heartbeats_every=timedelta(seconds=5),
        sticky_for=timedelta(seconds=5),
    )


def _worker(
    client: Client,
    parts: Parts,
    queue: str,
    drains: DrainStarter,
    workflows: Sequence[type],
    activities: Sequence[Callable[..., Any]],
    most_activities: int,
    heartbeats_every: timedelta = timedelta(milliseconds=250),
    sticky_for: timedelta = timedelta(seconds=1),
) -> Worker:
    """``heartbeats_every``: how often the server is told at the most, and so how soon an activity hears of a cancel.

    ``sticky_for``: how long a workflow waits for the worker that remembers it; another then begins with its history. A
    crowd that is woken at once waits for longer than it takes to notice that a worker has died.
    """
    return Worker(
        client,
        task_queue=queue,
        workflows=list(workflows),
        activities=list(activities),
        interceptors=[AttemptInterceptor(parts.journal, AttemptLedger(parts.home / "attempts"), drains)],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("orchex.domain", "activities")
        ),
        max_heartbeat_throttle_interval=heartbeats_every,
        sticky_queue_schedule_to_start_timeout=sticky_for,
        graceful_shutdown_timeout=GRACE,
        max_concurrent_activities=most_activities,
    )
