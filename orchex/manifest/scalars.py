"""Plain scalars by the core schema of YAML 1.2: what editors read, so ``yes`` is a text and 2026-02-05 is no date."""

import re

MAX_DIGITS = 64
"""Longer numbers are refused before Python would convert them."""

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

Scalar = str | int | float | bool | None


class NumberTooLong(ValueError):
    """A number of more than ``MAX_DIGITS`` characters."""


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises :class:`NumberTooLong`."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    return _number(text)


def _number(text: str) -> str | int | float:
    integer, based = _INTEGER.fullmatch(text), _BASED.fullmatch(text)
    if not (integer or based or _FLOAT.fullmatch(text)):
        return float(text.replace(".", "")) if _SPECIAL.fullmatch(text) else text
    if len(text) > MAX_DIGITS:
        raise NumberTooLong
    if based:
        return int(text, 0)
    return int(text) if integer else float(text)
