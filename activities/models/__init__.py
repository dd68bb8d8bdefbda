"""Who plans and takes turns: a runbook today."""
