"""``LandWorkflow``: apply or undo a finished execution's work, durably: a crash in the middle rolls forward."""

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.messages import LAND, Land, Landed
    from workflows.dispatch import call
    from workflows.failures import failure_of
    from workflows.messages import LandInput
    from workflows.outbox import Outbox


@workflow.defn
class LandWorkflow:
    @workflow.run
    async def run(self, input: LandInput) -> Landed:
        request = Land(run=input.run, direction=input.direction)
        try:
            return await call(LAND, request, Landed, Outbox())
        except FailureError as error:
            return Landed(failure=failure_of(error))
