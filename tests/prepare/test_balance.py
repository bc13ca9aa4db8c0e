from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.prepare.balance import rebalance

LABELS = ["neg"] * 200 + ["pos"] * 20 + ["rare"] * 5


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("under", {"neg": 15, "pos": 15, "rare": 5}),
        ("over", {"neg": 200, "pos": 67, "rare": 67}),
        ("weights", {"neg": 200, "pos": 67, "rare": 67}),
    ],
)
def test_three_to_one(method: str, expected: dict[str, int]) -> None:
    found = rebalance(LABELS, method=method, ratio=3)
    assert found.counts == expected
    weight = Counter()
    for row, share in zip(found.rows.tolist(), found.weights.tolist(), strict=True):
        weight[LABELS[row]] += share
    assert {name: round(total, 6) for name, total in weight.items()} == expected


@pytest.mark.parametrize("method", ["under", "over", "weights"])
def test_a_target_distribution(method: str) -> None:
    found = rebalance(LABELS, method=method, target={"neg": 0.5, "pos": 0.3, "rare": 0.2})
    total = sum(found.counts.values())
    assert {name: round(count / total, 1) for name, count in found.counts.items()} == {
        "neg": 0.5,
        "pos": 0.3,
        "rare": 0.2,
    }
    if method == "under":
        assert max(Counter(found.rows.tolist()).values()) == 1


@given(
    st.lists(st.sampled_from("aabbbbc"), min_size=2, max_size=80),
    st.sampled_from(["under", "over"]),
    st.floats(1, 5),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_the_ratio_holds_and_rows_repeat_evenly(labels: list[str], method: str, ratio: float, seed: int) -> None:
    found = rebalance(labels, method=method, ratio=ratio, seed=seed)
    counts = [count for count in found.counts.values() if count]
    assert max(counts) <= max(ratio * min(counts), ratio * min(counts) + (0 if method == "over" else 1))
    times = Counter(found.rows.tolist())
    for name in set(labels):
        repeats = [times[row] for row in range(len(labels)) if labels[row] == name]
        assert max(repeats) - min(repeats) <= 1
    assert method == "under" or len(times) == len(labels)


def test_the_order_of_the_rows_does_not_matter() -> None:
    keys = [str(i).encode() for i in range(len(LABELS))]
    order = np.random.default_rng(1).permutation(len(LABELS))
    first = rebalance(LABELS, method="under", keys=keys, seed=3)
    second = rebalance([LABELS[i] for i in order], method="under", keys=[keys[i] for i in order], seed=3)
    assert {keys[i] for i in first.rows} == {keys[order[i]] for i in second.rows}
    assert set(first.rows) != set(rebalance(LABELS, method="under", keys=keys, seed=4).rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratio": 0.5}, "must be at least 1"),
        ({"target": {"neg": 1.0}}, "'pos', 'rare'"),
        ({"target": {"neg": 0.9, "pos": 0.3, "rare": 0.2}}, "add up to 1.4"),
        ({"target": {"neg": 1.0, "pos": 0.0, "rare": 0.0}}, "above 0"),
    ],
)
def test_bad_wishes(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rebalance(LABELS, method="over", **arguments)


@pytest.mark.parametrize("method", ["over", "weights"])
@pytest.mark.parametrize("least", [1e-7, 1e-300])
def test_shares_that_ask_for_endless_rows(method: str, least: float) -> None:
    with pytest.raises(DataError, match="at most 1000 times the rows"):
        rebalance(LABELS, method=method, target={"neg": least, "pos": 0.5, "rare": 0.5 - least})  # type: ignore[arg-type]
