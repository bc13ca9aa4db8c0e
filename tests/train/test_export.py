from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.errors import BundleError
from ratchet.models.encoder import FittedEncoder, build_encoder
from ratchet.models.onnx_model import OnnxModel
from ratchet.recipe.sections import EncoderSpec
from ratchet.train import export as module
from ratchet.train.export import export_onnx

Rows = tuple[list[str], list[str]]


def test_the_graph_predicts_what_the_network_does(tiny: FittedEncoder, valid_rows: Rows, tmp_path: Path) -> None:
    found = export_onnx(tiny, tmp_path / "onnx", texts=valid_rows[0])
    served = OnnxModel.load(tmp_path / "onnx", threads=1)
    assert served.labels == tiny.labels
    np.testing.assert_allclose(served.predict(valid_rows[0]), tiny.predict(valid_rows[0]), atol=1e-5)
    assert (found.attention, found.note, found.opset) == (1, "", 17)
    assert found.max_difference < 1e-5
    assert found.bytes == sum(path.stat().st_size for path in (tmp_path / "onnx").iterdir())
    assert sorted(path.name for path in (tmp_path / "onnx").iterdir()) == [
        "labels.json",
        "meta.json",
        "model.onnx",
        "tokenizer.json",
    ]
    assert json.loads((tmp_path / "onnx" / "meta.json").read_text(encoding="utf-8"))["parameters"] == tiny.parameters


def test_it_writes_the_same_bytes_again_and_leaves_the_encoder_as_it_was(
    tiny: FittedEncoder, valid_rows: Rows, tmp_path: Path
) -> None:
    before = tiny.predict(valid_rows[0])
    attention, training = tiny.network.backbone.config._attn_implementation, tiny.network.training
    for name in ("one", "two"):
        export_onnx(tiny, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert np.array_equal(tiny.predict(valid_rows[0]), before)
    assert (tiny.network.backbone.config._attn_implementation, tiny.network.training) == (attention, training)


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [("bert", None), ("bert", "first"), ("roberta", None), ("roberta", "mean"), ("distilbert", None)],
)
def test_checkpoints_of_several_kinds_export(
    checkpoint: Callable[..., Path], kind: str, pooling: str | None, valid_rows: Rows, tmp_path: Path
) -> None:
    spec = EncoderSpec(source=str(checkpoint(kind, pooling=pooling)), max_tokens=16)
    built = build_encoder(spec, labels=["a", "b"], language="en", texts=[], seed=1, threads=1)
    found = export_onnx(built, tmp_path / "onnx", texts=valid_rows[0])
    assert found.attention == 2
    served = OnnxModel.load(tmp_path / "onnx", threads=1)
    np.testing.assert_allclose(served.predict(valid_rows[0]), built.predict(valid_rows[0]), atol=1e-5)


def test_a_wrong_fusion_is_not_kept(tiny: FittedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnx import numpy_helper

    true = module._fused

    def broken(plain: object, *, config: object) -> tuple[object, int]:
        graph, attention = true(plain, config=config)  # type: ignore[arg-type]
        head = next(tensor for tensor in graph.graph.initializer if tensor.name.endswith("head.bias"))
        head.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(head) + np.float32(0.01), head.name))
        return graph, attention

    monkeypatch.setattr(module, "_fused", broken)
    found = export_onnx(tiny, tmp_path / "onnx")
    assert found.attention == 0
    assert found.note == "the optimizer moved a logit by 0.006"  # .01, and the largest is 1.7
    assert found.max_difference < 1e-5


def test_a_graph_that_disagrees_is_refused(
    tiny: FittedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_difference", lambda *_: 0.5)
    with pytest.raises(BundleError, match=r"must be within 0\.0001 of the network's but differ by 0\.5"):
        export_onnx(tiny, tmp_path / "onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_cannot_be_traced_is_named(
    tiny: FittedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def refuse(*_: object, **__: object) -> None:
        raise torch.onnx.errors.UnsupportedOperatorError("aten::new", 17, None)

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(BundleError, match="'scratch' cannot be written as ONNX: "):
        export_onnx(tiny, tmp_path / "onnx")
