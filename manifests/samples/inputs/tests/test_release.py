import re
import unittest
from pathlib import Path

from greeter.release import VERSION

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


class Release(unittest.TestCase):
    def test_the_newest_entry_of_the_changelog_is_the_version(self) -> None:
        newest = re.search(r"^## (\S+)$", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(newest and newest[1], VERSION)
