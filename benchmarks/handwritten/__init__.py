"""The baseline: the same jobs as Temporal workflows and activities that somebody would write by hand.

They get the server, the worker options and the heartbeats that Orchex has; what they do without is exactly-once steps,
a journal, a private workspace whose commands cannot outlive it, and landing with a check for conflicts.
"""
