"""What a customer owes."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    item: str
    quantity: int
    price: Decimal

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.price


def total(lines: list[Line], discount: Decimal, tax: Decimal) -> Decimal:
    """The amount to pay. Tax is owed on what is left after the discount."""
    net = sum((line.amount for line in lines), Decimal())
    gross = net * (1 + tax) - discount
    return gross.quantize(CENT, ROUND_HALF_UP)
