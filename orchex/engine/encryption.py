"""Sealing what enters Temporal: its server keeps inputs, results and histories, for whoever runs it to read."""

import os
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    EncodingPayloadConverter,
    PayloadCodec,
)

from orchex.domain.errors import StackError
from orchex.domain.ids import key_id

_ENCODING = "binary/encrypted"
_KEY_ID = "encryption-key-id"
_NONCE_BYTES = 12


def data_converter(keys: Sequence[bytes]) -> DataConverter:
    """Of 256 bits each: the first key seals, each opens. Without any, nothing is sealed, and nothing sealed is read.

    Messages and stack traces of failures are sealed as well; ids of workflows and names of types and queues are not.
    """
    if not keys:
        return _WITHOUT_KEY
    return DataConverter(
        payload_converter_class=PydanticPayloadConverter,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
        payload_codec=SealingCodec(keys),
    )


class SealingCodec(PayloadCodec):
    """AES-256-GCM under a fresh nonce over each whole payload. What entered before there was a key stays readable."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self._id, self._cipher = next(iter(self._ciphers.items()))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises :class:`StackError` for what none of the keys opens."""
        return [self._opened(payload) if _is_sealed(payload) else payload for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, payload.SerializeToString(), None)
        return Payload(metadata={"encoding": _ENCODING.encode(), _KEY_ID: self._id.encode()}, data=sealed)

    def _opened(self, payload: Payload) -> Payload:
        named = payload.metadata[_KEY_ID].decode(errors="replace")
        cipher = self._ciphers.get(named)
        if cipher is None:
            raise _unreadable(f"with the key {named}, which is not among this process's")
        try:
            return Payload.FromString(cipher.decrypt(payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:], None))
        except InvalidTag:
            raise _unreadable(f"with the key {named}, and was changed since") from None


class _NoKey(EncodingPayloadConverter):
    """Says what a payload is that cannot be read; makes none."""

    @property
    def encoding(self) -> str:
        return _ENCODING

    def to_payload(self, value: Any) -> Payload | None:
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        raise _unreadable("and this process has no key")


class _KeylessConverter(PydanticPayloadConverter):
    def __init__(self) -> None:
        super().__init__()
        self.converters = {**self.converters, _ENCODING.encode(): _NoKey()}


_WITHOUT_KEY = DataConverter(payload_converter_class=_KeylessConverter)


def _is_sealed(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == _ENCODING.encode()


def _unreadable(how: str) -> StackError:
    return StackError(
        f"what Temporal keeps of this was sealed {how}",
        hint="Give every server and worker of one Temporal namespace the same ORCHEX_ENCRYPTION_KEY.",
    )
