from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchex.domain.manifest import Manifest, Stream
from orchex.door.remote import manifest_text
from orchex.manifest import parse_manifest

_PIECES = [
    "\n",
    "  ",
    "\t",
    "- ",
    ": ",
    "#",
    "'",
    '"',
    "\\",
    "~",
    "yes",
    "0x10",
    "\u2028",
    "\u0085",
    "🎉",
    "é",
    "%",
    "|",
    "\x7f",
]
_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    st.lists(st.sampled_from(_PIECES), max_size=12).map("".join),
)


@given(_TEXTS)
def test_a_plan_is_the_same_on_the_other_side_whatever_is_in_it(plan: str) -> None:
    try:
        stream = Stream(description="a stream", plan=plan, setup=("make",))
        manifest = Manifest(name="a", version="1.0.0", description="about it", streams={"one": stream})
    except ValidationError:
        return
    assert parse_manifest(manifest_text(manifest), "sent") == manifest
