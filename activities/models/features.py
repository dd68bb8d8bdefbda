"""What a server turned out not to know of the Messages API, remembered for as long as the process lives."""

import logging
import re
from enum import StrEnum

from activities.models.access import Access

log = logging.getLogger(__name__)


class Feature(StrEnum):
    """A part of the API that Orchex can do without; the values name it to people."""

    STRICT_TOOLS = "strict tools"
    OUTPUT_SCHEMA = "output schemas"
    THINKING = "thinking"
    CACHING = "prompt caching"


_SIGNS = {
    Feature.CACHING: re.compile(r"cache_control"),
    Feature.STRICT_TOOLS: re.compile(
        r"\bstrict\b|(schema|grammar).{0,40}too (complex|large|many)|too many.{0,20}strict"
    ),
    Feature.OUTPUT_SCHEMA: re.compile(r"output_config|output_format|structured.outputs?"),
    # That a thought was altered on its way is our fault, and not to be hidden by thinking no more.
    Feature.THINKING: re.compile(r"^(?!.*(signature|modif)).*(thinking|adaptive)", re.DOTALL),
}

_lacking: dict[tuple[str, str], frozenset[Feature]] = {}


def lacking(access: Access, model: str) -> frozenset[Feature]:
    """What ``model`` at that server has refused so far in this process."""
    return _lacking.get((access.base_url, model), frozenset())


def refused_feature(message: str, used: frozenset[Feature]) -> Feature | None:
    """The feature among ``used`` that a server's complaint names."""
    text = message.lower()
    return next((feature for feature, sign in _SIGNS.items() if feature in used and sign.search(text)), None)


def go_without(access: Access, model: str, feature: Feature) -> None:
    """Remember it, and say so once."""
    log.warning("%s at %s does not take %s: going on without", model, access.shown, feature)
    _lacking[access.base_url, model] = lacking(access, model) | {feature}


def forget_features() -> None:
    """Start over, as a new process would."""
    _lacking.clear()
