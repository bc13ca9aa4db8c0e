from __future__ import annotations

import itertools
import random
import unicodedata

import numpy as np
import pytest
from tests.prepare.sentences import CHARACTERS, dataset, labelled, sentence

from ratchet.errors import DataError
from ratchet.near import pairs as near
from ratchet.near.copies import clusters
from ratchet.prepare.split import split
from ratchet.prepare.together import units
from ratchet.recipe.sections import SplitConfig
from ratchet.tables.dataset import Dataset


def plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def alike(one: str, other: str, *, n: int) -> float:
    """Jaccard similarity of character n-grams, by hand."""
    left, right = ({t[i : i + n] for i in range(max(len(t) - n + 1, 1))} for t in (plain(one), plain(other)))
    return len(left & right) / len(left | right)


def divided(table: Dataset, part: list[int], *, loose: float) -> list[tuple[int, int]]:
    """Pairs of rows that belong together and are in different parts, by comparing every row with every other."""
    texts, groups = table.texts, table.column("group")
    found = []
    for i, j in itertools.combinations(range(len(table)), 2):
        if part[i] != part[j] and (
            plain(texts[i]) == plain(texts[j])
            or (groups[i] is not None and groups[i] == groups[j])
            or alike(texts[i], texts[j], n=2) >= loose
            or alike(texts[i], texts[j], n=3) >= 0.7
        ):
            found.append((i, j))
    return found


TEMPLATES = (
    "尊敬的客户您好，您尾号{}的账户于今日支出人民币{}元，如非本人操作请立即致电我行客服",
    "The parcel {} was handed over to station number {} and can be picked up before eight in the evening",
)


def test_without_near_only_copies_stay_together() -> None:
    table = labelled({"a": 90, "b": 90}, copies=3)
    parts = split(table, config=SplitConfig(near=False), seed=1)
    cluster = clusters(table.texts)
    divided = [len(np.unique(parts.fold[cluster == number])) for number in np.unique(cluster)]
    assert max(divided) > 1
    copied = dataset([*table.texts, *(text + "!" for text in table.texts)], table.labels * 2)
    fold = split(copied, config=SplitConfig(near=False), seed=1).fold
    assert (fold[: len(table)] == fold[len(table) :]).all()


@pytest.mark.parametrize("kinds", [1, 2])
def test_texts_of_a_template_are_divided_by_a_finer_measure(kinds: int) -> None:
    rng = random.Random(1)
    rows = [(TEMPLATES[i % kinds].format(rng.randrange(10**4), rng.randrange(99)), "ab"[i % 2]) for i in range(200)]
    texts, labels = (list(column) for column in zip(*rows, strict=True))
    parts = split(dataset([*texts, texts[0]], [*labels, labels[0]]), config=SplitConfig(), seed=1)
    assert parts.counts["test"] == pytest.approx(30, abs=6)
    assert parts.fold[0] == parts.fold[-1], "copies stay together whatever the measure"
    note = "\n".join(parts.notes)
    assert "look as if made from a few templates" in note
    assert "near-copies of test rows are in train" in note


def test_a_label_of_one_template_is_divided_and_the_other_rows_are_not() -> None:
    rng = random.Random(2)
    promo = [TEMPLATES[0].format(rng.randrange(10**4), rng.randrange(99)) for _ in range(30)]
    base = [sentence(rng, 30) for _ in range(60)]
    edited = [text[:-1] + "改" for text in base]
    table = dataset([*promo, *base, *edited], ["p"] * 30 + ["a", "b"] * 60)
    fold = split(table, config=SplitConfig(), seed=1).fold
    assert len(np.unique(fold[:30])) > 1
    assert (fold[30:90] == fold[90:]).all()


def test_copies_of_one_text_are_no_template() -> None:
    with pytest.raises(DataError, match="must be in train and in another part"):
        split(
            dataset([*CHARACTERS[:60], *["一二三四五六"] * 8], ["a", "b"] * 30 + ["c"] * 8),
            config=SplitConfig(),
            seed=1,
        )


def test_a_chain_of_merely_alike_sentences_raises_the_loose_threshold() -> None:
    rng = random.Random(0)
    long = sentence(rng, 400)
    chain = [long[5 * i : 5 * i + 20] for i in range(60)]  # neighbours share 14 of 24 bigrams
    table = dataset(chain + [sentence(rng) for _ in range(200)], ["a", "b"] * 130)
    tied = units(table, config=SplitConfig())
    assert (tied.ngram, tied.threshold) == (2, 0.6)
    assert np.bincount(tied.unit).max() == 1
    assert "similarity of 0.5; texts stay in one part from 0.6 on" in tied.notes[0]


def test_pairs_that_were_not_compared_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFIX_PAIRS", "ALL_PAIRS", "BUCKET_PAIRS"):
        monkeypatch.setattr(near, name, -1)
    rng = random.Random(0)
    boilerplate = sentence(rng, 40)
    texts = [boilerplate + sentence(rng, 12) for _ in range(200)] + [sentence(rng) for _ in range(60)]
    parts = split(dataset(texts, ["a", "b"] * 130), config=SplitConfig(near_threshold=0.9), seed=1)
    assert any("pairs were not compared one by one" in note for note in parts.notes)
