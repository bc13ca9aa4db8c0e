from __future__ import annotations

import pytest

from ratchet.charts.leak_matrix import leak_matrix


@pytest.mark.parametrize("width", [620.0, 340.0])
def test_the_leak_matrix_tells_both_directions(width: float) -> None:
    cells = [[(1, 0), (30, 4)], [(20, 0), (0, 0)]]
    drawn = leak_matrix(["train", "测试"], [100, 50], cells, title="Leaks", key="k", width=width)
    assert "train gives away rows of 测试: 30 copies, 4 near-copies (68.0 %)" in drawn
    assert "further copies within train: 1 copies" in drawn
    assert drawn.count('class="heat-wrong"') == 2  # the diagonal stays grey
    assert "train gives away 34 rows of 测试; 测试 gives away 20 rows of train" in drawn
