"""From what a front end asks for to what a workflow carries."""

from graphlib import TopologicalSorter

from pydantic import ValidationError

from orchex.domain.compiled import MAX_COMPILED_BYTES, CompiledCommand, CompiledStream
from orchex.domain.errors import InvalidInput, ProjectRefused
from orchex.domain.manifest import Context, Manifest, Stream
from orchex.domain.printing import encodable
from orchex.domain.start import StartRequest, unusable
from orchex.store.blobs import BlobStore

TASK_STREAM = "task"
"""The id of the one stream of an execution that was given as a task."""


def compile_request(request: StartRequest, blobs: BlobStore) -> tuple[CompiledStream, ...]:
    """The streams to run, each after those it needs. Raises :class:`InvalidInput`."""
    if encodable(request.project) != request.project:
        raise ProjectRefused(
            f"{request.project}: the path of a project has to be UTF-8, so that it can be stored",
            hint="Rename the folder.",
        )
    if request.manifest is not None:
        streams = chosen_streams(request.manifest, request.streams)
        model = request.manifest.model
    elif request.task is not None:
        streams, model = {TASK_STREAM: _task(request)}, None
    else:
        raise InvalidInput("there is nothing to do: neither a manifest nor a task was given")
    return tuple(_compile(name, stream, model, request, blobs) for name, stream in streams.items())


def chosen_streams(manifest: Manifest, names: tuple[str, ...]) -> dict[str, Stream]:
    """The named streams (all when none is) in the order they need each other, else as they stand in the manifest.

    Raises :class:`InvalidInput` for a name that the manifest does not have.
    """
    unknown = [name for name in names if name not in manifest.streams]
    if unknown:
        raise InvalidInput(
            f"manifest {manifest.name!r} has no stream {unknown[0]!r}",
            hint=f"Its streams: {', '.join(manifest.streams)}.",
        )
    wanted = [name for name in manifest.streams if not names or name in names]
    graph = {name: [need for need in manifest.streams[name].needs if need in wanted] for name in wanted}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=wanted.index)
        order.extend(ready)
        sorter.done(*ready)
    return {name: manifest.streams[name] for name in order}


def _task(request: StartRequest) -> Stream:
    """The one stream of a task. Raises :class:`InvalidInput` for a text that no stream may hold."""
    task = request.task or ""
    try:
        context = Context(files=request.files, **({"depth": request.depth} if request.depth else {}))
        return Stream(description=task, plan=request.plan or task, context=context)
    except ValidationError as error:
        raise unusable(request, error) from error


def _compile(name: str, stream: Stream, model: str | None, request: StartRequest, blobs: BlobStore) -> CompiledStream:
    options, limits = request.options, stream.constraints
    compiled = CompiledStream(
        id=name,
        description=stream.description,
        plan_ref=blobs.put_text(stream.plan),
        model=options.model or stream.model or model,
        files=stream.context.files,
        depth=stream.context.depth,
        setup=tuple(CompiledCommand(command=line) for line in stream.setup),
        commands=tuple(
            CompiledCommand(
                command=command.command, critical=command.critical, timeout_ms=command.timeout, retry=command.retry
            )
            for command in stream.commands
        ),
        pass_env=stream.pass_env,
        environment=stream.context.environment or request.environment,
        needs=stream.needs,
        owns=stream.owns,
        approval=options.approval or stream.approval,
        max_steps=options.max_steps or limits.max_steps,
        max_tokens=limits.max_tokens,
        max_cost_usd=float(limits.max_cost_usd) if limits.max_cost_usd is not None else None,
        timeout_ms=options.timeout or limits.timeout,
        require_tests=limits.require_tests,
    )
    size = len(compiled.model_dump_json())
    if size > MAX_COMPILED_BYTES:
        raise InvalidInput(
            f"stream {name!r} compiles to {size:,} bytes, more than the {MAX_COMPILED_BYTES:,} a workflow carries",
            hint="Shorten its commands and file lists: put long command lines into a script of the project.",
        )
    return compiled
