"""Says hello."""

from greeter.release import CHANNEL, VERSION


def banner() -> str:
    return f"greeter {VERSION} ({CHANNEL})"
