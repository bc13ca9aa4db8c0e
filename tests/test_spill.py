"""Tables and arrays that lie on disk are those that would lie in memory."""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet import spill
from ratchet.checks import run_checks
from ratchet.checkup.target import open_target
from ratchet.errors import DataError
from ratchet.tables import parse
from ratchet.tables.read import read_table


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is large, and parts are small."""
    monkeypatch.setattr(parse, "LARGE", 0)
    monkeypatch.setattr(spill, "_SHELVED", 1)
    monkeypatch.setattr("ratchet.checks.context._MANY", 1)
    monkeypatch.setattr("ratchet.checks.context._PART", 7)
    monkeypatch.setattr("ratchet.near.fingerprints._PART", 5)
    monkeypatch.setattr("ratchet.near.fingerprints._STRETCH", 3)


def table(rows: int = 900) -> pa.Table:
    texts = [None if i % 97 == 0 else f"房间{i % 300}很好，服务 No.{i % 300} 热情！" for i in range(rows)]
    return pa.table(
        {
            "id": [str(i) for i in range(rows)],
            "text": texts,
            "label": ["好" if i % 3 else "差" for i in range(rows)],
            "phone": [f"138{i:08}" if i % 2 else None for i in range(rows)],
            "stars": pa.array([i % 5 for i in range(rows)]),
            "tags": [["a", str(i % 3)] for i in range(rows)],
        }
    )


def health(path: Path) -> dict[str, Any]:
    found = open_target(path)
    seen = run_checks(found.dataset, config=found.recipe, cost="pairs")
    return {"findings": [finding.to_dict() for finding in seen.findings], "facts": seen.facts.to_dict()}


def test_a_table_on_disk_is_the_one_in_memory(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(table(), path, row_group_size=100)
    held, seen = read_table(path).table, health(path)
    request.getfixturevalue("small")
    assert read_table(path).table.to_pydict() == held.to_pydict()
    assert health(path) == seen
    assert len(seen["findings"]) == 5


@pytest.mark.usefixtures("small")
def test_errors_name_the_row_of_the_whole_table(tmp_path: Path) -> None:
    feature = '{"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}}}'
    names = pa.table({"text": list("abcdef"), "label": pa.array([0, 1, 0, -1, 7, 1])})
    pq.write_table(names.replace_schema_metadata({"huggingface": feature}), tmp_path / "x.parquet", row_group_size=2)
    with pytest.raises(DataError, match=r"^Row 5 of x.parquet must have one of 2 classes in 'label' but has number 7"):
        read_table(tmp_path / "x.parquet", name="x.parquet")


def test_maps_go_with_what_lies_in_them() -> None:
    kept = spill.spilled([table(10), table(20)], name="x")
    assert kept.num_rows == 30
    column = kept.column("text").slice(4, 3)
    assert len(spill._maps) == 1
    del kept
    gc.collect()
    spill.give_back()
    assert column.to_pylist() == table(20).column("text").slice(4, 3).to_pylist()
    del column
    gc.collect()
    assert not spill._maps
    deadline = time.monotonic() + 10
    while spill._keeper is not None and spill._keeper.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert spill._keeper is None or not spill._keeper.is_alive()


def test_arrays_that_lie_on_disk_can_not_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    small = np.arange(5)
    assert spill.shelved(small) is small
    monkeypatch.setattr(spill, "_SHELVED", 1)
    for array in (
        np.arange(7),
        np.arange(24).reshape(2, 3, 4)[:, ::2],
        np.zeros(3, [("a", np.int8), ("b", np.float64)]),
    ):
        kept = spill.shelved(array)
        assert np.array_equal(kept, array)
        assert not kept.flags.writeable
    monkeypatch.setattr(spill, "has_room", lambda size: False)
    assert spill.shelved(small) is small


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(DataError, match=r"x must fit into .* but does not: No space left on device\. .*TMPDIR"):
        spill.spilled([table(3)], name="x")
    monkeypatch.setattr(spill, "_SHELVED", 1)
    assert spill.shelved(np.arange(3)).tolist() == [0, 1, 2]


def test_a_fault_of_the_source_is_not_the_disk_s() -> None:
    def damaged() -> Iterator[pa.Table]:
        yield table(3)
        raise OSError("ZSTD decompression failed")

    with pytest.raises(OSError, match="ZSTD"):
        spill.spilled(damaged(), name="x")


def _sum(kept: Any) -> int:
    spill.give_back()
    return int(spill.shelved(kept).sum())


def test_a_forked_child_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "_SHELVED", 1)
    kept = spill.shelved(np.arange(1000))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_sum, [kept]).get(timeout=30) == 499_500
