"""Finds books in the catalog that ``make catalog`` builds."""

import sqlite3
from pathlib import Path

CATALOG = Path(__file__).parents[1] / "build" / "catalog.db"


def find(words: str) -> list[str]:
    """Titles that hold ``words``, as they are."""
    with sqlite3.connect(CATALOG) as catalog:
        query = "SELECT title FROM book WHERE title LIKE ? ORDER BY title"
        return [title for (title,) in catalog.execute(query, (f"%{words}%",))]
