import unittest

from catalog import find


class Find(unittest.TestCase):
    def test_part_of_a_title(self) -> None:
        self.assertEqual(find("march"), ["Middlemarch"])

    def test_a_percent_sign_is_a_percent_sign(self) -> None:
        self.assertEqual(find("100%"), ["100% Cotton"])
