"""Which keys may stand where, read off the models."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from orchex.domain.manifest import (
    BooleanInput,
    Command,
    Constraints,
    Context,
    EnumInput,
    Manifest,
    NumberInput,
    Stream,
    StringInput,
)
from orchex.manifest.nodes import Path

_INPUTS: dict[Any, type[BaseModel]] = {
    "number": NumberInput,
    "boolean": BooleanInput,
    "enum": EnumInput,
}
_PARTS: dict[str, type[BaseModel]] = {"context": Context, "constraints": Constraints, "commands": Command}


@cache
def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


def known_keys(path: Path, kind: Any = None) -> tuple[str, ...]:
    """The keys of the mapping at ``path``, which is one of a manifest; ``kind`` is the ``type`` of an input."""
    if not path:
        return keys_of(Manifest)
    if path[0] == "inputs":
        return keys_of(_INPUTS.get(kind, StringInput))
    return keys_of(Stream) if len(path) == 2 else keys_of(_PARTS[str(path[2])])
