"""``exec``, ``run`` and ``resume``: executions that are started here."""

from pathlib import Path
from typing import Annotated

import typer

from orchex.cli import backend, guidance, options
from orchex.cli.exits import ExitCode
from orchex.cli.waiting import Manner, carry_out
from orchex.domain.errors import InvalidInput, ProjectRefused
from orchex.domain.manifest import RUNBOOK
from orchex.domain.start import StartOptions, StartRequest


def exec_manifest(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The manifest, a YAML file.")],
    streams: Annotated[
        list[str] | None, typer.Argument(metavar="STREAM", help="Streams to run; all by default.")
    ] = None,
    project: options.Project = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="NAME=VALUE", help="A value for an input; repeatable.")
    ] = None,
    dry_run: options.DryRun = False,
    model: options.Model = None,
    no_apply: options.NoApply = False,
    approve_plan: options.ApprovePlan = False,
    max_tokens: options.MaxTokens = None,
    max_cost: options.MaxCost = None,
    detach: options.Detach = False,
    json: options.Json = False,
) -> None:
    """Run the streams of a manifest."""
    from orchex.engine.compile import chosen_streams
    from orchex.manifest import load_manifest, render

    if not manifest.exists():
        raise InvalidInput(f"there is no manifest {manifest}", hint="`orchex init` writes a first one, orchex.yaml.")
    where, folder = _place(project)
    loaded = render(load_manifest(manifest, project=folder), pairs(inputs or []))
    for name, stream in chosen_streams(loaded, tuple(streams or ())).items():
        if not (model or stream.model or loaded.model or _has_model()):
            raise guidance.no_model_for(name, str(manifest))
    request = StartRequest(
        project=where,
        manifest=loaded,
        streams=tuple(streams or ()),
        options=_start_options(dry_run, no_apply, model, approve_plan).model_copy(
            update={"max_tokens": max_tokens, "max_cost_usd": max_cost}
        ),
        environ=backend.environment(),
    )
    raise typer.Exit(_start(request, Manner(detach, json)))


def run_task(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What to do, in plain words.")],
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A runbook: Markdown whose fenced blocks are carried out.")
    ] = None,
    files: Annotated[
        list[str] | None, typer.Option("--file", metavar="PATH", help="A file the task is about; repeatable.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, max=1000, help="Most steps to take.")] = None,
    timeout: Annotated[int | None, typer.Option(metavar="MS", min=1, help="Milliseconds it may take.")] = None,
    project: options.Project = None,
    dry_run: options.DryRun = False,
    model: options.Model = None,
    no_apply: options.NoApply = False,
    approve_plan: options.ApprovePlan = False,
    max_tokens: options.MaxTokens = None,
    max_cost: options.MaxCost = None,
    detach: options.Detach = False,
    json: options.Json = False,
) -> None:
    """Carry out a task, by a model or by a runbook of your own."""
    if plan is None and model is None and not _has_model():
        raise guidance.no_plan_for(task)
    chosen = model or (RUNBOOK if plan is not None else None)
    limits = {"max_steps": max_steps, "timeout": timeout, "max_tokens": max_tokens, "max_cost_usd": max_cost}
    request = StartRequest(
        project=_place(project)[0],
        task=task,
        plan=_read_plan(plan) if plan else None,
        files=tuple(files or ()),
        options=_start_options(dry_run, no_apply, chosen, approve_plan).model_copy(update=limits),
        environ=backend.environment(),
    )
    raise typer.Exit(_start(request, Manner(detach, json)))


def resume(execution: options.Execution, detach: options.Detach = False, json: options.Json = False) -> None:
    """Go on from where a failed or cancelled execution stopped."""
    stack = backend.stack()
    orchestrator = stack.connect()

    async def begin() -> ExitCode:
        old = await backend.named(orchestrator, execution)
        return await carry_out(
            stack,
            orchestrator,
            lambda engine, new: engine.resume(old, backend.environment(), new),
            Manner(detach, json),
        )

    raise typer.Exit(backend.run(begin()))


def _place(project: Path | None) -> tuple[str, Path | None]:
    """The project as a request names it, and its folder, if it is on this machine: a server knows its own by names."""
    if backend.is_remote():
        return str(project or ""), None
    folder = project_folder(project)
    return str(folder), folder


def _has_model() -> bool:
    """Whether there is one for who names none; what a server has is the server's to say."""
    return backend.is_remote() or guidance.has_model(backend.environment())


def project_folder(given: Path | None) -> Path:
    """The folder to work on. Raises :class:`ProjectRefused` when there is no such folder."""
    if given is None:
        from activities.workspaces.layout import current_folder, find_project

        return find_project(current_folder())
    if not given.is_dir():
        raise ProjectRefused(f"--project {given} is not a folder", hint="Name the folder to work on.")
    return given.resolve()


def pairs(texts: list[str]) -> dict[str, str]:
    """``name=value`` texts as a mapping. Raises :class:`InvalidInput` for one without ``=``, or given twice."""
    values: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InvalidInput(f"--input {text!r} is not NAME=VALUE")
        if name in values:
            raise InvalidInput(f"--input {name} is given twice")
        values[name] = value
    return values


def _start(request: StartRequest, manner: Manner) -> ExitCode:
    stack = backend.stack()
    orchestrator = stack.connect()
    return backend.run(carry_out(stack, orchestrator, lambda engine, new: engine.start(request, new), manner))


def _start_options(dry_run: bool, no_apply: bool, model: str | None, approve_plan: bool) -> StartOptions:
    return StartOptions(dry_run=dry_run, apply=not no_apply, model=model, approval="plan" if approve_plan else None)


def _read_plan(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidInput(f"the plan {path} cannot be read: {reason}", hint="--plan takes a Markdown file.") from error
