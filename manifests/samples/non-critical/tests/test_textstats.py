import unittest

from textstats import most_common


class MostCommon(unittest.TestCase):
    def test_case_and_punctuation_do_not_count(self) -> None:
        self.assertEqual(most_common("The tea, the cup. The Tea!", 2), ["the", "tea"])
