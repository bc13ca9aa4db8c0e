"""Work on columns gives the same wherever it is cut and whoever does it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import ExtraMissing, RatchetError
from ratchet.near.scan import scan
from ratchet.recipe.sections import EngineConfig
from ratchet.tables.workers import LOCAL, Threads, engine_of
from ratchet.text import columns as strings

TEXTS = st.lists(st.text(max_size=8) | st.sampled_from(["房间很干净，服务热情", "１２ＡＢ", ""]), max_size=30)
KINDS = st.sampled_from([pa.string(), pa.large_string()])


@settings(max_examples=100, deadline=None)
@given(TEXTS, KINDS, st.integers(1, 40), st.integers(0, 5))
def test_strings_are_read_where_arrow_holds_them(texts: list[str], kind: pa.DataType, size: int, skip: int) -> None:
    array = pa.array(["before", *texts, "behind"], kind).slice(1, len(texts))
    array, texts = array.slice(min(skip, len(texts))), texts[skip:]
    points, lengths = strings.code_points(array)
    assert "".join(map(chr, points.tolist())) == "".join(texts)
    assert lengths.tolist() == [len(text) for text in texts]
    assert [text for piece in strings.pieces(array, size=size) for text in piece.to_pylist()] == texts
    assert [range(a, b) for a, b, _, _ in strings.blocks(array, size=size)] == _cover(
        [len(piece) for piece in strings.pieces(array, size=size)]
    )
    assert strings.holds_nul(array) == any("\0" in text for text in texts)
    for words in ([""], ["", "无", *texts[:1]], texts[:2]):
        ours = [i for i, text in enumerate(texts) if text.strip() in words]
        assert set(ours) <= set(np.flatnonzero(strings.may_be(array, words)).tolist())


def test_a_slice_has_not_too_many_strings_however_short() -> None:
    for array in (pa.nulls(10_000, pa.string()), pa.array([""] * 10_000), pa.array(["好"] * 10_000)):
        counts = [len(piece) for piece in strings.pieces(array, size=3200)]
        assert max(counts) <= 100
        assert sum(counts) == 10_000


def _cover(counts: list[int]) -> list[range]:
    ends = np.cumsum(counts).tolist()
    return [range(end - count, end) for end, count in zip(ends, counts, strict=True)]


def test_a_missing_string_is_no_word() -> None:
    array = pa.array([None, "", " abcdef", "abcdef", "na", "x", "\u3000", None])
    assert strings.may_be(array, ["", "NaN", "na"]).tolist() == [False, True, True, False, True, False, True, False]
    assert not strings.may_be(array, []).tolist()[3]


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.integers(1, 3), st.integers(1, 50))
def test_threads_and_cuts_change_nothing(texts: list[str], threads: int, size: int) -> None:
    array = pa.array(texts, pa.string())
    cut = Threads(threads, piece=size)
    whole = Threads(1)
    assert np.array_equal(cut.map(scan, array), whole.map(scan, array))


def test_an_error_of_the_work_comes_through() -> None:
    def fail(piece: pa.Array) -> npt.NDArray[Any]:
        raise ValueError(f"{len(piece)} strings")

    with pytest.raises(ValueError, match="1 strings"):
        Threads(2, piece=1).map(fail, pa.array(["a", "b"]))


def test_the_default_needs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert engine_of(EngineConfig()) is LOCAL
    with pytest.raises(ExtraMissing, match=r"ray.*pip install 'ratchetml\[ray\]'"):
        engine_of(EngineConfig(kind="ray", address="nowhere"))


CHECK = """
import json, sys
from pathlib import Path
from ratchet.checks import run_checks
from ratchet.checkup.target import open_target
target = open_target(Path(sys.argv[1]), overrides=json.loads(sys.argv[2]))
print(json.dumps(run_checks(target.dataset, config=target.recipe).to_dict(), ensure_ascii=False))
"""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes with a worker each."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    try:
        yield nodes
    finally:
        nodes.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_of_two_finds_the_same(cluster: Any, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text(_table(3_000), encoding="utf-8")
    ray = [f"engine.address={cluster.address}", "engine.kind=ray"]
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", CHECK, str(table), json.dumps(overrides)],
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            ).stdout
        )
        for overrides in ([], ray)
    ]
    assert found[0] == found[1]
    assert {finding["id"] for finding in found[0]["findings"]} >= {"duplicates.exact", "pii.phone", "text.html"}

    import ray as library

    engine = engine_of(EngineConfig(kind="ray", address=cluster.address))
    try:
        pieces = pa.array(["x" * 100] * 400_000, pa.large_string())  # some ten pieces
        owners = engine.map(_owner, pieces)
        assert len(owners) == len(pieces)
        assert len(np.unique(owners)) == 2
        with pytest.raises(RatchetError, match="workers of the Ray cluster must do the work but failed"):
            engine.map(_fails, pa.array(["a"]))
    finally:
        library.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_no_cluster_is_one_line() -> None:
    pytest.importorskip("ray")
    with pytest.raises(RatchetError, match=r"A Ray cluster must answer at engine.address '127.0.0.1:1'"):
        engine_of(EngineConfig(kind="ray", address="127.0.0.1:1"))


def _table(rows: int) -> str:
    lines = ["text,label,phone,day"]
    for i in range(rows):
        word = ("很好", "很差")[i % 2]
        tail = (f"电话13{i % 7:09}", "<br>&nbsp;", "ＡＢＣ", "", "服务热情 &amp; fast")[i % 5]
        lines.append(f"房间{word}第{i % 1_900}次来{tail},{'pos' if i % 2 else 'neg'},139{i:08},2026-01-{i % 28 + 1:02}")
    return "\n".join(lines) + "\n"


def _owner(piece: pa.Array) -> npt.NDArray[Any]:
    import os
    import time

    time.sleep(0.2)  # long enough for the other worker to take the next piece
    return np.full(len(piece), os.getpid())


def _fails(piece: pa.Array) -> npt.NDArray[Any]:
    raise OSError("no space left")
