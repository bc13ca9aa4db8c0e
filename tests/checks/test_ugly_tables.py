"""Ugly tables from file to findings: wide, nested, dates and numbers in many forms, and more labels than texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ratchet.checks import Health, run_checks
from ratchet.checkup.target import open_target
from ratchet.tables.dataset import Dataset, Roles

DATES = ["2024-02-29", "29/02/2024", "2024年2月29日", "20240229", "Feb 29, 2024"]
NUMBERS = ["1.5万", "１２００", "3,000", "2亿", "¥40"]
CHECKED = ("completeness", "consistency", "labels", "balance", "duplicates", "text", "pii", "chat", "diversity")


def health_of(path: Path) -> Health:
    target = open_target(path)
    return run_checks(target.dataset, config=target.recipe, only=CHECKED)


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def row(number: int, **more: object) -> dict[str, object]:
    return {"text": f"评论 number {number} says {number * 37 % 101}", "label": "ab"[number % 2], **more}


def test_two_hundred_columns(tmp_path: Path) -> None:
    path = write(tmp_path, [row(i, **{f"c{j}": f"{i * j % 17}" for j in range(200)}) for i in range(120)])
    health = health_of(path)
    target = open_target(path)
    assert (target.dataset.roles.text, target.dataset.roles.label) == ("text", "label")
    assert len(target.dataset.table.column_names) == 202
    assert "check.failed" not in {finding.id for finding in health.findings}


@pytest.mark.parametrize(
    "cell",
    [["a", "b"], {"k": [1, {"x": None}]}, [], {}, [[[]]], [{"role": "user"}, "text"], "[broken", {"role": "user"}],
)  # fmt: skip
def test_a_column_of_lists_or_objects(tmp_path: Path, cell: object) -> None:
    rows = [row(i, extra=cell if i % 3 else None) for i in range(60)]
    health = health_of(write(tmp_path, rows))
    assert {finding.id for finding in health.findings if finding.id.startswith(("check.failed", "chat."))} == set()
    assert open_target(tmp_path / "a.jsonl").dataset.roles.text == "text"


def test_dates_in_five_forms_and_numbers_in_chinese_units(tmp_path: Path) -> None:
    rows = [row(i, day=DATES[i % 5], price=NUMBERS[i % 5]) for i in range(100)]
    target = open_target(write(tmp_path, rows))
    assert target.dataset.roles.time == "day"
    found = {finding.id: finding for finding in health_of(target.path).findings if finding.column in ("day", "price")}
    assert "consistency.number" not in found  # all of them are numbers
    assert "check.failed" not in found


def test_more_labels_than_a_report_can_list_stay_short() -> None:
    rows = 30_000
    dataset = Dataset(
        table=pa.table(
            {"text": [f"text {i} of {i * 7919 % 997}" for i in range(rows)], "label": [f"l{i}" for i in range(rows)]}
        ),
        roles=Roles(text="text", label="label"),
        files=("a.csv",),
        file_index=np.zeros(rows, np.int64),
        origin=np.arange(1, rows + 1),
    )
    health = run_checks(dataset, only=CHECKED)
    ids = {finding.id for finding in health.findings}
    assert "labels.many" in ids
    assert max(len(finding.message) for finding in health.findings) < 500
    assert len(json.dumps(health.to_dict())) < 1_000_000
