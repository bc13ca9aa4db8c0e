"""The fits of the baseline on the raw table."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from ratchet.checks import Context, naive_split
from ratchet.checks.baseline_scores import BaselineScores, accuracy
from ratchet.recipe.sections import CheckConfig, Recipe

HAN = [chr(0x4E00 + 11 * i) for i in range(400)]


def hopeless(table: Any, *, copies: int, texts: int = 150) -> Any:
    """Random texts with random labels, each some times: nothing to learn, but all to remember."""
    rng = random.Random(4)
    rows = [("".join(rng.choices(HAN, k=25)), rng.choice(["x", "y"])) for _ in range(texts)]
    rows = rows * copies
    return table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})


def test_large_tables_are_sampled_by_whole_clusters(table: Any) -> None:
    data = hopeless(table, copies=3)
    recipe = Recipe(check=CheckConfig(model_rows=210))
    bench = BaselineScores.of(Context(dataset=data, recipe=recipe, seed=1))
    assert bench is not None
    assert 150 <= len(bench.rows) <= 210
    assert set(np.bincount(bench.pair).tolist()) == {3}
    split = naive_split(data, seed=1, config=recipe)
    assert split.test_rows == 90
    assert split.naive
    assert split.naive.n == 42


def test_conflicting_labels_are_two_pairs_in_one_fold(table: Any) -> None:
    texts = [f"{i * 7919} {i * 104729} of many" for i in range(60)]
    data = table({"text": [*texts, texts[0]], "label": ["x", "y"] * 30 + ["y"]})
    bench = BaselineScores.of(Context(dataset=data, recipe=Recipe(), seed=1))
    assert bench is not None
    assert len(bench.first) == 61
    same = [i for i, text in enumerate(bench.texts) if text == texts[0]]
    assert len(same) == 2
    assert len({int(bench.fold[i]) for i in same}) == 1


def test_scores_have_wilson_intervals() -> None:
    score = accuracy(np.array([True] * 8 + [False] * 2))
    assert score is not None
    assert (score.value, score.n) == (0.8, 10)
    assert (round(score.low, 3), round(score.high, 3)) == (0.49, 0.943)
    assert accuracy(np.zeros(0, bool)) is None


def test_of_a_huge_cluster_and_others_both_are_sampled(table: Any) -> None:
    base = "房间干净服务热情早餐丰富位置方便价廉物美值得推荐质量很好喜欢孩子满意下次还会再来"
    texts = [base[:i] + new + base[i + 1 :] for i in range(len(base)) for new in "改换变更"]
    rows = table({"text": [*texts, "外面下雨了"], "label": [*["x"] * len(texts), "y"]})
    recipe = Recipe(check=CheckConfig(model_rows=100))
    for seed in range(4):
        bench = BaselineScores.of(Context(dataset=rows, recipe=recipe, seed=seed))
        assert bench is not None
        assert len(np.unique(bench.unit)) == 2
