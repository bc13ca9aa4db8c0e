from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ratchet.train.packing import lines, packed, plan_packed

LENGTHS = np.random.default_rng(3).lognormal(4.2, 0.7, size=3_000).clip(3, 512).astype(np.int64)


def paragraphs() -> np.ndarray:
    """Words of the paragraphs of the documentation: texts that people wrote."""
    pages = sorted((Path(__file__).parents[2] / "docs").rglob("*.md"))
    found = [len(part.split()) for page in pages for part in page.read_text(encoding="utf-8").split("\n\n")]
    return np.array([length for length in found if length], dtype=np.int64).clip(1, 512)


def test_every_row_is_in_one_line_that_is_not_too_long() -> None:
    plan = plan_packed(LENGTHS, seed=1, epoch=0, budget=4096, width=512)
    assert sorted(np.concatenate(plan.batches).tolist()) == list(range(len(LENGTHS)))
    for rows in plan.batches:
        found = lines(rows, LENGTHS, width=512)
        assert len(found) <= 8
        assert all(LENGTHS[line].sum() <= 512 for line in found)
        assert np.array_equal(np.concatenate(found), rows)
    assert all(len(lines(rows, LENGTHS, width=512)) == 8 for rows in plan.batches[:-1])


@pytest.mark.parametrize("lengths", [LENGTHS, paragraphs()], ids=["drawn", "paragraphs"])
def test_few_tokens_are_wasted(lengths: np.ndarray) -> None:
    assert len(lengths) > 300
    plan = plan_packed(lengths, seed=1, epoch=0, budget=4096, width=512)
    assert 0 <= plan.padding < 0.04
    count = sum(len(lines(rows, lengths, width=512)) for rows in plan.batches)
    assert count * 512 < 1.04 * lengths.sum() + 512


def test_the_plan_follows_from_its_arguments() -> None:
    def told(**other: int) -> list[list[int]]:
        arguments = {"seed": 1, "epoch": 0, "budget": 2048, "width": 512} | other
        return [rows.tolist() for rows in plan_packed(LENGTHS, **arguments).batches]

    assert told() == told()
    assert told() != told(seed=2)
    assert told() != told(epoch=1)


@pytest.mark.parametrize(
    ("lengths", "width", "count"), [([], 8, 0), ([3], 8, 1), ([20, 2], 8, 2), ([4, 4, 4], 8, 2), ([8] * 5, 8, 5)]
)
def test_small_and_long_rows_get_lines(lengths: list[int], width: int, count: int) -> None:
    sizes = np.array(lengths, dtype=np.int64)
    plan = plan_packed(sizes, seed=0, epoch=0, budget=1, width=width)
    assert len(plan.batches) == count
    assert sorted(row for rows in plan.batches for row in rows.tolist()) == list(range(len(lengths)))


def test_a_batch_says_where_each_answer_is_foretold() -> None:
    rows = [
        (np.array([5, 6, 7]), np.array([False, False, True])),
        (np.array([8, 9]), np.array([True, True])),
        (np.array([4]), np.array([True])),
    ]
    batch = packed(rows, [[0, 1], [2]], pad_id=0)
    assert batch.tokens.tolist() == [[5, 6, 7, 8, 9], [4, 0, 0, 0, 0]]
    assert batch.positions.tolist() == [[0, 1, 2, 0, 1], [0, 0, 1, 2, 3]]
    assert batch.places.tolist() == [1, 3]
    assert batch.wanted.tolist() == [7, 9]
    assert batch.owner.tolist() == [0, 1]
