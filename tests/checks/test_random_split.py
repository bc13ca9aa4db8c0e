"""The random split: what it leaks, what it would claim, and what is honest."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from ratchet.checks import Context, naive_split
from ratchet.checks.random_split import check, naive_split_of
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe

HAN = [chr(0x4E00 + 11 * i) for i in range(400)]


def hopeless(table: Any, *, copies: int, texts: int = 150) -> Any:
    """Random texts with random labels, each some times: nothing to learn, but all to remember."""
    rng = random.Random(4)
    rows = [("".join(rng.choices(HAN, k=25)), rng.choice(["x", "y"])) for _ in range(texts)]
    rows = rows * copies
    return table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})


def test_what_is_remembered_is_not_known(table: Any) -> None:
    split = naive_split(hopeless(table, copies=2), seed=1)
    assert split.naive
    assert split.leaked
    assert split.clean
    assert split.honest
    assert split.test_rows == 60
    assert 0.6 < split.leaked_share < 0.95
    assert split.leaked.value > 0.95
    assert split.leaked.n + split.clean.n == split.naive.n == 60
    assert 0.3 < split.honest.value < 0.7
    assert split.honest.n == 150
    assert split.overstated == pytest.approx(split.naive.value - split.honest.value)
    assert split.model == "tfidf-lr"


def test_the_finding_is_an_error_where_the_intervals_are_apart(table: Any, found: Any) -> None:
    finding = found(check, hopeless(table, copies=4))["leaks.naive_split"]
    assert finding.severity == "error"
    assert "points" in finding.why
    recipe = parse_recipe(finding.fix, folder=".")
    assert recipe.prepare.duplicates == "drop"
    assert recipe.split.near
    assert not found(check, hopeless(table, copies=1))


def test_without_models_only_the_leak_is_counted(table: Any) -> None:
    split = naive_split(hopeless(table, copies=2), seed=1, scored=False)
    assert split.leaked_share > 0.5
    assert (split.naive, split.honest, split.overstated) == (None, None, None)


def test_near_copies_leak_too(table: Any) -> None:
    rng = random.Random(4)
    texts = ["".join(rng.choices(HAN, k=25)) for _ in range(100)]
    texts += [text[:10] + "改" + text[11:] for text in texts]
    split = naive_split(table({"text": texts, "label": ["x", "y"] * 100}), seed=1)
    assert split.leaked_rows == 0
    assert split.near_share > 0.5
    assert split.leaked is None


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"text": [f"t {i}" for i in range(100)], "label": ["x"] * 100}, "there are fewer than two labels"),
        ({"text": [f"t {i}" for i in range(20)], "label": ["x", "y"] * 10}, "there are only 20 different texts"),
        ({"text": [f"t {i}" for i in range(100)]}, "there are fewer than two labels"),
        ({"text": [None] * 5, "label": ["x"] * 5}, "there are fewer than two labels"),
        (
            {"text": [f"t {i}" for i in range(60)] + [None], "label": ["x"] * 60 + ["y"]},
            "fewer than two labels with texts",
        ),
        ({"text": [f"t {i}" for i in range(400)], "label": [f"l {i}" for i in range(400)]}, "there are 400 labels"),
    ],
    ids=["one class", "few rows", "no label", "no text", "one class with texts", "many labels"],
)
def test_where_nothing_can_be_fitted_there_is_no_score(table: Any, columns: Any, why: str) -> None:
    split = naive_split(table(columns), seed=1)
    assert split.naive is None
    assert why in split.unscored


def test_in_time_order_it_tells_what_the_latest_rows_would_score(table: Any) -> None:
    rng = random.Random(4)
    texts, labels, days = [], [], []
    for row in range(300):
        good = rng.random() < 0.5
        late = row >= 230  # the word means the contrary from then on
        texts.append("".join(rng.choices(HAN, k=12)) + ("好评推荐" if good != late else "差评退货"))
        labels.append("正面" if good else "负面")
        days.append(f"2024年{1 + row // 25}月{1 + row % 25}日")
    texts[:20], labels[:20] = texts[100:120], labels[100:120]
    order = np.random.default_rng(1).permutation(300).tolist()
    columns = {"text": texts, "label": labels, "date": days}
    shuffled = table({name: [cells[row] for row in order] for name, cells in columns.items()}, time="date")
    config = Recipe.model_validate({"data": {"time": "date"}, "split": {"order": "time"}})
    split = naive_split(shuffled, seed=1, config=config)
    assert split.ordered
    assert split.naive
    assert split.ordered.n == 56  # a fifth of the different texts
    assert split.ordered.value < 0.1 < 0.5 < split.naive.value
    (finding,) = check(Context(dataset=shuffled, recipe=config, seed=1))
    assert "on the latest fifth, fitted on the earlier ones, " in finding.message
    assert naive_split(shuffled, seed=1).ordered is None
    one_day = table({**columns, "date": ["2024-01-01"] * 300}, time="date")
    assert naive_split(one_day, seed=1, config=config).ordered is None


def test_a_table_made_from_one_template_is_looked_at_without_a_score(table: Any) -> None:
    base = "房间干净服务热情早餐丰富位置方便价廉物美值得推荐质量很好喜欢孩子满意下次还会再来"
    texts = [base[:i] + new + base[i + 1 :] for i in range(len(base)) for new in "改换"]
    dataset = table({"text": texts, "label": ["x", "y"] * (len(texts) // 2)})
    result = naive_split_of(Context(dataset=dataset, recipe=Recipe(), seed=3))
    assert (result.naive, result.unscored) == (None, "all texts are near-duplicates of each other")
