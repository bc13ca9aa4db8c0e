"""A fitted model goes into a bundle and comes out the same: in memory, over REST and for a file."""

from __future__ import annotations

import asyncio
import copy
import csv
import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path

import httpx
import numpy as np
import pytest

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.errors import RatchetError
from ratchet.models.encoder import FittedEncoder
from ratchet.models.linear import LinearModel
from ratchet.models.linear_fit import fit_linear
from ratchet.recipe.sections import ExportConfig, LinearFeatures, LinearSpec, ServeConfig
from ratchet.serve import load_model, parity, predict_file, require_parity
from ratchet.serve.rest import build_app
from ratchet.tasks.classification import Classification
from ratchet.train.export import export_onnx

CLASSES = Classification()

TEXTS = ["物流很快，下次还会再来", "太差了，再也不来", "质量不错", "包装破损，很失望", "好评", "差评"] * 3
LABELS = ["好", "坏"] * 9
STRANGE = ["", "\x00", "\ud800", "😀", "ａｂｃ", " \n", "好" * 100_000, "e\u0301", "\u202e\ufeff"]
SENT = [text for text in TEXTS + STRANGE if text.strip() and text != "\ud800"]
"""What a server takes: no text that is empty, none with half a character."""


@pytest.fixture(scope="module")
def fitted() -> LinearModel:
    return fit_linear(TEXTS, LABELS, spec=LinearSpec(features=(LinearFeatures(),)), seed=1)


@pytest.fixture
def linear(fitted: LinearModel, tmp_path: Path) -> Bundle:
    fitted.save(tmp_path / "model")
    return write_bundle(
        tmp_path / "bundle",
        model_folder=tmp_path / "model",
        name="reviews",
        created="2026-11-24T08:00:00Z",
        kind="linear",
        labels=fitted.labels,
    )


@pytest.fixture(scope="module")
def onnx(tiny: FittedEncoder, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(tiny, folder / "model")
    return write_bundle(
        folder / "bundle",
        model_folder=folder / "model",
        name="tiny",
        created="2026-11-24T08:00:00Z",
        kind="onnx",
        labels=tiny.labels,
    )


def test_an_onnx_bundle_is_at_parity(tiny: FittedEncoder, onnx: Bundle) -> None:
    require_parity(parity(tiny, load_model(onnx, threads=1), TEXTS + STRANGE, task=CLASSES), config=ExportConfig())


def test_an_onnx_bundle_over_rest(tiny: FittedEncoder, onnx: Bundle) -> None:
    found = _over_rest(onnx, labels=tiny.labels)
    np.testing.assert_allclose(found, tiny.predict(SENT), atol=2e-5)


def test_bundles_are_served_without_what_trained_them(linear: Bundle, onnx: Bundle) -> None:
    code = (
        "import sys; from ratchet.serve import load_model\n"
        "for path in sys.argv[1:]: assert load_model(path, threads=1).predict(['好评', '']).shape[0] == 2\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'scipy', 'pandas', 'onnx', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, str(linear.path), str(onnx.path)], check=True)


def test_a_linear_bundle_is_at_exact_parity(fitted: LinearModel, linear: Bundle) -> None:
    found = parity(fitted, load_model(linear), TEXTS + STRANGE, task=CLASSES)
    assert (found.max_difference, found.disagreements, found.n) == (0.0, 0, len(TEXTS) + len(STRANGE))
    require_parity(found, config=ExportConfig())


def _over_rest(bundle: Bundle, *, labels: Sequence[str]) -> list[list[float]]:
    app = build_app(bundle.path, config=ServeConfig(max_text_bytes=1_000_000))

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await app.state.engine.settled.wait()
            assert app.state.engine.failure is None
            body = json.dumps({"texts": SENT})
            return await client.post("/predict", content=body, headers={"Content-Type": "application/json"})

    answer = asyncio.run(run())
    assert answer.status_code == 200
    return [[row["probabilities"][name] for name in labels] for row in answer.json()["predictions"]]


def test_a_linear_bundle_over_rest(fitted: LinearModel, linear: Bundle) -> None:
    found = _over_rest(linear, labels=fitted.labels)
    wanted = fitted.predict(SENT)
    np.testing.assert_allclose(found, wanted, atol=1e-7)


def test_a_linear_bundle_for_a_file(fitted: LinearModel, linear: Bundle, tmp_path: Path) -> None:
    source = tmp_path / "x.csv"
    with source.open("w", encoding="gb18030", newline="") as writer:
        csv.writer(writer).writerows([["text"], *([text] for text in TEXTS)])
    done = predict_file(linear, source)
    with done.target.open(encoding="gb18030", newline="") as reader:
        found = list(csv.DictReader(reader))
    wanted = fitted.predict(TEXTS)
    assert [row["prediction"] for row in found] == [fitted.labels[best] for best in wanted.argmax(axis=1)]
    np.testing.assert_allclose([float(row["probability"]) for row in found], wanted.max(axis=1), atol=1e-6)


FORGED = [None, 0, -1, 1e308, "", "x", [], {}, [[]], True, "a" * 100_000, ["a", "a"], {"a": {}}, "../../etc", 2**70]


def places(value: object, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield before
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*before, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value[:2]):
            yield from places(inner, (*before, place))


def opened(folder: Path) -> str:
    """What becomes of a bundle: it answers as its labels say, or one line says why not."""
    try:
        bundle = Bundle.open(folder)
        model = load_model(bundle, threads=1)
        assert model.predict(["hello", "好", ""]).shape == (3, len(model.labels))
    except RatchetError as error:
        line = str(error)
        assert "\n" not in line
        assert len(line) < 2_500
        return "refused"
    return "answers"


def test_a_forged_manifest_is_refused_or_answers(linear: Bundle) -> None:
    sound = json.loads((linear.path / "manifest.json").read_text(encoding="utf-8"))
    found = Counter()
    for place in list(places(sound))[1:]:
        for value in [*FORGED, KeyError]:
            forged = copy.deepcopy(sound)
            owner = reduce(lambda inner, key: inner[key], place[:-1], forged)
            if value is KeyError:
                del owner[place[-1]]
            else:
                owner[place[-1]] = value
            (linear.path / "manifest.json").write_text(json.dumps(forged), encoding="utf-8")
            found[opened(linear.path)] += 1
    assert found["refused"] > 200
    assert found["answers"] > 20  # such as another date, or another name


def forge(bundle: Bundle, target: Path, file: str, *, dice: random.Random) -> None:
    """A copy of the bundle with one damaged file, whose hash the manifest has right."""
    shutil.copytree(bundle.path, target)
    data = bytearray((target / file).read_bytes())
    place = dice.randrange(len(data))
    kind = dice.choice(["bytes", "cut", "piece", "drop"])
    if kind == "bytes":
        for _ in range(dice.randint(1, 5)):
            data[dice.randrange(len(data))] = dice.randrange(256)
    elif kind == "cut":
        del data[place:]
    elif kind == "piece":
        data[place:place] = dice.choice([b"9" * 30, b"null", b"[", b"\xff", b"-1", b'"', b"[" * 5_000])
    else:
        del data[place : place + dice.randint(1, 50)]
    (target / file).write_bytes(data)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["files"]:
        if entry["path"] == file:
            entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (target / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("kind", ["linear", pytest.param("onnx", marks=pytest.mark.slow)])
def test_forged_model_files_are_refused_or_answer(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    dice = random.Random(5)
    for file in [entry.path for entry in bundle.manifest.files if entry.path.startswith("model/")]:
        for _ in range(40 if kind == "linear" else 60):
            forge(bundle, tmp_path / "forged", file, dice=dice)
            opened(tmp_path / "forged")
            shutil.rmtree(tmp_path / "forged")


def test_neighbours_change_no_prediction_of_a_linear_model(fitted: LinearModel) -> None:
    together = fitted.predict(TEXTS + STRANGE)
    alone = np.concatenate([fitted.predict([text]) for text in TEXTS + STRANGE])
    np.testing.assert_array_equal(together, alone)
