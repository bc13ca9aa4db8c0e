"""Labels that their texts give away."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from ratchet.checks.giveaway import check as giveaway


def test_a_label_that_its_texts_give_away(table: Any, found: Any) -> None:
    rng = random.Random(0)
    words = ["the", "room", "was", "very", "clean", "and", "breakfast", "nice", "but", "small", "noisy", "far"]
    texts = [" ".join(rng.sample(words, 5)) for _ in range(80)]
    named = [f"[spam] {text}" for text in texts[:40]]
    finding = found(giveaway, table({"text": named + texts[40:], "label": ["spam"] * 40 + ["ham"] * 40}))
    assert finding["leaks.label_in_text"].severity == "warning"
    assert "'spam' in 100.0 % of 'spam' and 0.0 % of the others" in finding["leaks.label_in_text"].message
    marked = [f"{text} zzz" for text in texts[:40]]
    finding = found(giveaway, table({"text": marked + texts[40:], "label": ["x"] * 40 + ["y"] * 40}))
    assert "'zzz' in 100.0 % of 'x'" in finding["leaks.label_in_text"].message
    assert not found(giveaway, table({"text": texts, "label": ["x"] * 40 + ["y"] * 40}))


def test_underscores_in_names_are_spaces(table: Any, found: Any) -> None:
    texts = [f"my lost card number {i}" for i in range(30)] + [f"please top up {i}" for i in range(30)]
    data = table({"text": texts, "label": ["lost_card"] * 30 + ["other"] * 30})
    finding = found(giveaway, data)["leaks.label_in_text"]
    assert "'lost card' in 100.0 % of 'lost_card'" in finding.message
    assert np.isclose(finding.share or 0, 1.0)
