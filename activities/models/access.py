"""Where a model is reached and with what key: read from the environment of whoever started the execution."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from activities.commands.environment import SHORTEST_SECRET
from activities.commands.redaction import redact
from orchex.domain.errors import ModelUnavailable

CLAUDE_URL = "https://api.anthropic.com"
KEY, TOKEN, BASE_URL = "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"
HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
"""Lines of ``Name: value``, as Anthropic's own clients read them: what gateways want beside or instead of a key."""

THREE_WAYS = """\
There are three ways on:
  1. model: runbook, with a plan whose fenced blocks are the actions: no model, no key, offline
  2. a key in ANTHROPIC_API_KEY, for Claude
  3. a server that speaks the Messages API, named by ANTHROPIC_BASE_URL, such as http://127.0.0.1:8080: \
llama.cpp, vLLM, Ollama, LM Studio, a gateway"""

_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
_HEADER = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([\x20-\x7e]*?)\s*")


@dataclass(frozen=True)
class Access:
    """A server and what opens it. ``key`` or ``token`` may be missing; a ``repr`` shows none of it, nor the address.

    ``custom``: the server is one that the user named, which may know less than Anthropic's own.
    """

    base_url: str = field(repr=False)
    custom: bool
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """The server's address, fit to be told: a password in it is left out."""
        return redact(self.base_url)

    @property
    def keyed(self) -> bool:
        return bool(self.key or self.token)

    @property
    def secrets(self) -> tuple[str, ...]:
        headers = (value for _, value in self.headers if len(value) >= SHORTEST_SECRET)
        return tuple(secret for secret in (self.key, self.token, *headers) if secret)

    @property
    def key_name(self) -> str:
        """The variable that holds what opened, or should have opened, the server."""
        return TOKEN if self.token and not self.key else KEY


def read_access(environ: Mapping[str, str]) -> Access | None:
    """What the environment says; None when it has neither a key nor a base URL. Raises ModelUnavailable.

    As in Anthropic's own clients, a key comes before a token.
    """
    key, token, headers = _secret(environ, KEY), _secret(environ, TOKEN), _headers(environ.get(HEADERS, ""))
    url = environ.get(BASE_URL, "").strip()
    if not url:
        return Access(CLAUDE_URL, False, key, None if key else token, headers) if key or token else None
    base_url = _base_url(url)
    return Access(base_url, base_url != CLAUDE_URL, key, None if key else token, headers)


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "").strip()
    if value and not _HEADER_VALUE.fullmatch(value):
        raise ModelUnavailable(
            f"{name} holds spaces, line ends or other characters that no key has",
            hint=f"Set {name} to the key alone.",
        )
    return value or None


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for line in filter(str.strip, text.split("\n")):
        header = _HEADER.fullmatch(line)
        if header is None:
            raise ModelUnavailable(
                f"{HEADERS} holds a line that is no header", hint=f"Write {HEADERS} as lines of Name: value."
            )
        found.append((header[1], header[2]))
    return tuple(found)


def _base_url(url: str) -> str:
    """``url`` without what the client adds itself: a slash or ``/v1`` at the end."""
    wrong = ModelUnavailable(
        f"{BASE_URL} is not the address of a server: it must look like http://127.0.0.1:8080",
        hint=f"Correct {BASE_URL}, or unset it to reach Claude at {CLAUDE_URL}.",
    )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        raise wrong from None
    if not usable or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", url):
        raise wrong
    return url.rstrip("/").removesuffix("/v1").rstrip("/")
