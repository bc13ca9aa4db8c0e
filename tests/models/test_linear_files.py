from __future__ import annotations

import numpy as np
import pytest

from ratchet.models import linear_files


@pytest.mark.parametrize("bits", [1, 5, 8, 13, 21, 32])
@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_packed_numbers_come_back(bits: int, count: int) -> None:
    numbers = np.random.default_rng(3).integers(0, 2**bits, count)
    packed = linear_files._packed(numbers, bits=bits)
    assert packed.nbytes == (bits * count + 7) // 8
    assert np.array_equal(linear_files._unpacked(packed, bits=bits, count=count), numbers)


def test_no_bits_are_enough_for_one_value() -> None:
    packed = linear_files._packed(np.zeros(5, np.uint8), bits=0)
    assert packed.nbytes == 0
    assert linear_files._unpacked(packed, bits=0, count=5).tolist() == [0] * 5


@pytest.mark.parametrize("parent", [[], [0], [3], [0, 0, 2, 2, 2, 5], [6, 6, 6]])
def test_unary_children_come_back(parent: list[int]) -> None:
    packed = linear_files._unary(np.array(parent, dtype=np.int64), parents=7)
    assert linear_files._parents(packed, parents=7, nodes=len(parent)).tolist() == parent


@pytest.mark.parametrize(("largest", "dtype"), [(0, "u1"), (255, "u1"), (256, "u2"), (65_536, "u4")])
def test_smallest_type(largest: int, dtype: str) -> None:
    assert linear_files.smallest(np.array([0, largest])).dtype == np.dtype(dtype)
