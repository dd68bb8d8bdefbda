import unittest

from logbook.parse import Request, parse


class Parse(unittest.TestCase):
    def test_milliseconds(self) -> None:
        self.assertEqual(parse("GET /cart 200 35ms"), Request("GET", "/cart", 200, 35))

    def test_seconds(self) -> None:
        self.assertEqual(parse("GET /report 200 1.5s"), Request("GET", "/report", 200, 1500))
