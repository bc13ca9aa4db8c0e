"""A fitted model goes into a bundle and comes out the same: in memory, over REST and for a file."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

import httpx
import numpy as np
import pytest

from ratchet.bundle import Bundle, write_bundle
from ratchet.config import ExportConfig, LinearFeatures, LinearSpec, ServeConfig
from ratchet.models.linear import LinearModel
from ratchet.models.logistic import fit_linear
from ratchet.serve import load_model, parity, predict_file, require_parity
from ratchet.serve.rest import build_app

TEXTS = ["物流很快，下次还会再来", "太差了，再也不来", "质量不错", "包装破损，很失望", "好评", "差评"] * 3
LABELS = ["好", "坏"] * 9
STRANGE = ["", "\x00", "\ud800", "😀", "ａｂｃ", " \n", "好" * 100_000, "e\u0301", "\u202e\ufeff"]


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


def test_a_linear_bundle_is_at_exact_parity(fitted: LinearModel, linear: Bundle) -> None:
    found = parity(fitted, load_model(linear), TEXTS + STRANGE)
    assert (found.max_difference, found.disagreements, found.n) == (0.0, 0, len(TEXTS) + len(STRANGE))
    require_parity(found, config=ExportConfig())


def test_a_linear_bundle_over_rest(fitted: LinearModel, linear: Bundle) -> None:
    app = build_app(linear.path, config=ServeConfig(max_text_bytes=1_000_000))

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://server") as client,
        ):
            await app.state.engine.settled.wait()
            assert app.state.engine.failure is None
            body = json.dumps({"texts": TEXTS + STRANGE})
            return await client.post("/predict", content=body, headers={"Content-Type": "application/json"})

    answer = asyncio.run(run())
    assert answer.status_code == 200
    found = [[row["probabilities"][name] for name in fitted.labels] for row in answer.json()["predictions"]]
    wanted = fitted.predict([text.replace("\ud800", "\ufffd") for text in TEXTS + STRANGE])
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
