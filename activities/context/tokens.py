"""How many tokens a text takes, guessed from its bytes.

Three bytes of UTF-8 to a token. Providers speak of about four for English prose; code and names take fewer, and
tokenizers differ, so the guess errs on the high side. Nothing is asked of a model to know it.
"""

from activities.context.pack import ContextFile, Depth
from activities.context.patterns import quoted
from orchex.domain.printing import printable

BYTES_PER_TOKEN = 3

DEFAULT_BUDGETS: dict[Depth, int] = {"minimal": 40_000, "moderate": 80_000, "comprehensive": 120_000}
"""By depth: together with the rest of a prompt they fit the 200,000 tokens that current models read at least."""

SMALLEST_BUDGET = 1000
_LABEL_BYTES = 240


def estimate(text: str | bytes | int) -> int:
    """Tokens of a text, or of so many bytes of it, rounded up."""
    size = text if isinstance(text, int) else len(text if isinstance(text, bytes) else text.encode())
    return -(-size // BYTES_PER_TOKEN)


def file_tokens(file: ContextFile, text_bytes: int) -> int:
    """What a file takes with its label and its line in the index, where control characters are written out."""
    names = 2 * len(quoted(file.path).encode()) + len(printable(file.reason).encode())
    return estimate(text_bytes + names + _LABEL_BYTES)
