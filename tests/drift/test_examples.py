from __future__ import annotations

from tests.drift.reviews import Row, dataset, rows

from ratchet.drift.diff import diff


def test_changed_rows_say_what_changed() -> None:
    old = rows(40, seed=1)
    new: list[Row] = [dict(row) for row in old]
    for row in new[:6]:
        row["label"] = "正" if row["label"] == "负" else "负"
    new[10]["channel"] = "fax"
    found = diff(dataset(old), dataset(new))
    assert len(found.rows.changed[0]) == 7
    assert found.cells == {"label": 6, "channel": 1}
    assert sum(found.relabelled.values()) == 6
