"""Several texts as one, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ratchet.models import inputs
from ratchet.text.joined import SEPARATOR, joined, parted


def test_a_separator_of_their_own_becomes_a_line_break() -> None:
    assert joined(["a\u2029b", None, "c"]) == "a\nb\u2029\u2029c"
    assert joined(["a"]) == "a"
    assert joined(["", ""]).isspace()
    assert (inputs.joined, inputs.SEPARATOR) == (joined, "\u2029")


@given(st.lists(st.text(st.sampled_from("a \n\u2029\u2028好"), max_size=6) | st.none(), min_size=1, max_size=4))
def test_what_was_joined_is_parted_again(cells: list[str | None]) -> None:
    assert parted(joined(cells)) == [(cell or "").replace(SEPARATOR, "\n") for cell in cells]
