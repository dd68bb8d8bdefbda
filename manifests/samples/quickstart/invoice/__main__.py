"""``python3 -m invoice ORDER.json`` prints the invoice of an order."""

import json
import sys
from decimal import Decimal
from pathlib import Path

from invoice.pricing import Line, total


def main(path: str) -> None:
    order = json.loads(Path(path).read_text(encoding="utf-8"))
    lines = [Line(entry["item"], entry["quantity"], Decimal(entry["price"])) for entry in order["lines"]]
    discount, tax = Decimal(order["discount"]), Decimal(order["tax"])
    for line in lines:
        print(f"{line.quantity:3} × {line.item:<20}{line.amount:>10}")
    print(f"      {'discount':<20}{-discount:>10}")
    print(f"      {'to pay':<20}{total(lines, discount, tax):>10}")


if __name__ == "__main__":
    main(sys.argv[1])
