"""A prompt as a bundle: saved, loaded, served and asked for a file."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from ratchet.bundle import runtimes
from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.bundle.predict import load_model, require_consent
from ratchet.cli.main import cli
from ratchet.endpoint.key import EndpointError, NoAnswer
from ratchet.endpoint.model import FILE, Asking, EndpointModel, sends_to
from ratchet.errors import BundleError, ExtraMissing, RecipeError
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.listen import serve
from ratchet.serve.rest import build_app

LABELS = ("ham", "spam")


@pytest.fixture
def bundle(server: Any, tmp_path: Path) -> Callable[..., Bundle]:
    def make(*, url: str = "", **more: Any) -> Bundle:
        spec = EndpointSpec(**{"url": url or server.url, "model": "m", "retries": 0, "timeout": 5, **more})
        folder = tmp_path / "model"
        folder.mkdir()
        EndpointModel(Asking(spec=spec, examples=(), task="classification", names=LABELS)).save(folder)
        write_bundle(
            tmp_path / "b",
            model_folder=folder,
            name="llm",
            created="2026-01-01T00:00:00+00:00",
            kind="endpoint",
            labels=LABELS,
            language="en",
            text_column="text",
            fixes=(),
            task="classification",
            model={"sends_to": spec.url},
            data_version="",
            recipe="",
            verdicts=[],
            scores={},
            environment={},
        )
        return Bundle.open(tmp_path / "b")

    return make


def answer(stage: Any) -> None:
    stage.answer("spam" if "prize" in stage.asked.split("Text:")[-1] else "ham")


def client(bundle: Bundle, *, send_to: str) -> TestClient:
    return TestClient(build_app(bundle.path, config=ServeConfig(), send_to=send_to), base_url="http://127.0.0.1")


def ready(app: TestClient) -> bool:
    return any(app.get("/readyz").status_code == 200 for _ in range(300))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    spec = EndpointSpec(model="m", key="MY_KEY", prompt="{{ examples }} {{ text }}", shots=1)
    example = {"text": "a", "label": "ham"}
    asking = Asking(spec=spec, examples=(example,), task="classification", names=LABELS, column="review")
    EndpointModel(asking).save(tmp_path)
    assert EndpointModel.load(tmp_path).asking == asking
    assert str(sends_to(tmp_path)) == f"{spec.url}, with the key in MY_KEY"


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"format": "ratchet-endpoint-2"}', b"\xff"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(BundleError, match="must hold a prompt and an address"):
        EndpointModel.load(tmp_path)


def test_the_text_may_be_called_by_its_column_and_other_columns_are_refused() -> None:
    spec = EndpointSpec(model="m", prompt="{{ review }}")
    asking = Asking(spec=spec, examples=(), task="classification", names=LABELS, column="review")
    EndpointModel(asking).require_text_alone()
    with pytest.raises(RecipeError, match="got 'review'"):
        EndpointModel(Asking(spec=spec, examples=(), task="classification", names=LABELS)).require_text_alone()


def test_a_bundle_is_served(bundle: Callable[..., Bundle], server: Any) -> None:
    server.play = answer
    with client(bundle(), send_to=server.url) as app:
        assert ready(app)
        assert not server.requests, "loading it costs nothing"
        found = app.post("/predict", json={"texts": ["a prize for you", "see you at noon"]}).json()["predictions"]
    assert [one["label"] for one in found] == ["spam", "ham"]
    assert len(server.requests) == 2


def test_no_usable_answer_is_502_and_never_a_label(bundle: Callable[..., Bundle], server: Any) -> None:
    server.play = lambda stage: stage.answer("I would rather not say")
    with client(bundle(), send_to=server.url) as app:
        assert ready(app)
        answered = app.post("/predict", json={"text": "a secret text"})
    assert answered.status_code == 502
    assert answered.json()["error"]["type"] == "no_answer"
    assert "text 1 got no usable answer: no label named" in answered.json()["error"]["message"]
    assert "predictions" not in answered.json()
    assert "secret" not in answered.text


@pytest.mark.parametrize(
    "play",
    [lambda stage: stage.json(503, {"error": "busy"}), lambda stage: stage.drop(), lambda stage: stage.json(401, {})],
    ids=["503", "dropped", "401"],
)
def test_an_endpoint_out_of_order_is_503(bundle: Callable[..., Bundle], server: Any, play: Any) -> None:
    server.play = play
    with client(bundle(), send_to=server.url) as app:
        assert ready(app)
        answered = app.post("/predict", json={"text": "a"})
        assert answered.status_code == 503
        assert answered.json()["error"]["type"] == "endpoint_unavailable"
        server.play = answer
        assert app.post("/predict", json={"text": "a"}).status_code == 200, "it goes on when the endpoint does"


def test_an_endpoint_that_is_gone_is_503(bundle: Callable[..., Bundle]) -> None:
    gone = "http://127.0.0.1:9/v1"
    with client(bundle(url=gone), send_to=gone) as app:
        assert ready(app)
        assert app.post("/predict", json={"text": "a"}).status_code == 503


def test_predict_raises_what_happened(bundle: Callable[..., Bundle], server: Any) -> None:
    model = load_model(bundle(), send_to=server.url)
    server.play = lambda stage: stage.answer("?" if "two" in stage.asked else "ham")
    with pytest.raises(NoAnswer, match="text 2 got no usable answer"):
        model.predict(["one", "two"])
    server.play = lambda stage: stage.drop()
    with pytest.raises(EndpointError):
        model.predict(["three"])


@pytest.mark.parametrize("send_to", ["", "http://127.0.0.1:1/v1"])
def test_texts_are_sent_nowhere_without_consent(bundle: Callable[..., Bundle], server: Any, send_to: str) -> None:
    made = bundle(key="AWS_SECRET_ACCESS_KEY")
    for refused in (
        lambda: require_consent(made, send_to=send_to),
        lambda: load_model(made, send_to=send_to),
        lambda: build_app(made.path, config=ServeConfig(), send_to=send_to),
        lambda: serve(made.path, config=ServeConfig(port=0), send_to=send_to),
    ):
        with pytest.raises(BundleError) as caught:
            refused()
        assert f"sends every text to {server.url}, with the key in AWS_SECRET_ACCESS_KEY" in str(caught.value)
        assert f"--send-to {server.url}" in str(caught.value)
    assert not server.requests


def test_a_bundle_that_sends_nothing_needs_no_consent(bundle: Callable[..., Bundle], server: Any) -> None:
    assert require_consent(bundle(), send_to=server.url + "/") is not None
    assert runtimes.destination_of(Path(), "linear") is None


def test_the_server_says_where_texts_go_before_it_listens(bundle: Callable[..., Bundle], server: Any) -> None:
    made = bundle()
    command = [sys.executable, "-m", "ratchet", "serve", str(made.path), "--port", "0", "--send-to", server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        process.terminate()
    assert first == f"Every text is sent to {server.url}.\n"
    assert second.startswith("Serving llm on http://127.0.0.1:")


def test_a_file_is_predicted(bundle: Callable[..., Bundle], server: Any, tmp_path: Path) -> None:
    server.play = answer
    made = bundle()
    table = tmp_path / "t.csv"
    table.write_text("id,text\n1,a prize for you\n2,see you\n", encoding="utf-8")
    refused = CliRunner().invoke(cli, ["predict", str(made.path), str(table)])
    assert isinstance(refused.exception, BundleError)
    done = CliRunner().invoke(cli, ["predict", str(made.path), str(table), "--send-to", server.url])
    assert done.exit_code == 0, done.output
    with (tmp_path / "t.predictions.csv").open(encoding="utf-8", newline="") as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == ["spam", "ham"]
    server.play = lambda stage: stage.answer("?")
    table.write_text("id,text\n1,other\n", encoding="utf-8")
    failed = CliRunner().invoke(cli, ["predict", str(made.path), str(table), "--send-to", server.url])
    assert isinstance(failed.exception, NoAnswer)


def test_without_httpx_it_is_said_what_to_install(
    bundle: Callable[..., Bundle], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bundle()
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"needs the package 'httpx'.*pip install 'ratchetml\[endpoint\]'"):
        load_model(made, send_to=server.url)
