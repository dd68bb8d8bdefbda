"""Sending webhooks: where to, under which signature, and what comes of it."""
