"""Where the installed ``orchex`` command comes in, under a name that is nobody else's.

PYTHONPATH is ahead of installed packages, and often is the repository at hand: an ``orchex.py`` there would be
imported in place of the package. This one finds the package beside itself.
"""

# The path is not safe yet, and nothing is imported that the interpreter has not loaded already: so no pathlib.
# ruff: noqa: PTH100, PTH120

import os
import sys


def main() -> None:
    """The console script ``orchex``; does not return."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, root)
    from orchex.__main__ import main as run

    sys.path.remove(root)
    run()
