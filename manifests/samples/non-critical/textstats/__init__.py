"""Counts words."""

from collections import Counter


def words(text):
    return text.split()


def most_common(text, count):
    """The ``count`` most frequent words."""
    return [word for word, _ in Counter(words(text)).most_common(count)]
