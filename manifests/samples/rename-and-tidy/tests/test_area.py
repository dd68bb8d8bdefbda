import unittest
from pathlib import Path

import shapes.area


class Area(unittest.TestCase):
    def test_a_square(self) -> None:
        self.assertEqual(shapes.area.square(3), 9)

    def test_no_module_is_called_utils(self) -> None:
        names = [path.name for path in Path(shapes.__path__[0]).glob("*utils*.py")]
        self.assertEqual(names, [])
