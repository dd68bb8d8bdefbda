"""The one door to Temporal and the store, for every front end: ``engine.Engine``, and ``reader`` for reading alone.

Nothing is imported here: a front end that only reads must not load Temporal.
"""
