"""The forms of dates, and that every room has the same answer to what a date is."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from ratchet.text.date_forms import DATES, date_forms, is_date_column
from ratchet.text.dates import is_moment


def test_each_form_of_a_date_is_told_apart() -> None:
    names = [*DATES][:-1]
    others = ["Wed, 31 Jan 2024", "2024-01", "2024-01-31 15时", "Thu Oct 10 20:19:24 2018"]
    none = ["nothing", "2024-01-31 13:00 AM", "19991332", "2024 was 5 times better"]
    found = date_forms(pa.array([*names, *others, *none], pa.large_string()))
    assert found.tolist() == [*range(len(names)), *[len(names)] * len(others), *[-1] * len(none)]


def dates_and_others(seed: int) -> list[str]:
    """Dates in every usual form, some of days that are not there, and cells that only look like dates."""
    rng = random.Random(seed)
    cells = []
    for _ in range(600):
        y, m, d = rng.choice((1999, 2024, 2100)), rng.randrange(0, 14), rng.randrange(0, 33)
        day = rng.choice(
            (
                f"{y}-{m}-{d}",
                f"{y}/{m:02d}/{d:02d}",
                f"{y}.{m}.{d}",
                f"{y}{m:02d}{d:02d}",
                f"{y}年{m}月{d}日",
                f"{d}/{m}/{y}",
                f"{m}-{d}-{y}",
                f"{d} Mar {y}",
                f"Sept {d}, {y}",
                f"{y}-{m}",
                f"Tue, {d} Mar {y}",
                f"v{y}.{m}",
            )
        )
        clock = rng.choice(
            ("", "", " 15:05", "T08:30:00Z", " 下午3:05", " 25:00", " 3:05 PM", " 13:00 AM", " o'clock", "+08:00")
        )
        cells.append(day + clock)
    return [*cells, "", "5", "3.14", "1709600000", "20241332", "2024 was good", "9" * 70]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_cell_is_a_date_for_the_patterns_where_it_is_one_for_the_grammar(seed: int) -> None:
    cells = dates_and_others(seed)
    by_pattern = date_forms(pa.array(cells, pa.large_string())) >= 0
    assert [cell for cell, is_date in zip(cells, by_pattern, strict=True) if is_date != is_moment(cell)] == []
    assert 0.2 < by_pattern.mean() < 0.8


@pytest.mark.parametrize("name", ["date", "note"])
@pytest.mark.parametrize("share", [0.45, 0.55, 0.75, 0.85])
def test_a_column_is_one_of_dates_for_the_roles_the_checks_and_a_diff_or_for_none(name: str, share: float) -> None:
    from ratchet.checks import run_checks
    from ratchet.drift.compared_by import KINDS, cell_kinds
    from ratchet.tables.dataset import Dataset, Roles
    from ratchet.tables.roles import guess_roles

    count = 100
    cells = [f"202401{i % 28 + 1:02d}" if i < share * count else f"{9_000_000 + i}" for i in range(count)]
    table = pa.table({"text": [f"some text {i} here" for i in range(count)], "label": ["a", "b"] * 50, name: cells})
    roles = guess_roles(table, name="t.csv").roles
    rows = Dataset(
        table=table,
        roles=Roles(text="text", label="label"),
        files=("t.csv",),
        file_index=np.zeros(count, np.int64),
        origin=np.arange(1, count + 1),
    )
    found = {finding.id for finding in run_checks(rows, only=["consistency"]).findings}
    diffed = cell_kinds(rows, name)[KINDS.index("date")] > 0
    wanted = is_date_column(name, share)
    assert [roles.time == name, "consistency.date" in found, diffed] == [wanted] * 3
