"""What turns cost. Prices are data with dates; an unknown model's cost is unknown, never nothing."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchex.domain.errors import InvalidInput
from orchex.domain.turn import TokenUsage

VARIABLE = "ORCHEX_PRICES"
BUILT_IN = Path(__file__).with_name("prices.yaml")
_MILLION = Decimal(1_000_000)
_SNAPSHOT = re.compile(r"[-@](latest|\d{8})$")
_MAX_FILE = 1024 * 1024

Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""US dollars for a million tokens."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(_Part):
    """Prices for prompts of more than ``above`` tokens."""

    above: int = Field(ge=0)
    input: Dollars
    output: Dollars


class Price(_Part):
    """A model's price from the day ``since`` on. ``cache_read`` and ``cache_write`` are factors on ``input``.

    ``cache_write`` is that of entries that live five minutes, the only ones Orchex asks for.
    """

    since: date | None = Field(default=None, alias="from")
    input: Dollars
    output: Dollars
    cache_read: Dollars = Decimal("0.1")
    cache_write: Dollars = Decimal("1.25")
    tiers: tuple[Tier, ...] = ()
    seen: date | None = None
    source: str = ""

    def cost(self, usage: TokenUsage) -> float:
        """What one turn cost, in US dollars. Not for sums over turns: each prompt's length decides its tier."""
        prompt = usage.input + usage.cache_read + usage.cache_write
        tier = max((tier for tier in self.tiers if prompt > tier.above), key=lambda tier: tier.above, default=self)
        read = usage.input + usage.cache_read * self.cache_read + usage.cache_write * self.cache_write
        return float((read * tier.input + usage.output * tier.output) / _MILLION)


class _File(_Part):
    version: Literal[1]
    models: dict[str, tuple[Price, ...]]

    @model_validator(mode="after")
    def _in_order(self) -> "_File":
        for model, prices in self.models.items():
            days = [price.since or date.min for price in prices]
            if not days or sorted(set(days)) != days:
                raise ValueError(f"{model}: its prices must be in the order of their `from`, each with one of its own")
        return self


class PriceList:
    """The prices of all models that are known."""

    def __init__(self, models: Mapping[str, tuple[Price, ...]]) -> None:
        self._models = dict(models)

    def price_of(self, model: str, at: datetime) -> Price | None:
        """The price in force ``at`` a moment; a dated name such as ``claude-opus-5-5-20261001`` has its family's.

        None for a model that is not listed, or not yet listed then.
        """
        prices = self._models.get(model) or self._models.get(_SNAPSHOT.sub("", model), ())
        day = at.astimezone(UTC).date()
        return next((price for price in reversed(prices) if price.since is None or price.since <= day), None)


def read_prices(own: Path | None = None) -> PriceList:
    """The built-in prices, under those of the file ``own`` (ORCHEX_PRICES). Raises InvalidInput for a bad file."""
    models = _read(BUILT_IN)
    return PriceList(models if own is None else models | _read(own))


def prices_of(environ: Mapping[str, str], otherwise: PriceList) -> PriceList:
    """Those of the file that whoever started an execution named, as it is now. Raises InvalidInput for a bad file."""
    name = environ.get(VARIABLE, "").strip()
    if not name or not Path(name).is_absolute():
        return otherwise
    try:
        found = Path(name).stat()
    except OSError as error:
        raise _bad(Path(name), error.strerror or str(error)) from None
    return _read_once(Path(name), found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8)
def _read_once(own: Path, _mtime: int, _size: int) -> PriceList:
    """The prices under a file as it was when it had this age and size."""
    return read_prices(own)


def _read(path: Path) -> dict[str, tuple[Price, ...]]:
    import yaml

    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE + 1)
        if len(raw) > _MAX_FILE:
            raise _bad(path, f"it is larger than {_MAX_FILE} bytes")
        return _File.model_validate(yaml.safe_load(raw)).models
    except OSError as error:
        raise _bad(path, error.strerror or str(error)) from None
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in error.errors()[:5])
        raise _bad(path, "; ".join(faults)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _bad(path, " ".join(str(error).split())) from None


def _bad(path: Path, reason: str) -> InvalidInput:
    return InvalidInput(
        f"the prices in {path} cannot be used: {reason}",
        hint=f"Correct the file, or unset {VARIABLE}. {BUILT_IN} shows the form.",
    )
