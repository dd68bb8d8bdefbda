"""The embedded stack: one supervisor per home that runs a Temporal dev server and a worker.

What others use: ``client`` (start, find and stop a stack), ``foreground`` (``orchex up``), and on the
worker's side ``endpoint.inherited_endpoint`` and ``activity.mark_busy``. Modules that the supervisor
imports keep to the standard library, so that a stack is up quickly.
"""
