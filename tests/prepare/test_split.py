"""Parts: nothing that belongs together is divided, labels keep their shares, and the rows' order changes nothing."""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.prepare.sentences import CHARACTERS, dataset, labelled, sentence

from ratchet.errors import DataError
from ratchet.near.copies import clusters, exact_groups, near_pairs, wording
from ratchet.prepare.leaks import leaks
from ratchet.prepare.parts import Parts, seal
from ratchet.prepare.split import split
from ratchet.prepare.together import units
from ratchet.recipe.sections import SplitConfig
from ratchet.tables.dataset import Dataset


def assigned(parts: Parts, table: Dataset) -> dict[tuple[str, str], int]:
    return dict(zip(zip(table.texts, table.labels, strict=True), parts.fold.tolist(), strict=True))


def shares(config: SplitConfig) -> np.ndarray:
    return np.array([config.test] + [(1 - config.test) / config.folds] * config.folds)


def by_label(parts: Parts, table: Dataset) -> np.ndarray:
    """Rows of each label in test and in each fold."""
    labels = np.array(table.labels)
    return np.array(
        [
            [((labels == label) & (parts.fold == fold)).sum() for fold in range(-1, parts.folds)]
            for label in sorted(set(labels))
        ]
    )


@pytest.mark.parametrize(
    "counts", [{"a": 200, "b": 100}, {"a": 303, "b": 41, "c": 17, "d": 7}, dict.fromkeys("abcdefghijklmnopq", 23)]
)
@pytest.mark.parametrize(("test", "folds"), [(0.15, 5), (0.3, 2), (0.1, 10)])
def test_labels_have_their_share_of_every_part_to_a_row_and_parts_their_size(
    counts: dict[str, int], test: float, folds: int
) -> None:
    table, config = labelled(counts), SplitConfig(test=test, folds=folds)
    parts = split(table, config=config, seed=1)
    rows = by_label(parts, table)
    assert np.abs(rows - rows.sum(axis=1, keepdims=True) * shares(config)).max() <= 2
    assert np.abs(rows.sum(axis=0) - len(table) * shares(config)).max() <= 2
    assert (sum(parts.counts.values()), parts.folds) == (len(table), folds)
    assert sorted([*parts.test, *parts.valid, *parts.train]) == list(range(len(table)))
    assert sorted([*parts.test, *parts.dev]) == list(range(len(table)))


@pytest.mark.parametrize("copies", [2, 3])
def test_small_clusters_cost_a_row_or_two(copies: int) -> None:
    table, config = labelled({"a": 240, "b": 120, "c": 60}, copies=copies), SplitConfig()
    parts = split(table, config=config, seed=3)
    rows = by_label(parts, table)
    assert np.abs(rows - rows.sum(axis=1, keepdims=True) * shares(config)).max() <= copies
    assert max(Counter(zip(clusters(table.texts).tolist(), parts.fold.tolist(), strict=True)).values()) == copies


TABLES = st.lists(
    st.tuples(
        st.integers(0, 9),  # which sentence
        st.sampled_from(["", "改", "改!", "换个", "完全不一样的很长的一段"]),  # and which edit of it
        st.sampled_from("xyz"),
        st.sampled_from([None, None, "g1", "g2"]),
    ),
    min_size=12,
    max_size=60,
)


def drawn(rows: list[tuple[int, str, str, str | None]]) -> Dataset:
    rng = random.Random(1)
    sentences = [sentence(rng, 3 + 2 * i) for i in range(10)]
    texts = [sentences[i][: len(edit)] + edit + sentences[i][2 * len(edit) :] for i, edit, _, _ in rows]
    return dataset([text or "空" for text in texts], [row[2] for row in rows], groups=[row[3] for row in rows])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(TABLES, st.sampled_from([0.3, 0.5, 0.8]), st.integers(0, 3), st.randoms(use_true_random=False))
def test_no_pair_that_belongs_together_is_divided_in_any_order(
    rows: list[tuple[int, str, str, str | None]], threshold: float, seed: int, rng: random.Random
) -> None:
    table, config = drawn(rows), SplitConfig(near_threshold=threshold, folds=2)
    try:
        parts = split(table, config=config, seed=seed)
    except DataError:
        assume(False)
    assume("templates" not in "".join(parts.notes))
    fold = parts.fold
    for pairs in (near_pairs(table.texts), near_pairs(table.texts, ngram=2, threshold=threshold)):
        assert (fold[pairs.left] == fold[pairs.right]).all()
    for keys in (
        exact_groups(table.texts),
        exact_groups(table.texts, form=wording),
        exact_groups(table.column("group"), form=str),
    ):
        for key in np.unique(keys):
            inside = keys == key
            if wording(table.texts[np.argmax(inside)]) and table.column("group")[np.argmax(inside)]:
                assert len(np.unique(fold[inside])) == 1
    assert {table.labels[row] for row in parts.train} == set(table.labels)
    order = list(range(len(rows)))
    rng.shuffle(order)
    again = split(table.take(order), config=config, seed=seed)
    assert (again.fold == fold[order]).all()
    assert (again.hash, seal(again, table.take(order))) == (parts.hash, seal(parts, table))


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


@settings(max_examples=80, derandomize=True, deadline=None)
@given(TABLES, st.sampled_from([0.3, 0.5, 0.8]), st.integers(0, 3))
def test_no_pair_that_belongs_together_is_divided_by_brute_force(
    rows: list[tuple[int, str, str, str | None]], threshold: float, seed: int
) -> None:
    table, config = drawn(rows), SplitConfig(near_threshold=threshold, folds=2)
    try:
        parts = split(table, config=config, seed=seed)
    except DataError:
        assume(False)
    assume("templates" not in "".join(parts.notes))
    assert divided(table, parts.fold.tolist(), loose=units(table, config=config).threshold) == []


@settings(max_examples=80, derandomize=True, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(2, 60), min_size=1),
    st.integers(1, 3),
    st.sampled_from([(0.15, 5), (0.3, 2), (0.1, 10), (0.5, 3)]),
    st.integers(0, 9),
)
def test_classes_have_their_shares_to_a_row_or_two(
    counts: dict[str, int], copies: int, sizes: tuple[float, int], seed: int
) -> None:
    table, config = labelled(counts, copies=copies), SplitConfig(test=sizes[0], folds=sizes[1])
    try:
        parts = split(table, config=config, seed=seed)
    except DataError:
        assume(False)
    rows = by_label(parts, table)
    assert np.abs(rows - rows.sum(axis=1, keepdims=True) * shares(config)).max() <= 2 * copies
    assert {table.labels[row] for row in parts.train} == set(table.labels)


def test_every_label_is_in_train_and_in_two_folds() -> None:
    for seed in range(20):
        table = labelled({"a": 50, "b": 2, "c": 2, "d": 3, "e": 4}, seed=seed)
        parts = split(table, config=SplitConfig(test=0.4, folds=5), seed=seed)
        for label in "abcde":
            folds = {int(parts.fold[row]) for row in range(len(table)) if table.labels[row] == label}
            assert len(folds - {-1}) >= 2
            assert max(folds) >= 1


def test_a_giant_cluster_goes_to_train_and_says_what_it_does() -> None:
    rng = random.Random(0)
    giant = sentence(rng, 40)
    texts = [giant[:i] + "改" + giant[i + 1 :] for i in range(40)] + [sentence(rng) for _ in range(60)]
    table = dataset(texts, ["a", "b"] * 50)
    parts = split(table, config=SplitConfig(), seed=1)
    assert len(np.unique(parts.fold[:40])) == 1
    assert parts.fold[0] >= 1
    assert any("40 of 100 rows (40%) are copies or near-copies" in note for note in parts.notes)
    assert parts.counts["test"] == pytest.approx(11, abs=1)  # its share of the other 60 rows


def test_groups_a_little_larger_than_a_part_may_be_one() -> None:
    groups = [f"customer {i // 11}" for i in range(55)] + [None] * 5
    parts = split(dataset(CHARACTERS[:60], ["a", "b"] * 30, groups=groups), config=SplitConfig(), seed=1)
    assert parts.counts["valid"] == 11  # of 10.2 that were asked for, not the few that are in no group


def test_parts_that_large_groups_make_too_small_are_told() -> None:
    groups = [f"customer {i // 18}" for i in range(54)] + [None] * 6
    table = dataset(CHARACTERS[:60], ["a", "b"] * 30, groups=groups)
    parts = split(table, config=SplitConfig(), seed=1)
    assert parts.counts["test"] < 5
    assert f"The test part has {parts.counts['test']} rows where 9 were asked for" in "\n".join(parts.notes)


TROUBLE = [
    (["a", "b", ""], ["x", "y", "x"], "must have a text but row 3 of a.csv has none"),
    (["a", "b", "c"], ["x", "", "x"], "must have a label but row 2 of a.csv has none"),
    (["一二三四五六"] * 8, ["x", "y"] * 4, "8 rows must form more than 6 groups of their own to be divided but form 1"),
    (CHARACTERS[:9], ["x"] * 8 + ["y"], "The 1 rows of label 'y' must be in train and in another part but one row"),
    (
        [*CHARACTERS[:9], "一二三四五六", "一二三四五六!"],
        ["x"] * 9 + ["y"] * 2,
        "they are copies or near-copies of each other",
    ),
]


@pytest.mark.parametrize(("texts", "labels", "problem"), TROUBLE)
def test_rows_that_can_not_be_divided_are_named(texts: list[str], labels: list[str], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        split(dataset(texts, labels), config=SplitConfig(), seed=1)
    assert problem in caught.value.problem
    assert caught.value.next_step


def test_a_label_inside_one_group_is_named() -> None:
    table = dataset(CHARACTERS[:30], ["x"] * 20 + ["y"] * 10, groups=[None] * 20 + ["customer"] * 10)
    with pytest.raises(DataError, match=r"The 10 rows of label 'y' .* or of one group, so they cannot be divided"):
        split(table, config=SplitConfig(), seed=1)


def test_given_test_rows_are_the_test_part() -> None:
    table = labelled({"a": 60, "b": 40, "c": 10})
    test = dataset([sentence(random.Random(9), 20), "unlike"], ["a", "b"], name="test.csv")
    parts = split(table, config=SplitConfig(), seed=1, test=test)
    assert parts.test.tolist() == [110, 111]
    assert parts.counts == {"train": 88, "valid": 22, "test": 2}
    assert parts.notes == ("1 of 3 labels have no row in the test part: 'c'.",)
    with pytest.raises(DataError, match=r"occur in the training rows but 'z' \(1 test rows\) does not"):
        split(table, config=SplitConfig(), seed=1, test=dataset(["unlike"], ["z"], name="test.csv"))


def test_parts_of_a_split_do_not_leak() -> None:
    table = labelled({"a": 150, "b": 150}, copies=3, seed=4)
    parts = split(table, config=SplitConfig(), seed=1)
    found = leaks(table.take(parts.dev), table.take(parts.test))
    assert found.counts == {"exact": 0, "near": 0, "group": 0}
    naive = np.random.default_rng(0).permutation(len(table))
    assert leaks(table.take(naive[45:]), table.take(naive[:45])).counts["near"] > 30
