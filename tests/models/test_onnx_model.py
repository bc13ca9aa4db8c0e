from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ratchet.compress.quantise import quantise_onnx
from ratchet.errors import BundleError
from ratchet.models.onnx_model import TOLERANCE, OnnxModel

Rows = tuple[list[str], list[str]]


@pytest.mark.parametrize("int8", [False, True])
def test_the_other_texts_of_a_call_do_not_matter(exported: Path, valid_rows: Rows, tmp_path: Path, int8: bool) -> None:
    if int8:
        quantise_onnx(exported, tmp_path / "int8")
    model = OnnxModel.load(tmp_path / "int8" if int8 else exported, threads=1)
    texts = valid_rows[0]
    together = model.predict(texts)
    alone = np.concatenate([model.predict([text]) for text in texts])
    shuffled = model.predict(texts[::-1])[::-1]
    limit = 0.0 if int8 else TOLERANCE
    assert float(np.abs(together - alone).max()) <= limit
    assert float(np.abs(together - shuffled).max()) <= limit


@pytest.mark.parametrize("texts", [[], [""], ["\x00", "\ud800", "好" * 10_000, "card " * 10_000]])
def test_any_texts_get_probabilities(exported: Path, texts: list[str]) -> None:
    chances = OnnxModel.load(exported, threads=1).predict(texts)
    assert chances.shape == (len(texts), 3)
    assert chances.dtype == np.float32
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)


def test_what_comes_after_the_cut_is_not_read(exported: Path) -> None:
    model = OnnxModel.load(exported, threads=1)
    head = "card " * (model.tokens.max_bytes // 5 + 1)
    one, two = model.predict([head + "exchange" * 1_000, head + "退款" * 1_000])
    assert np.array_equal(one, two)


def damaged(folder: Path, name: str, contents: bytes | None) -> None:
    if contents is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(contents)


@pytest.mark.parametrize(
    ("name", "contents", "problem"),
    [
        ("model.onnx", None, r"model\.onnx but has none"),
        ("model.onnx", b"", "cannot be loaded"),
        ("model.onnx", b"nonsense", "cannot be loaded"),
        ("tokenizer.json", None, r"readable tokenizer\.json"),
        ("tokenizer.json", b"{}", "must be a tokenizer"),
        ("tokenizer.json", b"\xff\xfe", r"readable tokenizer\.json"),
        ("labels.json", None, r"readable labels\.json"),
        ("labels.json", b"[", "must be JSON"),
        ("labels.json", b"{}", "must hold a list"),
        ("labels.json", b'["a", "b"]', "must name 3 labels, as the graph has, but has 2"),
        ("meta.json", None, r"readable meta\.json"),
        ("meta.json", b"[]", "must hold a dict"),
        ("meta.json", b'{"format": 7}', "format 1 or 2 but got 7"),
        ("meta.json", b'{"format": 1, "max_tokens": "x", "pad_id": 0}', "whole number 'max_tokens' but got 'x'"),
        ("meta.json", b'{"format": 1, "max_tokens": 9, "pad_id": -1}', "whole number 'pad_id' but got -1"),
    ],
)
def test_a_damaged_folder_is_named(
    exported: Path, tmp_path: Path, name: str, contents: bytes | None, problem: str
) -> None:
    folder = tmp_path / "onnx"
    shutil.copytree(exported, folder)
    damaged(folder, name, contents)
    with pytest.raises(BundleError, match=problem):
        OnnxModel.load(folder)


SERVED = """
import os, sys
from pathlib import Path
from ratchet.models.onnx_model import OnnxModel
chances = OnnxModel.load(Path(sys.argv[1]), threads=1).predict(["card late", "退款"])
print(chances.shape, sorted({"torch", "transformers", "onnx", "sklearn", "scipy", "pandas"} & set(sys.modules)))
"""


def test_serving_needs_no_torch_and_leaves_nothing_on_the_disk(exported: Path, tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name and name != "HF_HOME"}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SERVED, str(exported)],
        capture_output=True, text=True, check=True, cwd=here, env=environment,
    )  # fmt: skip
    assert done.stdout.strip() == "(2, 3) []"
    assert done.stderr == ""
    assert list(home.rglob("*")) == []
    assert list(here.rglob("*")) == []


def test_the_meta_file_says_how_texts_are_cut(exported: Path) -> None:
    meta = json.loads((exported / "meta.json").read_text(encoding="utf-8"))
    assert (meta["max_tokens"], meta["rows"], meta["precision"], meta["opset"]) == (24, "packed", "float32", 17)
