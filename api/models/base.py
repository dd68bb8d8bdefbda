"""The base of request bodies: camelCase, strict, and nothing that was not asked for."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel


class Input(BaseModel):
    """Unknown members, ``1`` for ``true`` and ``"1"`` for ``1`` are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character, which PostgreSQL cannot keep")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character: a lone surrogate") from None
    return text


def shown(pattern: str) -> dict[str, JsonValue]:
    """For a ``Text`` with a pattern, which the JSON Schema would not show otherwise: ``json_schema_extra=shown(…)``."""
    return {"pattern": pattern}


Text = Annotated[str, AfterValidator(_storable), Field(json_schema_extra=shown("^[^\\u0000]*$"))]
"""A string that every database can keep."""


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.*")


def _time(value: object) -> object:
    if not isinstance(value, str) or not _TIME.fullmatch(value):  # a number would be taken for seconds since 1970
        raise ValueError("is not a time as in RFC 3339, such as 2026-02-05T10:00:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # in the year 1 or 9999, off Greenwich
        raise ValueError("is beyond what a calendar holds") from None


Time = Annotated[AwareDatetime, BeforeValidator(_time), Field(strict=False), AfterValidator(_in_utc)]
"""A moment, given as text with its offset, taken in UTC."""


def _digits(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):  # " 1", "1_0" and "1.0" would be taken
        raise ValueError("is not a whole number in digits")
    return value


Digits = BeforeValidator(_digits)
"""Of a number in an address: ``Annotated[int, …, Digits]``, last, or its bounds would be in no schema."""
