"""Who takes the turns: a runbook, a server that speaks the Messages API, or a recording of one."""
