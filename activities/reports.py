"""How commands and edits read in a report: short enough for a history, long enough to act on."""

import re
import signal

from activities.commands.spec import CommandOutcome
from orchex.domain.execution import Failure

SHOWN_CHARACTERS = 4_000
"""What a report holds of an output; the whole of it is the step's log."""
READ_CHARACTERS = 16_000
"""What a model is shown of the output of a command that failed."""

NAMED_CHARACTERS = 300
"""Of a note or a path that is part of a history: a path may have thousands."""

_NOTHING_RAN = re.compile(r"^(Ran 0 tests in |no tests ran|collected 0 items|No tests found)", re.MULTILINE)


def shown(text: str) -> str:
    """Head and tail of ``text``; the tail gets more, since that is where things go wrong."""
    return _head_and_tail(text, SHOWN_CHARACTERS)


def for_a_model(text: str) -> str:
    """As ``shown``, and longer: whoever mends a failure needs to see it."""
    return _head_and_tail(text, READ_CHARACTERS)


def brief(text: str) -> str:
    """Beginning and end of a note or a path: of a path, its end tells most."""
    half = NAMED_CHARACTERS // 2
    return text if len(text) <= NAMED_CHARACTERS else f"{text[:half]}…{text[-half:]}"


def _head_and_tail(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head, tail = most // 4, most * 3 // 4
    left_out = len(text) - head - tail
    return f"{text[:head]}\n… {left_out:,} characters left out …\n{text[-tail:]}"


def ran_nothing(output: str) -> bool:
    """True for a test run that succeeded because there was nothing to run."""
    return _NOTHING_RAN.search(output) is not None


def command_failure(title: str, outcome: CommandOutcome) -> Failure:
    if outcome.timed_out:
        how = f"ran into its time limit after {outcome.duration_ms / 1000:.1f} s and was ended with all its processes"
    elif outcome.signal is not None:
        how = f"was ended by {signal.Signals(outcome.signal).name}"
    else:
        how = f"failed with exit code {outcome.exit_code}"
    return Failure(code="command_failed", message=f"{title!r} {how}")
