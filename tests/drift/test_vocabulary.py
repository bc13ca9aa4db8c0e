from __future__ import annotations

from ratchet.drift.vocabulary import count_terms


def test_terms_are_counted_once_a_text_and_rare_ones_together() -> None:
    found = count_terms(["a a b", "a c", "d e"], most=2)
    assert found.names == ("a", "b")
    assert found.counts.toarray().tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 2]]
    assert count_terms([], most=5).counts.shape == (0, 1)


def test_ties_go_by_spelling_and_a_lone_character_is_not_every_character() -> None:
    found = count_terms(["很好 z", "很好 y"], most=3)
    assert found.names == ("很好", "y", "z")  # neither 很 nor 好 is a term of its own
    assert found.counts.toarray().tolist() == [[1, 0, 1, 0], [1, 1, 0, 0]]
