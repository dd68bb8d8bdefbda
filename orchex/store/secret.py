"""The server's own secret: what API keys are hashed with, and stored answers sealed with."""

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchex.domain.errors import StorageError

FILE = "secret-key"
_NONCE_BYTES = 12


class Secret:
    """Keys of their own for each purpose are derived from ``key``."""

    def __init__(self, key: str) -> None:
        self._digests = _derived(key, "api keys")
        self._answers = AESGCM(_derived(key, "stored answers"))

    def digest(self, text: str) -> str:
        """HMAC-SHA256 in hex: what is kept of an API key."""
        return hmac.new(self._digests, text.encode(), hashlib.sha256).hexdigest()

    def seal(self, text: str) -> str:
        """AES-256-GCM under a fresh nonce, in base64."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._answers.encrypt(nonce, text.encode(), None)).decode()

    def unseal(self, sealed: str) -> str:
        """Raises :class:`StorageError` when it was sealed with another key."""
        content = base64.b64decode(sealed)
        try:
            return self._answers.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], None).decode()
        except InvalidTag:
            raise StorageError(
                "a stored answer was sealed with another secret key",
                hint="Give every server of this database the same ORCHEX_SECRET_KEY.",
            ) from None


def load_secret(configured: str | None, home: Path) -> Secret:
    """The configured key, or the one of this home, which is made at the first use; readable by this user only."""
    return Secret(configured or _kept(home / FILE))


def _kept(path: Path) -> str:
    try:
        with suppress(FileExistsError):
            _make(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StorageError(
            f"the server's secret key cannot be kept in {path}: {error.strerror}",
            hint="Set ORCHEX_SECRET_KEY, or point ORCHEX_HOME at a folder that this user can write.",
        ) from error


def _make(path: Path) -> None:
    """Written aside and linked into place: two processes that begin at once end up with one key, and it is whole."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    finally:
        fresh.unlink()


def _derived(key: str, purpose: str) -> bytes:
    return hmac.new(key.encode(), f"orchex {purpose}".encode(), hashlib.sha256).digest()
