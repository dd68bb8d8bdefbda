"""Where the server is and who asks: arguments first, then the environment."""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from orchex.domain.errors import InvalidInput

DEFAULT_URL = "https://api.orchex.dev/v1"
_KEY = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Config:
    """``base_url`` ends in ``/v1``; the key shows in no representation of it."""

    base_url: str
    api_key: SecretStr


def configure(api_key: str | None, base_url: str | None) -> Config:
    """Raises :class:`InvalidInput` when there is no key, or one of the two cannot be used."""
    return Config(
        base_url=_checked_url(base_url or os.environ.get("ORCHEX_API_URL") or DEFAULT_URL),
        api_key=_checked_key(api_key or os.environ.get("ORCHEX_API_KEY") or ""),
    )


def user_agent() -> str:
    """``orchex-python/0.1.0 python/3.11.7``."""
    try:
        own = version("orchex-durable")
    except PackageNotFoundError:
        own = "unknown"
    return f"orchex-python/{own} python/{platform.python_version()}"


def _checked_key(given: str) -> SecretStr:
    """Says nothing of the key itself, and keeps from HTTP what would be an error that shows it."""
    key = given.strip()
    if not key:
        raise InvalidInput("there is no API key", hint="Pass api_key=…, or set ORCHEX_API_KEY.")
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            "the API key holds a blank or a character that no key has", hint="Copy it again; it begins with orchex_sk_."
        )
    return SecretStr(key)


def _checked_url(given: str) -> str:
    """With or without the closing ``/v1``."""
    hint = "It looks like https://api.example.org or https://api.example.org/v1."
    try:
        url = str(httpx2.URL(given.strip()))
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")
    except (ValueError, httpx2.InvalidURL):
        raise InvalidInput("the API's address cannot be read", hint=hint) from None
    if parts.scheme not in ("http", "https") or not host or len(given.split()) > 1:
        raise InvalidInput("the API's address is not an http or https URL", hint=hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise InvalidInput("the API's address takes no user, no query and no fragment", hint=hint)
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path if path.endswith('/v1') else path + '/v1'}"
