"""The bodies of requests, from the arguments of methods."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic.alias_generators import to_camel

from orchex.client.models import ExecutionDocument, Options
from orchex.domain.errors import InvalidInput

T = TypeVar("T")


def execution_body(
    *,
    task: str | None,
    files: Sequence[str | os.PathLike[str]],
    options: Options | None,
    manifest: str | None,
    streams: Sequence[str],
    inputs: Mapping[str, str | float] | None,
    environment: str | None,
    depth: str | None,
    project: str | None,
    metadata: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Only what was given, so that the server's defaults hold. Raises :class:`InvalidInput`."""
    if (task is None) == (manifest is None):
        raise InvalidInput("an execution takes either a task or a manifest")
    context = {
        "files": [os.fspath(file) for file in listed("files", files)] or None,
        "environment": environment,
        "depth": depth,
        "project": project,
    }
    return given(
        {
            "task": task,
            "manifest": manifest,
            "streams": list(listed("streams", streams)) or None,
            "inputs": dict(inputs or {}) or None,
            "context": given(context) or None,
            "options": camel(options or {}) or None,
            "metadata": dict(metadata or {}) or None,
        }
    )


def listed(name: str, values: Sequence[T]) -> Sequence[T]:
    """``values`` themselves. Raises :class:`InvalidInput` for one text, which would be taken for its letters."""
    if isinstance(values, str):
        raise InvalidInput(f"{name} is a list, not one text", hint=f"{name}=[{values!r}]")
    return values


def each(names: str | Sequence[str]) -> tuple[str, ...]:
    """Of one name or several, which may be members of an enumeration: their texts."""
    return tuple(str(name) for name in ([names] if isinstance(names, str) else names))


def decision(plan_hash: str, reason: str) -> dict[str, str]:
    return given({"planHash": plan_hash, "reason": reason or None})


def waiting_plan(document: ExecutionDocument) -> str:
    """The hash of the first plan that waits, else of one that does not any more: then the server says so.

    Raises :class:`InvalidInput` when there is no plan at all.
    """
    planned = [stream for stream in document.streams if stream.plan_hash]
    for stream in (*(it for it in planned if it.status == "awaiting_approval"), *planned):
        return str(stream.plan_hash)
    raise InvalidInput("the execution does not wait for an approval")


def camel(members: Mapping[str, Any]) -> dict[str, Any]:
    """``max_steps`` as ``maxSteps``; what is camelCase already stays."""
    return {to_camel(name) if "_" in name else name: value for name, value in members.items()}


def moment(at: datetime | None) -> str | None:
    """RFC 3339. Raises :class:`InvalidInput` for a time that could be anywhere."""
    if at is not None and at.tzinfo is None:
        raise InvalidInput("a time without a time zone is not a moment", hint="Use datetime.now(UTC) + timedelta(…).")
    return at.isoformat() if at else None


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is null: the server's defaults hold. What is empty was meant to be, as no scopes at all."""
    return {name: value for name, value in members.items() if value is not None}
