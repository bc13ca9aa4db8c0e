from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.bundle.bundle import REFERENCE, Bundle, write_bundle
from ratchet.bundle.reference import Reference
from ratchet.errors import BundleError

TRAIN = ["the food was good", "the room was bad", "很好吃"]
LABELS = ("bad", "good")


def written(folder: Path, content: bytes) -> Bundle:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "w.bin").write_bytes(b"1")
    return write_bundle(
        folder / "bundle",
        model_folder=folder / "model",
        name="m",
        created="",
        kind="linear",
        labels=LABELS,
        reference=content,
    )


def made() -> Reference:
    found = np.array([[0.9, 0.1], [0.25, 0.75], [0.0, 1.0]], np.float32)
    return Reference.made(TRAIN, ["the food was odd", "zzzz qqqq xxxx", ""], found, labels=LABELS)


def test_it_comes_back_and_counts_what_was_never_seen(tmp_path: Path) -> None:
    found = Reference.of(written(tmp_path, made().to_json()))
    assert found is not None
    assert {name: counts.tolist() for name, counts in found.counts.items()} == {
        name: counts.tolist() for name, counts in made().counts.items()
    }
    cells = found.cells(tuple(found.counts))
    told = {
        name: {cells[name][place]: n for place, n in enumerate(counts.tolist()) if n}
        for name, counts in found.counts.items()
    }
    assert told == {
        "length": {"0": 1, "8 to 15": 1, "16 to 31": 1},
        "script": {"none": 1, "Latin": 2},
        "unknown": {"none": 1, "under a quarter": 1, "half or more": 1},
        "label": {"bad": 1, "good": 2},
        "confidence": {"0.7 to 0.8": 1, "0.9 to 1.0": 2},
    }


def test_a_bundle_without_it_has_none(tmp_path: Path) -> None:
    assert Reference.of(written(tmp_path, b"")) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.pop("seen"),
        lambda kept: kept.update(seen="AAAA"),
        lambda kept: kept.update(seen="?"),
        lambda kept: kept["counts"].update(label=[1]),
        lambda kept: kept["counts"].update(mood=[1]),
        lambda kept: kept["counts"].update(label=[-1, 1]),
    ],
)
def test_a_damaged_one_is_refused_in_a_sentence(tmp_path: Path, change: Callable[[dict[str, object]], object]) -> None:
    kept = json.loads(made().to_json())
    change(kept)
    bundle = written(tmp_path, json.dumps(kept).encode())
    with pytest.raises(BundleError, match=f"{REFERENCE} must hold what the training texts are like"):
        Reference.of(bundle)
