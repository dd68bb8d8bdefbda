"""Where the commands of a stream leave what they say, until the stream is closed: ``<step>-<command>.log``.

A log grows line by line, redacted, while its command runs. Steps and commands are counted from one.
"""

from pathlib import Path


def execution_logs(home: Path, execution_id: str) -> Path:
    return home / "logs" / "executions" / execution_id


def step_logs(home: Path, execution_id: str, stream_id: str) -> Path:
    return execution_logs(home, execution_id) / stream_id


def log_name(step: int, command: int) -> str:
    """``step`` as events count it, from zero; ``command`` from one."""
    return f"{step + 1:03d}-{command}.log"


def log_pattern(step: int) -> str:
    """What the names of all logs of a step match."""
    return f"{step + 1:03d}-*.log"
