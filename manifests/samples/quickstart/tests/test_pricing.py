import unittest
from decimal import Decimal

from invoice.pricing import Line, total

LAMPS = [Line("Desk lamp", 2, Decimal("50.00"))]


class Pricing(unittest.TestCase):
    def test_tax_is_added_to_the_price(self) -> None:
        self.assertEqual(total(LAMPS, Decimal("0"), Decimal("0.20")), Decimal("120.00"))

    def test_tax_is_owed_on_the_discounted_price(self) -> None:
        self.assertEqual(total(LAMPS, Decimal("10.00"), Decimal("0.20")), Decimal("108.00"))
