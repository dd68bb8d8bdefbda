import unittest

from climate import celsius, fahrenheit


class Temperatures(unittest.TestCase):
    def test_water_boils(self) -> None:
        self.assertEqual(fahrenheit(100), 212)

    def test_there_and_back(self) -> None:
        self.assertAlmostEqual(celsius(fahrenheit(21.5)), 21.5)
