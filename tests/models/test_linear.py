from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ratchet.errors import BundleError
from ratchet.models.linear import LinearModel
from ratchet.models.linear_fit import fit_linear, fit_majority
from ratchet.recipe.sections import BlendSpec, LinearFeatures, LinearSpec

Rows = tuple[list[str], list[str]]
WIDE = LinearSpec(features=(LinearFeatures(high=3, sublinear=True),), C=10)
SPECS = {
    "char": WIDE,
    "word and char": LinearSpec(
        features=(LinearFeatures(unit="word"), LinearFeatures(low=2, high=4, min_df=2, sublinear=True)), C=10
    ),
    "nb": LinearSpec(features=(LinearFeatures(high=3, weighting="nb"),), C=10),
    "blend": BlendSpec(members=(WIDE, LinearSpec(features=(LinearFeatures(high=3, weighting="nb"),)))),
}
ODD = ["", " ", "\x00", "\ud800", "💥💥", "zzzz", "退款" * 200, "ＣＡＲＤ　ｌａｔｅ", "card\ud83d late"]

ALONE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"sklearn", "scipy", "torch", "pandas", "pyarrow", "pydantic", "transformers"}:
            raise ImportError(name)

sys.meta_path.insert(0, Blocker())
import json, pathlib
from ratchet.models.linear import LinearModel
model = LinearModel.load(sys.argv[1])
texts = json.loads(pathlib.Path(sys.argv[2]).read_text("utf-8"))
sys.stdout.buffer.write(model.predict(texts).tobytes())
"""


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("labels", [2, 3])
def test_saved_and_loaded_it_predicts_the_same_bits(
    name: str, labels: int, tmp_path: Path, train_rows: Rows, valid_rows: Rows
) -> None:
    texts, targets = train_rows
    if labels == 2:
        targets = ["退款" if target == "退款" else "other" for target in targets]
    model = fit_linear(texts, targets, spec=SPECS[name], seed=1)
    size = model.save(tmp_path)
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())
    loaded = LinearModel.load(tmp_path)
    assert loaded.labels == model.labels == tuple(sorted(set(targets)))
    probe = [*valid_rows[0], *ODD]
    before, after = model.predict(probe), loaded.predict(probe)
    assert before.dtype == np.float32
    assert before.shape == (len(probe), labels)
    assert np.array_equal(before, after)
    assert np.isfinite(before).all()
    np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-6)


def test_predicts_with_numpy_alone(tmp_path: Path, train_rows: Rows, valid_rows: Rows) -> None:
    model = fit_linear(*train_rows, spec=SPECS["blend"], seed=1)
    model.save(tmp_path / "model")
    (tmp_path / "texts.json").write_text(json.dumps(valid_rows[0]), encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", ALONE, str(tmp_path / "model"), str(tmp_path / "texts.json")]
    answer = subprocess.run(command, capture_output=True, check=True).stdout
    assert answer == model.predict(valid_rows[0]).tobytes()


@pytest.mark.parametrize("labels", [2, 3])
def test_a_text_is_scored_by_itself(
    labels: int, train_rows: Rows, valid_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, targets = train_rows
    if labels == 2:
        targets = [(target[:1] > "d" and "b") or "a" for target in targets]
    model = fit_linear(texts, targets, spec=SPECS["word and char"], seed=1)
    probe = [*valid_rows[0], *ODD]
    together = model.predict(probe)
    assert np.array_equal(together, np.concatenate([model.predict([text]) for text in probe]))
    monkeypatch.setattr("ratchet.models.linear._BLOCK_CHARACTERS", 64)
    monkeypatch.setattr("ratchet.models.linear._BLOCK_TEXTS", 3)
    assert np.array_equal(together, model.predict(probe))
    assert model.predict([]).shape == (0, labels)


def test_a_long_text(train_rows: Rows) -> None:
    model = fit_linear(*train_rows, spec=SPECS["blend"], seed=1)
    long = "card 退款 abc! " * 80_000
    short = model.predict(["card 退款 abc! " * 8])
    assert np.abs(model.predict([long]) - short).max() < 0.1


def test_members_count_shared_ngrams_once(train_rows: Rows) -> None:
    model = fit_linear(*train_rows, spec=SPECS["blend"], seed=1)
    assert len(model.members) == 2
    assert len(model.vocabularies) == 1
    assert model.features == len(model.vocabularies[0])


def test_majority_is_saved_too(tmp_path: Path) -> None:
    model = fit_majority(["b", "a", "b", "b"])
    model.save(tmp_path)
    answer = LinearModel.load(tmp_path).predict(["x", ""])
    np.testing.assert_allclose(answer, [[0.25, 0.75]] * 2, atol=1e-7)


def damage_digest(folder: Path) -> None:
    data = bytearray((folder / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(bytes(data))


def drop_a_file(folder: Path) -> None:
    (folder / "vocabulary.json").unlink()


def other_format(folder: Path) -> None:
    (folder / "model.json").write_text('{"format": "ratchet-linear-99"}', encoding="utf-8")


def not_json(folder: Path) -> None:
    (folder / "model.json").write_bytes(b"\xff\x00")


def wrong_member(folder: Path) -> None:
    meta = json.loads((folder / "model.json").read_bytes())
    meta["members"][0]["blocks"][0]["vocabulary"] = 7
    (folder / "model.json").write_text(json.dumps(meta), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_digest, "weights.safetensors must have the sha256"),
        (drop_a_file, "vocabulary.json must exist"),
        (other_format, "must be of the format ratchet-linear-1 or ratchet-linear-2 but got ratchet-linear-99"),
        (not_json, "must be of the format ratchet-linear-1 or ratchet-linear-2 but got None"),
        (wrong_member, "do not fit together"),
    ],
)
def test_a_damaged_folder_is_refused(damage: object, message: str, tmp_path: Path, train_rows: Rows) -> None:
    fit_linear(*train_rows, spec=WIDE, seed=1).save(tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(BundleError, match=message):
        LinearModel.load(tmp_path)
