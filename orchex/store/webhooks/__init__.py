"""Webhooks in the store: endpoints, what is queued for them with the journal, and how far it has come."""
