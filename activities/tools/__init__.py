"""The tools a turn may call, the same for a runbook and for a model."""
