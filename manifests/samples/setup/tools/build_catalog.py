"""Builds the SQLite catalog from a table of books: ``build_catalog.py BOOKS.csv CATALOG.db``."""

import csv
import sqlite3
import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
target.parent.mkdir(exist_ok=True)
target.unlink(missing_ok=True)
with source.open(encoding="utf-8", newline="") as file, sqlite3.connect(target) as catalog:
    catalog.execute("CREATE TABLE book (title TEXT, author TEXT)")
    catalog.executemany("INSERT INTO book VALUES (:title, :author)", csv.DictReader(file))
