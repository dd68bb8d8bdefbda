"""An ``Orchestrator`` that is somewhere else: a server of the API, through the SDK."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Literal, NoReturn, cast

from pydantic import ValidationError

from orchex.client.aio.client import AsyncOrchexClient
from orchex.client.errors import (
    ApiError,
    AuthenticationError,
    ClientError,
    ConflictError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from orchex.client.models import Event, ExecutionDocument, Options
from orchex.domain.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    NotFound,
    OrchexError,
    PaymentRequired,
    ServerUnreachable,
    StackError,
    TooMany,
)
from orchex.domain.event import EventDocument, EventType, JournalEntry
from orchex.domain.execution import Execution, ExecutionList, Status
from orchex.domain.manifest import Context, Manifest, Stream
from orchex.domain.start import StartRequest, unusable

if TYPE_CHECKING:
    from activities.messages import Landed

_KNOWN = frozenset(EventType)


class RemoteOrchestrator:
    """Raises what an engine raises, and :class:`ServerUnreachable` where there is no server that answers as one.

    Of a request, ``environ`` stays here: commands on a server get the server's environment. ``project`` is the name of
    one that the server knows; its default one when empty.
    """

    def __init__(self, client: AsyncOrchexClient) -> None:
        self._client = client
        self._reached = False

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str:
        """The server chooses the id. ``execution_id`` is the key by which it knows the request when it comes again."""
        options = request.options.model_dump(exclude_none=True)
        manifest = request.manifest or (_runbook(request) if request.plan is not None else None)
        with self._translated():
            started = await self._client.execute(
                None if manifest else request.task,
                files=() if manifest else request.files,
                manifest=manifest_text(manifest) if manifest else None,
                streams=request.streams,
                environment=request.environment,
                project=request.project or None,
                options=cast("Options", options),
                idempotency_key=execution_id,
            )
        return started.id

    async def resume(self, execution_id: str, environ: dict[str, str], new_id: str | None = None) -> str:
        """``environ`` and ``new_id`` as in :meth:`start`."""
        with self._translated():
            return (await self._client.executions.resume(execution_id, idempotency_key=new_id)).id

    async def land(self, execution_id: str, direction: Literal["apply", "undo"]) -> "Landed":
        turn = "" if direction == "apply" else " -R"
        self._refuse(direction, f"Here, `orchex diff {execution_id} | git apply{turn}` does the same to your own tree.")

    async def get(self, execution_id: str) -> Execution:
        with self._translated():
            return _execution(await self._client.executions.document(execution_id))

    async def page(self, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()) -> ExecutionList:
        with self._translated():
            page = await self._client.executions.page(limit=limit, before=before, status=statuses)
            data = tuple(_execution(document) for document in page.data)
        return ExecutionList(data=data, has_more=page.has_more, next_cursor=page.next_cursor)

    async def latest(self) -> str:
        """Raises :class:`NotFound` when there is none."""
        page = await self.page(limit=1)
        if not page.data:
            raise NotFound(f"there is no execution yet at {self._client.base_url}")
        return page.data[0].id

    async def patch(self, execution_id: str) -> bytes:
        with self._translated():
            return await self._client.executions.patch(execution_id)

    async def artifact(self, execution_id: str, name: str) -> bytes:
        with self._translated():
            return await self._client.executions.artifact(execution_id, name)

    async def events(self, execution_id: str, after: int = 0) -> list[JournalEntry]:
        return [entry async for entry in self._entries(execution_id, after, follow=False)]

    def watch(self, execution_id: str, after: int = 0) -> AsyncIterator[JournalEntry]:
        """Puts up with a server that restarts."""
        return self._entries(execution_id, after, follow=True)

    async def cancel(self, execution_id: str, reason: str = "") -> Execution:
        with self._translated():
            return _execution((await self._client.executions.cancel(execution_id, reason=reason)).document)

    async def decide(
        self, execution_id: str, *, approved: bool, reason: str = "", plan_hash: str | None = None
    ) -> Execution:
        executions = self._client.executions
        with self._translated():
            decide = executions.approve if approved else executions.reject
            return _execution((await decide(execution_id, plan_hash=plan_hash, reason=reason)).document)

    async def _entries(self, execution_id: str, after: int, *, follow: bool) -> AsyncIterator[JournalEntry]:
        with self._translated():
            async with aclosing(self._client.executions.events(execution_id, after=after, follow=follow)) as events:
                async for event in events:
                    if event.type in _KNOWN:  # a newer server may tell more than this command can show
                        yield _entry(event)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What the SDK raises, as what an engine raises.

        A server that was there and is gone is a :class:`StackError`: it may come back, as a stack's worker does.
        """
        try:
            yield
        except ClientError as error:
            ours = _error(error)
            if self._reached and isinstance(ours, ServerUnreachable):
                ours = StackError(error.message, hint=error.hint)
            self._reached = self._reached or isinstance(error, ApiError)
            raise ours from error
        self._reached = True

    def _refuse(self, verb: str, hint: str) -> NoReturn:
        raise InvalidInput(f"the server at {self._client.base_url} has no `{verb}`", hint=hint)


def _execution(document: ExecutionDocument) -> Execution:
    plain = document.model_dump() | {"project": document.project or ""}
    try:
        return Execution.model_validate(plain)
    except ValidationError as error:
        missing = ", ".join(str(detail["loc"][0]) for detail in error.errors(include_url=False))
        raise ServerUnreachable(f"the server's answer about {document.id} lacks {missing}") from error


def _entry(event: Event) -> JournalEntry:
    moment = {"at": event.at, "timestamp": event.at}
    names = event.model_dump(include={"id", "sequence", "type", "execution_id", "data"})
    return EventDocument(event=event.type, **moment, **names).entry()


def manifest_text(manifest: Manifest) -> str:
    """As YAML that says the same: what is as by default is left out, so that an older server reads it too."""
    import yaml

    plain = manifest.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return str(yaml.safe_dump(plain, sort_keys=False))


def _runbook(request: StartRequest) -> Manifest:
    """A task with a plan of its own: the API takes a plan in a manifest alone. Raises :class:`InvalidInput`."""
    task = request.task or ""
    try:
        stream = Stream(description=task, plan=request.plan or "", context=Context(files=request.files))
        return Manifest(name="task", version="1.0.0", description=task, streams={"task": stream})
    except ValidationError as error:
        raise unusable(request, error) from error


def _error(error: ClientError) -> OrchexError:
    message, hint = error.message, error.hint
    match error:
        case AuthenticationError():
            return AccessDenied(message, hint="Look at ORCHEX_API_KEY: it may be wrong, expired or revoked.")
        case PermissionDeniedError():
            return AccessDenied(message, hint=hint)
        case PaymentRequiredError():
            return PaymentRequired(message, hint=hint)
        case RateLimitError():
            return TooMany(message, retry_after=error.retry_after or 0.0, hint=hint)
        case NotFoundError():
            return NotFound(message, hint=hint)
        case ConflictError():
            return Conflict(message, hint=hint)
        case ApiError() if not isinstance(error, ServerError):
            return InvalidInput(message, hint=hint)
    return ServerUnreachable(message, hint=hint)
