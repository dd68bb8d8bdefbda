"""Names of teams, people and keys."""

import pytest

from orchex.domain.team import display_name


@pytest.mark.parametrize("name", ["Ada", " Ada ", "می\u200cخواهم", "\U0001f468\u200d\U0001f469\u200d\U0001f467"])
def test_names_of_any_language_are_taken(name: str) -> None:
    assert display_name(name) == name.strip()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00b", "a\u202eb", "a" * 81])
def test_what_could_not_be_shown_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        display_name(name)
