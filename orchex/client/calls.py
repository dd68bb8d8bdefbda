"""Requests and answers as plain values, before and after the network."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from orchex.client.errors import UnexpectedAnswer, api_error
from orchex.client.retries import retry_after
from orchex.domain.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
Query = Mapping[str, str | int | Sequence[str] | None]


@dataclass(frozen=True)
class Call:
    """One request; sent again, it is the same one. ``timeout`` in seconds overrides the client's."""

    method: str
    path: str
    query: Query = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None

    @property
    def content(self) -> bytes | None:
        """The body as JSON. Raises :class:`InvalidInput` for what JSON cannot say: NaN, half a character, an object."""
        if self.body is None:
            return None
        try:
            return json.dumps(self.body, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(f"the request cannot be written as JSON: {error}") from None

    @property
    def target(self) -> str:
        """Path and query; members of the query that are null are left out."""
        present = {name: value for name, value in self.query.items() if value is not None}
        return f"{self.path}?{urlencode(present, doseq=True)}" if present else self.path


@dataclass(frozen=True)
class Answer:
    """``headers`` have lower-case names."""

    call: Call
    status: int
    headers: Mapping[str, str]
    content: bytes

    def model(self, kind: type[M]) -> M:
        """The body as ``kind``. Members it does not know are ignored: an older client reads a newer server.

        Raises :class:`UnexpectedAnswer`.
        """
        try:
            return kind.model_validate_json(self.content, extra="ignore")
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in wrong["loc"])
            raise UnexpectedAnswer(
                f"the answer to {self.call.method} {self.call.path} cannot be read: {place or 'body'}: {wrong['msg']}",
                hint=f"Is it an Orchex server, of a version this client knows?{self._request()}",
                status=self.status,
            ) from None

    def raise_for_status(self) -> "Answer":
        """Itself, if it is a success. Raises :class:`ApiError`, and :class:`UnexpectedAnswer` for a redirect."""
        if 200 <= self.status < 300:
            return self
        if self.status < 400:
            raise UnexpectedAnswer(
                f"the server redirects {self.call.method} {self.call.path} elsewhere, and the key is not sent after it",
                hint="Set the address that it redirects to.",
                status=self.status,
            )
        raise api_error(
            self.status,
            _problem(self.content),
            request_id=self.headers.get("x-request-id", ""),
            retry_after=retry_after(self.headers),
        )

    def _request(self) -> str:
        request = self.headers.get("x-request-id", "")
        return f" (request {request})" if request else ""


def post(path: str, body: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None) -> Call:
    """A POST with an Idempotency-Key, so that sending it again after a lost answer does nothing twice.

    Raises :class:`InvalidInput` for a key that no header can carry.
    """
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    if not _KEY.fullmatch(key):
        raise InvalidInput("an idempotency key has 1 to 255 visible ASCII characters", hint="A UUID is one.")
    return Call("POST", path, body=body or {}, headers={"Idempotency-Key": key})


def segment(name: str) -> str:
    """``name`` as one segment of a path. Raises :class:`InvalidInput` for what would lead to another path."""
    if name in ("", ".", ".."):
        raise InvalidInput(f"{name!r} is not an id")
    return quote(name, safe="", errors="surrogateescape")


def segments(name: str) -> str:
    """``name`` as the rest of a path, its slashes kept. Raises :class:`InvalidInput` as ``segment`` does."""
    return "/".join(segment(part) for part in name.split("/"))


def _problem(content: bytes) -> dict[str, Any]:
    """The problem document; empty for anything else, such as a proxy's page."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
