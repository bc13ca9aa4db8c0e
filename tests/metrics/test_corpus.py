"""BLEU and chrF of a corpus against the figures of sacreBLEU 2.6.0, default settings, for the six answers below."""

import numpy as np
import pytest

from ratchet.metrics.corpus import BLEU, CHRF, bleu, chrf

ANSWERS = (
    "the cat sat on the mat",
    "a quick brown fox",
    "he reads book",
    "short",
    "这是一个测试",
    "there is nothing in common",
)
REFERENCES = (
    "the cat sat on a mat",
    "the quick brown fox jumps over the dog",
    "he reads a book every day",
    "short one",
    "这是另一个测试",
    "completely other words stand here now",
)
WORDS = np.array(
    [
        [5, 3, 2, 1, 6, 5, 4, 3, 6, 6],
        [3, 2, 1, 0, 4, 3, 2, 1, 4, 8],
        [3, 1, 0, 0, 3, 2, 1, 0, 3, 6],
        [1, 0, 0, 0, 1, 0, 0, 0, 1, 2],
        [0, 0, 0, 0, 1, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 5, 4, 3, 2, 5, 6],
    ]
)


def characters(text: str, order: int) -> dict[str, int]:
    plain = text.replace(" ", "")
    grams = [plain[place : place + order] for place in range(len(plain) - order + 1)]
    return {gram: grams.count(gram) for gram in grams}


def character_counts() -> np.ndarray:
    rows = []
    for answer, reference in zip(ANSWERS, REFERENCES, strict=True):
        said, wanted = ([characters(text, order) for order in range(1, 7)] for text in (answer, reference))
        shared = [sum(min(a[g], b.get(g, 0)) for g in a) for a, b in zip(said, wanted, strict=True)]
        rows.append([*shared, *(sum(one.values()) for one in said), *(sum(one.values()) for one in wanted)])
    return np.array(rows)


@pytest.mark.parametrize(
    ("rows", "words", "letters"),
    [
        (slice(None), 21.471065682825085, 38.106133532250055),
        (slice(0, 1), 53.7284965911771, 72.0848317308462),
        (slice(1, 3), 19.905304276733943, 40.16208183543116),
        (slice(3, 4), 0.0, 52.5011986575036),
        (slice(5, 6), 0.0, 17.142275138027145),
    ],
)
def test_the_figures_are_those_of_sacrebleu(rows: slice, words: float, letters: float) -> None:
    assert 100 * BLEU.of(WORDS[rows]) == pytest.approx(words, abs=1e-10)
    assert 100 * CHRF.of(character_counts()[rows]) == pytest.approx(letters, abs=1e-10)


def test_nothing_said_is_worth_nothing() -> None:
    assert bleu(np.zeros(10)) == 0
    assert chrf(np.zeros(18)) == 0


def test_many_corpora_at_once() -> None:
    twice = np.stack([WORDS[:2].sum(axis=0), WORDS.sum(axis=0)]).astype(float)
    assert bleu(twice).tolist() == pytest.approx([BLEU.of(WORDS[:2]), BLEU.of(WORDS)])
