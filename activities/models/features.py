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
    STREAMING = "streaming"


_SIGNS = {
    # Only to be marked is a system text sent in a block.
    Feature.CACHING: re.compile(r"cache_control|\bsystem\b.{0,80}\bstring\b"),
    Feature.STRICT_TOOLS: re.compile(
        r"\bstrict\b|(schema|grammar).{0,40}too (complex|large|many)|too many.{0,20}strict"
    ),
    Feature.OUTPUT_SCHEMA: re.compile(r"output_config|output_format|structured.outputs?"),
    # That a thought was altered on its way is our fault, and not to be hidden by thinking no more.
    Feature.THINKING: re.compile(r"^(?!.*(signature|modif)).*(thinking|adaptive)", re.DOTALL),
    # That a stream broke off is no complaint about streams.
    Feature.STREAMING: re.compile(
        r"\bstream(s|ed|ing)?\b.{0,40}\b(not|unsupported|disabled|unavailable|false)\b"
        r"|(support|implement|allow|permit|unknown|unexpected|invalid|extra)\w*\W.{0,40}\bstream(s|ed|ing)?\b",
        re.DOTALL,
    ),
}
_VAGUE = re.compile(
    r"^(?!.*(signature|messages?\W{1,3}\d)).*(bad request"
    r"|(invalid|malformed|unprocessable) (request|body|json|param|arg|ent)"
    r"|unknown|unexpected|unsupported|not supported|unrecogni[sz]ed|extra |additional propert|validation error)",
    re.DOTALL,
)
_DOUBTED = (Feature.THINKING, Feature.STRICT_TOOLS, Feature.OUTPUT_SCHEMA, Feature.CACHING, Feature.STREAMING)
"""What a server is likely not to know, the likeliest first."""

_lacking: dict[tuple[str, str], frozenset[Feature]] = {}


def lacking(access: Access, model: str) -> frozenset[Feature]:
    """What ``model`` at that server has refused so far in this process."""
    return _lacking.get((access.base_url, model), frozenset())


def refused_feature(message: str, used: frozenset[Feature]) -> Feature | None:
    """The feature among ``used`` that a server's complaint names."""
    text = message.lower()
    return next((feature for feature, sign in _SIGNS.items() if feature in used and sign.search(text)), None)


def doubted_feature(message: str, used: frozenset[Feature]) -> Feature | None:
    """The likeliest among ``used`` when a complaint is of something unknown, and does not say of what."""
    if not _VAGUE.search(message.lower()):
        return None
    return next((feature for feature in _DOUBTED if feature in used), None)


def go_without(access: Access, model: str, feature: Feature) -> None:
    """Remember it, and say so once."""
    log.warning("%s at %s does not take %s: going on without", model, access.shown, feature)
    _lacking[access.base_url, model] = lacking(access, model) | {feature}


def forget_features() -> None:
    """Start over, as a new process would."""
    _lacking.clear()
