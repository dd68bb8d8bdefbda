# Generated from orchex/client/aio/__init__.py by `python -m tests.client.generate_sync`. Edit that one.

"""The synchronous client, generated."""
