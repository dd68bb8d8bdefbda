"""The one door to Temporal and the store, for every front end."""

from orchex.engine.engine import Engine

__all__ = ["Engine"]
