"""A served bundle whose model writes answers conversations, too."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from tests.generators.test_decoder import SMALL, TEXTS, loud

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.generators.decoder import build_decoder
from ratchet.generators.generated import DecoderModel
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.chat import writes
from ratchet.serve.front import fronted
from ratchet.serve.rest import build_app

ASKED = {"model": "tiny", "messages": [{"role": "user", "content": "What is the rate?"}]}


def _bundle(folder: Path) -> Bundle:
    decoder = loud(build_decoder("scratch", texts=TEXTS, max_tokens=96, max_new_tokens=24, shape=SMALL, threads=1))
    model = DecoderModel(decoder=decoder)
    (folder / "model").mkdir()
    model.save(folder / "model")
    return write_bundle(
        folder / "bundle",
        model_folder=folder / "model",
        name="tiny",
        created="2026-11-28T08:00:00Z",
        kind="decoder",
        labels=model.labels,
        task="generation",
    )


@pytest.fixture
def writing(tmp_path: Path) -> Bundle:
    return _bundle(tmp_path)


def _post(client: TestClient, **headers: str) -> httpx.Response:
    """Once the model is loaded."""
    for _ in range(400):
        got: httpx.Response = client.post("/v1/chat/completions", json=ASKED, headers=headers)
        if got.status_code != 503:
            break
        assert got.json()["error"]["code"] == "not_ready"
        time.sleep(0.05)
    return got


def test_the_same_text_by_both_ways(writing: Bundle) -> None:
    with TestClient(build_app(writing.path, config=ServeConfig(workers=1)), base_url="http://localhost") as client:
        got = _post(client)
        assert got.headers["x-ratchet-arm"] == "bundle"
        predicted = client.post("/predict", json={"text": "What is the rate?"}).json()["predictions"][0]["text"]
        assert got.json()["choices"][0]["message"]["content"] == predicted
        assert client.get("/v1/models").json()["data"][0]["id"] == "tiny"


def test_the_key_is_asked_for(writing: Bundle) -> None:
    config = ServeConfig(workers=1)
    app = fronted(build_app(writing.path, config=config, keyed=True), config=config, api_key="client-key")
    with TestClient(app, base_url="http://elsewhere") as client:
        assert _post(client).status_code == 401
        assert _post(client, Authorization="Bearer client-key").status_code == 200


def test_a_name_that_is_not_its_own_is_refused(writing: Bundle) -> None:
    config = ServeConfig(workers=1)
    app = fronted(build_app(writing.path, config=config), config=config)
    with TestClient(app, base_url="http://evil.example") as client:
        assert client.post("/v1/chat/completions", json=ASKED).status_code == 421


def test_other_bundles_have_no_such_routes(bundle: Bundle) -> None:
    assert not writes(bundle)
    with TestClient(build_app(bundle.path, config=ServeConfig()), base_url="http://localhost") as client:
        assert client.post("/v1/chat/completions", json=ASKED).status_code == 404
