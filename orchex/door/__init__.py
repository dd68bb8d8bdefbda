"""The embedded stack's door: its ``Engine``, over a unix socket, for clients that must be light to start."""
