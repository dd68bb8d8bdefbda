"""How a value looks when a program writes it down in another form."""

import json
import os
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote_from_bytes


def spellings(value: str) -> Iterator[str]:
    """``value`` itself; in JSON, in an address, in hexadecimal; and in base64, wherever it lies in what is encoded."""
    data = os.fsencode(value)
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote_from_bytes(data, safe="")
    yield quote_from_bytes(data, safe=" ").replace(" ", "+")
    yield quote_from_bytes(data)
    yield data.hex()
    yield data.hex().upper()
    for ahead in range(3):
        first = -(-ahead * 8 // 6)  # the characters that hold nothing of a neighbour's bits
        end = (ahead + len(data)) * 8 // 6
        yield b64encode(bytes(ahead) + data)[first:end].decode()
        yield urlsafe_b64encode(bytes(ahead) + data)[first:end].decode()
