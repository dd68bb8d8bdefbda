"""The hand-written workflows."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from benchmarks.handwritten import activities
    from benchmarks.handwritten.messages import Action, Checkout, Job, Step

_AN_HOUR = timedelta(hours=1)
_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3)


@workflow.defn
class StepsWorkflow:
    """``job.steps`` activities, one after the other. Returns the milliseconds they took."""

    @workflow.run
    async def run(self, job: Job) -> float:
        began = workflow.now()
        for number in range(1, job.steps + 1):
            await workflow.execute_activity(
                activities.step,
                Step(job.folder, number, job.text, job.command),
                start_to_close_timeout=_AN_HOUR,
                retry_policy=_RETRY,
            )
        return (workflow.now() - began) / timedelta(milliseconds=1)


@workflow.defn
class ActionsWorkflow:
    @workflow.run
    async def run(self, actions: list[Action]) -> None:
        for action in actions:
            await workflow.execute_activity(
                activities.perform, action, start_to_close_timeout=_AN_HOUR, retry_policy=_RETRY
            )


@workflow.defn
class CheckoutWorkflow:
    """One step in a private checkout, which is then landed."""

    @workflow.run
    async def run(self, checkout: Checkout) -> None:
        await workflow.execute_activity(
            activities.check_out, checkout, start_to_close_timeout=_AN_HOUR, retry_policy=_RETRY
        )
        step = Step(checkout.folder, checkout.number, "checkout")
        await workflow.execute_activity(activities.step, step, start_to_close_timeout=_AN_HOUR, retry_policy=_RETRY)
        await workflow.execute_activity(activities.land, checkout, start_to_close_timeout=_AN_HOUR, retry_policy=_RETRY)


@workflow.defn
class GuardedWorkflow:
    """One step whose worker may die; a second of silence is its death."""

    @workflow.run
    async def run(self, step: Step) -> None:
        await workflow.execute_activity(
            activities.guarded_step,
            step,
            start_to_close_timeout=_AN_HOUR,
            heartbeat_timeout=timedelta(seconds=1),
            retry_policy=_RETRY,
        )
