"""The Python SDK: ``OrchexClient`` and ``AsyncOrchexClient`` over HTTP. Import them from ``orchex``.

``aio`` is written by hand. ``sync`` is generated from it by ``python -m tests.client.generate_sync``.
"""
