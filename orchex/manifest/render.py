"""Inputs given at the start, checked against their types and put in the place of their references."""

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError

from orchex.domain.errors import InvalidInput
from orchex.domain.manifest import (
    LARGEST_NUMBER,
    BooleanInput,
    EnumInput,
    Input,
    Manifest,
    NumberInput,
    StringInput,
)
from orchex.manifest.messages import closest, show, show_path
from orchex.manifest.references import references, rewrite, substitute, texts

_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,32})?(?:[eE][-+]?[0-9]{1,2})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
MAX_VALUE = 10_000
"""Characters of one value."""


def render(manifest: Manifest, inputs: Mapping[str, str]) -> Manifest:
    """``manifest`` with every ``${{ inputs.name }}`` replaced, and no inputs left.

    ``inputs`` are texts as they come from a command line: a number as in JSON, a boolean as ``true`` or ``false``. A
    value is put into plans and commands as it is, unquoted. Raises InvalidInput that names all that is wrong.
    """
    data = manifest.model_dump(mode="json", by_alias=False)
    used = {name for _, text in texts(data) for _, name in references(text) if name is not None}
    problems = [*_unknown(manifest.inputs, inputs), *_wrong(manifest.inputs, inputs)]
    values = _values(manifest.inputs, inputs)
    for name, declared in manifest.inputs.items():
        if name not in values and (name in used or declared.required):
            problems.append(f"inputs.{name}: has no value and no default: give one with --input {name}=…")
    if problems:
        raise InvalidInput("\n".join(problems))
    rendered = rewrite(data, lambda text: substitute(text, values))
    try:
        return Manifest.model_validate({**rendered, "inputs": {}})
    except ValidationError as error:
        places = ", ".join(show_path(detail["loc"]) for detail in error.errors(include_url=False))
        raise InvalidInput(f"with these inputs, the manifest is not valid at {places}") from error


def _values(declared: Mapping[str, Input], given: Mapping[str, str]) -> dict[str, str]:
    defaults = {name: _written(entry.default) for name, entry in declared.items() if entry.default is not None}
    return {**defaults, **given}


def _written(default: str | float | bool) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, float):
        return str(int(default)) if default.is_integer() else repr(default)
    return default


def _unknown(declared: Mapping[str, Input], given: Mapping[str, str]) -> Iterator[str]:
    for name in given:
        if name not in declared:
            near = closest(name, declared)
            end = f'; did you mean "{near}"?' if near else _known(declared)
            yield f"inputs: the manifest has no input {show(name)}{end}"


def _known(declared: Iterable[str]) -> str:
    names = ", ".join(declared)
    return f"; its inputs are {names}" if names else "; it has no inputs"


def _wrong(declared: Mapping[str, Input], given: Mapping[str, str]) -> Iterator[str]:
    for name in declared.keys() & given.keys():
        if expected := _expected(declared[name], given[name]):
            yield f"inputs.{name}: must be {expected}, not {show(given[name])}"


def _expected(declared: Input, value: str) -> str:
    """What ``value`` should have been; nothing when it is right."""
    match declared:
        case NumberInput() if not (_NUMBER.fullmatch(value) and abs(float(value)) <= LARGEST_NUMBER):
            return "a number"
        case BooleanInput() if value not in ("true", "false"):
            return "true or false"
        case EnumInput() if value not in declared.values:
            return f"one of {', '.join(declared.values)}"
        case StringInput() if len(value) > MAX_VALUE or _CONTROL.search(value):
            return f"text of at most {MAX_VALUE} characters, without control characters"
    return ""
