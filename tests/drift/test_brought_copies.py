from __future__ import annotations

from tests.drift.reviews import Row, dataset, rows

from ratchet.drift.diff import diff


def test_copies_conflicts_and_leaks_that_new_rows_bring() -> None:
    old = rows(50, seed=1)
    near: Row = {**old[3], "text": "这是一条很长的评论，讲的是房间和早餐，还有服务态度", "label": "正"}
    closest: Row = {**near, "text": str(near["text"]) + "！！好"}
    clash: Row = {**old[5], "label": "正" if old[5]["label"] == "负" else "负"}
    fresh = rows(3, seed=8)
    new = [*old, old[0], near, closest, clash, *fresh, fresh[1]]
    test = dataset([fresh[2], old[9], rows(1, seed=77)[0]], "t.csv")
    found = diff(dataset(old), dataset(new), test=test)
    assert found.copies.exact.tolist() == [50, 53, 57]
    assert found.copies.near is not None
    assert found.copies.near.tolist() == [51, 52]
    assert (found.copies.old, found.copies.new) == (0, 3)
    assert (found.copies.conflicts_old, found.copies.conflicts_new, found.copies.conflicts.tolist()) == (0, 1, [53])
    assert found.leaked is not None
    assert (found.leaked.rows.tolist(), found.leaked.fresh, found.leaked.counts["exact"]) == ([56], 1, 1)
