from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.compress.quantise import _by_row, quantise_onnx
from ratchet.errors import BundleError
from ratchet.models.encoder import FittedEncoder, build_encoder
from ratchet.models.onnx_model import OnnxModel
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.export import export_onnx

Rows = tuple[list[str], list[str]]


def test_it_is_smaller_and_agrees(exported: Path, tiny: FittedEncoder, valid_rows: Rows, tmp_path: Path) -> None:
    found = quantise_onnx(exported, tmp_path / "int8")
    before, after = (
        OnnxModel.load(folder, threads=1).predict(valid_rows[0]) for folder in (exported, tmp_path / "int8")
    )
    assert float(np.abs(before - after).max()) < 0.1
    assert float((before.argmax(axis=1) == after.argmax(axis=1)).mean()) > 0.95
    assert (found.tables, found.products) == (1, 5)  # words; attention, its output, two feed-forward, the head
    graphs = [(folder / "model.onnx").stat().st_size for folder in (exported, tmp_path / "int8")]
    assert graphs[0] > 1.5 * graphs[1]
    assert found.bytes_after == sum(path.stat().st_size for path in (tmp_path / "int8").iterdir())


@pytest.mark.slow
def test_a_wider_graph_is_nearly_four_times_smaller(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    spec = EncoderSpec(source="scratch", layers=2, width=256, heads=4, vocabulary=99, max_tokens=128)
    built = build_encoder(spec, labels=["a", "b"], language="en", texts=["abc def"] * 9, seed=1, threads=1)
    export_onnx(built, tmp_path / "float")
    quantise_onnx(tmp_path / "float", tmp_path / "int8")
    sizes = [(tmp_path / name / "model.onnx").stat().st_size for name in ("float", "int8")]
    assert sizes[0] / sizes[1] > 3.6


def test_the_same_bytes_come_out_again_and_the_source_stays(exported: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    for name in ("one", "two"):
        quantise_onnx(exported, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before
    meta = json.loads((tmp_path / "one" / "meta.json").read_text(encoding="utf-8"))
    assert (meta["precision"], meta["rows"]) == ("int8", "one")


def test_it_says_nothing_and_leaves_logging_as_it_was(
    exported: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    filters = list(logging.getLogger().filters)
    quantise_onnx(exported, tmp_path / "int8")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().filters == filters
    assert [path.name for path in tmp_path.iterdir()] == ["int8"]


def test_several_at_once_do_not_collide(exported: Path, tmp_path: Path) -> None:
    failures: list[Exception] = []

    def work(name: str) -> None:
        try:
            quantise_onnx(exported, tmp_path / name)
        except BundleError as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(f"{number}",)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    assert len({(tmp_path / f"{number}" / "model.onnx").read_bytes() for number in range(4)}) == 1


def test_int8_is_not_quantised_again(exported: Path, tmp_path: Path) -> None:
    quantise_onnx(exported, tmp_path / "int8")
    with pytest.raises(BundleError, match="must be in float32 but is in int8"):
        quantise_onnx(tmp_path / "int8", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"meta\.json"):
        quantise_onnx(tmp_path / "nowhere", tmp_path / "int8")


def test_each_row_of_a_table_has_its_own_scale() -> None:
    values = np.array([[1.0, -0.5], [100.0, 25.0], [0.0, 0.0]], dtype=np.float32)
    whole, scale = _by_row(values)
    assert whole.tolist() == [[127, -64], [127, 32], [0, 0]]
    np.testing.assert_allclose(whole * scale, values, atol=0.5 * 100 / 127)
    np.testing.assert_allclose((whole * scale)[0], values[0], atol=0.5 / 127)
