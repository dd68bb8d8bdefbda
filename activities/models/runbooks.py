"""The runbooks of a manifest, before anything is carried out."""

from collections.abc import Iterator

from orchex.domain.errors import PlanInvalid
from orchex.domain.manifest import RUNBOOK, Manifest
from orchex.manifest import Finding, without_references


def broken_runbooks(manifest: Manifest) -> Iterator[Finding]:
    """For each stream that a runbook carries out: the first thing that is wrong with its plan, whatever its inputs."""
    plans = {name: it.plan for name, it in manifest.streams.items() if (it.model or manifest.model) == RUNBOOK}
    if not plans:
        return
    from activities.models.runbook import parse_runbook  # and with it a parser of Markdown

    for name, plan in plans.items():
        try:
            parse_runbook(without_references(plan))
        except PlanInvalid as error:
            message = f"{error.message}. {error.hint}" if error.hint else error.message
            yield Finding(("streams", name, "plan"), message.rstrip("."))
