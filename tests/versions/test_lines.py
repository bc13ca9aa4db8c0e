from __future__ import annotations

import random

import numpy as np
import pytest

from ratchet.versions.lines import LONGEST, Known, blocks, digests, lines


def test_lines_keep_their_ends_and_long_ones_are_cut() -> None:
    assert lines(b"a\r\nb\n\nc") == [b"a\r\n", b"b\n", b"\n", b"c"]
    assert lines(b"") == []
    long = b"x" * (2 * LONGEST + 1)
    assert [len(piece) for piece in lines(long + b"\n" + b"y")] == [LONGEST, LONGEST, 2, 1]


def test_blocks_end_at_line_ends_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.versions.lines.BLOCK", 50)
    monkeypatch.setattr("ratchet.versions.lines.LONGEST", 20)
    rng = random.Random(2)
    for _ in range(50):
        data = b"".join(b"z" * rng.randrange(60) + b"\n" for _ in range(rng.randrange(12))) + b"end"
        size = rng.randrange(1, 40)
        found = list(blocks(data[start : start + size] for start in range(0, len(data), size)))
        assert b"".join(found) == data
        assert all(block.endswith(b"\n") or len(block) % 20 == 0 for block in found[:-1])
        assert [piece for block in found for piece in lines(block)] == lines(data)


def test_known_lines_keep_their_number_and_new_ones_get_the_next() -> None:
    known = Known()
    first, new = known.number(digests([b"a", b"b", b"a"]), start=0)
    assert (first.tolist(), new.tolist()) == ([0, 1, 0], [0, 1])
    again, new = known.number(digests([b"c", b"b", b"d", b"c"]), start=2)
    assert (again.tolist(), new.tolist()) == ([2, 1, 3, 2], [0, 2])
    nothing, new = known.number(digests([]), start=4)
    assert len(nothing) == len(new) == 0


def test_a_store_that_is_read_again_numbers_its_lines_as_before() -> None:
    rng = random.Random(3)
    seen = [str(rng.randrange(300)).encode() for _ in range(1_000)]
    whole, learned = Known(), Known()
    numbers, new = whole.number(digests(seen), start=0)
    kept = [seen[place] for place in new.tolist()]
    learned.learn(digests(kept[:100]), start=0)
    learned.learn(digests([*kept[:3], *kept[100:]]), start=97)  # the three known ones keep their number
    assert learned.number(digests(seen), start=len(kept))[0].tolist() == numbers.tolist()
    assert np.array_equal(np.unique(numbers), np.arange(len(kept)))
