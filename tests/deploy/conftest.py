"""A small bundle that can really be served, with a Chinese name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.deploy.memory import MIB, Memory
from ratchet.deploy.pod import Scale
from ratchet.deploy.service import Service
from ratchet.endpoint.model import Asking, EndpointModel
from ratchet.models.linear_fit import fit_linear
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.recipe.sections import LinearFeatures, LinearSpec

IMAGE = "registry.example.com:5000/team/reviews:1.0"
SCALE = Scale(memory=Memory(request=96 * MIB, limit=256 * MIB))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("served")
    texts, labels = ["物流很快", "太差了", "好评", "差评"] * 4, ["好", "坏"] * 8
    model = fit_linear(texts, labels, spec=LinearSpec(features=(LinearFeatures(),)), seed=1)
    model.save(folder / "model")
    return write_bundle(
        folder / "bundle",
        model_folder=folder / "model",
        name="评论: no",
        created="2026-11-24T08:00:00Z",
        kind="linear",
        labels=model.labels,
    )


@pytest.fixture
def service(bundle: Bundle) -> Service:
    return Service.of(bundle.path)


@pytest.fixture
def asking(tmp_path: Path) -> Bundle:
    """A bundle whose model asks an endpoint that is not there, with a key."""
    (tmp_path / "prompt").mkdir()
    spec = EndpointSpec(url="http://127.0.0.1:9/v1", model="m", key="ENDPOINT_KEY", retries=0, timeout=2)
    model = EndpointModel(Asking(spec=spec, examples=(), task="classification", names=("好", "坏")))
    model.save(tmp_path / "prompt")
    return write_bundle(
        tmp_path / "asking",
        model_folder=tmp_path / "prompt",
        name="asks",
        created="2026-11-24T08:00:00Z",
        kind="endpoint",
        labels=model.labels,
    )
