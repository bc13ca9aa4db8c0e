"""The contract of every kind of contender, row change and compressor: it wins, and goes the whole road from there."""

from __future__ import annotations

import csv
import json
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from starlette.testclient import TestClient
from tests.augment.conftest import mask_model, writes
from tests.conftest import generate

from ratchet import plugins
from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import load_model
from ratchet.bundle.runtimes import Runtime
from ratchet.compress.compressor import COMPRESSORS, Compressor
from ratchet.contenders.change import Change, Changing
from ratchet.contenders.kind import FoldKind, Training
from ratchet.contenders.material import Material
from ratchet.contenders.registry import KINDS, changes, kinds
from ratchet.contenders.rows import Ints
from ratchet.errors import RatchetError, RecipeError
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe, schema
from ratchet.recipe.registered import full_recipe
from ratchet.recipe.sections import Recipe, Section, ServeConfig
from ratchet.serve.rest import build_app
from ratchet.tasks.registry import task_of

DEEP = "max_tokens: 16, name: mine"


def until_ready(client: TestClient) -> None:
    for _ in range(600):
        if client.get("/readyz").status_code == 200:
            return
        time.sleep(0.05)
    raise AssertionError(client.get("/readyz").text)


SETTINGS = {
    "linear": "{kind: linear, name: mine, features: [{unit: char, low: 1, high: 3}]}",
    "blend": "{kind: blend, name: mine}",
    "centroid": "{kind: centroid, name: mine, width: 512}",
    "encoder": "{kind: encoder, source: scratch, layers: 1, width: 16, heads: 2, vocabulary: 150, epochs: 6, lr: 2e-2,"
    f" batch_tokens: 256, {DEEP}}}",
    "embedding": f"{{kind: embedding, source: CHECKPOINT, {DEEP}}}",
    "tune": "{kind: tune, name: mine, of: linear, trials: 3, folds: 2, space: {C: {low: 1, high: 30, log: true}}}",
    "prompt": "{kind: prompt, name: mine, source: GENERATOR, max_tokens: 128, max_new_tokens: 16}",
    "decoder": "{kind: decoder, name: mine, source: scratch, layers: 1, width: 64, heads: 4, vocabulary: 400, epochs: 16,"
    " lr: 3e-3, max_tokens: 96, max_new_tokens: 12, batch_tokens: 512, system: Label, pretrain: {epochs: 2}}",
    "endpoint": "{kind: endpoint, name: mine, url: 'URL', model: m}",
    "answers": "{kind: answers, name: mine, file: answers.csv}",
}
TURNED = "import sys; [print(*line.split()[1:], *line.split()[:1]) for line in sys.stdin]"
"""A translator that puts the first word of a text at its end."""
MORE = {
    "pseudo": ", confidence: 0.3",
    "augment": ", trials: 2, folds: 2",
    "generate": ", shots: 2, endpoint: {url: 'URL', model: m}",
    "masked": ", source: 'MASKS'",
    "translate": f", command: ['{sys.executable}', -c, '{TURNED}'], command_back: ['{sys.executable}', -c, '{TURNED}']",
}
"""What row changes need to be quick, to make something of a few rows, or beside what is installed; two capitals stand for what
a test has."""


__all__ = ["mask_model"]


def changing(kind: str) -> list[str]:
    """The row changes that a kind is changed by here: all of them for one kind that costs seconds, else the quick ones."""
    return [name for name in changes() if kind == "linear" or name in ("eda", "balance", "shout")]


def challengers(names: Sequence[str], **here: str) -> str:
    """Row changes as challengers."""
    made = ", ".join(f"{{kind: {name}, name: {name}{MORE.get(name, '')}}}" for name in names)
    for word, value in here.items():
        made = made.replace(f"'{word}'", f"'{value}'")
    return made


class CentroidSpec(Section):
    """The nearest mean vector of a label."""

    kind: Literal["centroid"] = "centroid"
    """Which kind of model this is."""
    name: str = ""
    """Its name in verdicts and reports."""
    width: int = 256
    """Entries of a text's vector."""


class CentroidModel:
    """Mean vectors of hashed words; the probability falls with the distance."""

    def __init__(self, labels: Sequence[str], means: npt.NDArray[np.float64]) -> None:
        self.labels, self.means = tuple(labels), means

    def predict(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        score = 20 * vectors(texts, width=self.means.shape[1]) @ self.means.T
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)

    def save(self, folder: Path, /) -> None:
        np.save(folder / "means.npy", self.means, allow_pickle=False)
        (folder / "labels.json").write_text(json.dumps(self.labels), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, threads: int) -> CentroidModel:
        return cls(json.loads((folder / "labels.json").read_bytes()), np.load(folder / "means.npy", allow_pickle=False))


def vectors(texts: Sequence[str], *, width: int) -> npt.NDArray[np.float64]:
    found = np.zeros((len(texts), width))
    for row, text in enumerate(texts):
        for word in text.split():
            found[row, zlib.crc32(word.encode()) % width] += 1
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


class Centroid(FoldKind[CentroidSpec]):
    """A whole kind of contender, as somebody outside would write it."""

    name, spec, runtime = "centroid", CentroidSpec, "centroid"

    def fit(self, spec: CentroidSpec, material: Material, training: Training) -> CentroidModel:
        rows = training.rows
        labels = np.array([*rows.names(material.rows), *material.labels], dtype=object)
        values = vectors([*rows.texts(material.rows), *material.texts], width=spec.width)
        weights = np.ones(len(labels))
        if material.weights is not None:
            weights[: len(material.weights)] = material.weights
        means = [np.average(values[labels == name], axis=0, weights=weights[labels == name]) for name in rows.labels]
        return CentroidModel(rows.labels, np.stack(means))


class ShoutSpec(Section):
    """The champion's own model, trained on the texts in capitals too."""

    kind: Literal["shout"] = "shout"
    """Which kind of model this is."""
    name: str = ""
    """Its name in verdicts and reports."""


class Shout(Change[ShoutSpec]):
    """A whole row change."""

    name, spec = "shout", ShoutSpec

    def material(self, spec: ShoutSpec, changing: Changing, seen: Ints, *, held_out: Ints) -> Material:
        rows = changing.rows
        texts = [text.upper() for text in rows.texts(seen)]
        return Material(rows=seen, texts=texts, labels=rows.names(seen), counts={"augmented": len(texts)})


def halved(source: Path, target: Path) -> None:
    """A whole compressor: half the bits."""
    model = CentroidModel.load(source, 1)
    target.mkdir(parents=True)
    CentroidModel(model.labels, model.means.astype(np.float16)).save(target)


OUTSIDE = {
    "ratchet.contenders": {"centroid": Centroid()},
    "ratchet.changes": {"shout": Shout()},
    "ratchet.compressors": {"half": Compressor(name="half", runtimes=("centroid",), apply=halved)},
    "ratchet.runtimes": {"centroid": Runtime(name="centroid", load=CentroidModel.load)},
}


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Another package is installed, which brings one of each through entry points."""

    def points(group: str) -> list[Any]:
        return [
            SimpleNamespace(name=name, value=f"mine:{name}", load=lambda entry=entry: entry)
            for name, entry in OUTSIDE.get(group, {}).items()
        ]

    monkeypatch.setattr(plugins, "entry_points", points)
    full_recipe.cache_clear()
    yield
    full_recipe.cache_clear()


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Recipe]:
    def make(challengers: str, *overrides: str, rows: int = 300) -> Recipe:
        texts, labels = generate(rows, seed=5)
        with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        further = [*dict.fromkeys(text for text in generate(60, seed=6)[0] if text not in texts)]
        (tmp_path / "u.csv").write_text("\n".join(["text", *further]), encoding="utf-8")
        data = "data: {files: [t.csv], unlabelled: [u.csv]}\n"
        text = f"{data}threads: 1\nsplit: {{near: false}}\nchallengers: [{challengers}]\n"
        blind = "baseline={features: [{unit: char, low: 8, high: 8}], C: 0.0001}"
        return parse_recipe(text, folder=tmp_path, overrides=(blind, *overrides))

    return make


def seen_vectors(model: Any, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Vectors in which the label can be seen: an encoder of two weights a layer sees nothing."""
    made = np.random.default_rng(0).normal(scale=0.01, size=(len(texts), len(model.labels))).astype(np.float32)
    for row, text in enumerate(texts):
        made[row, 0] = any(word in text for word in ("card", "arrive", "delivery", "post", "late"))
        made[row, 1] = any(word in text for word in ("rate", "exchange", "currency", "price", "fee"))
    return made


def generator(folder: Path) -> Path:
    """A small pretrained generator as others publish them; its weights are random, so it knows nothing."""
    from ratchet.generators.decoder import build_decoder
    from ratchet.generators.generators import Shape

    shape = Shape(layers=1, width=16, heads=2, vocabulary=300)
    build_decoder("scratch", texts=["a card"], max_tokens=256, max_new_tokens=16, shape=shape).save(folder)
    return folder


def classifying(*, trained: bool) -> list[Any]:
    """The kinds that answer with a label, by whether their models are trained here; `nearest` answers with texts."""
    names = [kind.name for kind in (*KINDS, Centroid()) if kind.trained == trained and "classification" in kind.tasks]
    return [pytest.param(name, marks=pytest.mark.slow) if name == "decoder" else name for name in names]


@pytest.mark.parametrize("kind", classifying(trained=True))
def test_a_kind_wins_and_is_then_changed_compressed_exported_and_served(
    recipe: Callable[..., Recipe],
    checkpoint: Callable[..., Path],
    server: Any,
    mask_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    settings, overrides = SETTINGS[kind], ["gate.margin=0.2"]
    if kind == "embedding":
        settings = settings.replace("CHECKPOINT", str(checkpoint()))
        monkeypatch.setattr("ratchet.train.embedding._run", seen_vectors)
        overrides += ["export.tolerance=1", "export.disagreement=1"]  # the vectors are invented, the graph's are not
    method = "half" if kind == "centroid" else "int8"
    server.play = writes
    made = challengers(changing(kind), URL=server.url, MASKS=str(mask_model))
    folds = "split.folds=2" if kind in ("encoder", "decoder") else "split.folds=5"
    summary = run(recipe(f"{settings}, {made}", *overrides, folds, f"compress.methods=[{method}]"))
    verdicts = {verdict["name"]: verdict for verdict in summary["verdicts"]}
    assert verdicts["mine"]["promoted"], verdicts["mine"]["line"]
    rows = verdicts["mine"]["n"]
    for name in changing(kind):
        assert verdicts[name]["n"] == rows, f"{name} was judged on other rows"
    bundle = Bundle.open(summary["bundle"]["path"])
    assert bundle.manifest.model["refit_rows"] == rows
    if kind != "decoder":  # no compressor is for its runtime
        small = next(verdict for name, verdict in verdicts.items() if name.endswith(f"-{method}"))
        assert small["n"] == rows
        assert small["outcome"] in ("not_worse", "better")
        assert bundle.manifest.model["kind"] == method
    assert bundle.kind == kinds()[kind].runtime
    texts = ["my card did not arrive", "the exchange rate is wrong"]
    with TestClient(build_app(bundle.path, config=ServeConfig()), base_url="http://127.0.0.1") as client:
        until_ready(client)
        answer = client.post("/predict", json={"texts": texts}).json()["predictions"]
    expected = task_of("classification").served(load_model(bundle).predict(texts), bundle.manifest.model)
    assert [[*one["probabilities"].values()] for one in answer] == [pytest.approx(row, abs=1e-6) for row in expected]


@pytest.mark.parametrize("kind", classifying(trained=False))
def test_a_kind_that_is_not_trained_wins_and_goes_as_far_as_its_flags_say(
    recipe: Callable[..., Recipe], server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    texts, labels = generate(300, seed=5)
    right = dict(zip(texts, labels, strict=True))
    server.play = lambda stage: stage.answer(right[stage.asked.rsplit("Text: ", 1)[1].rsplit("\nLabel:", 1)[0]])
    with (tmp_path / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "prediction"), *right.items()])
    settings = SETTINGS[kind].replace("URL", server.url)
    if kind == "prompt":
        settings = settings.replace("GENERATOR", str(generator(tmp_path / "generator")))
        monkeypatch.setattr(
            "ratchet.generators.decoder.FittedDecoder.choice_nll",
            lambda self, prompts, choices: np.array(
                [[9.0 * (name != right.get(asked[-1].text)) for name in choices] for asked in prompts]
            ),
        )
    made = challengers(changing(kind))
    summary = run(recipe(f"{settings}, {made}", "compress.methods=[int8]"))
    verdicts = {verdict["name"]: verdict for verdict in summary["verdicts"]}
    assert verdicts["mine"]["promoted"], verdicts["mine"]["line"]
    assert not {"mine-int8", *changes()} & {*verdicts}, "nothing is made of what is not trained here"
    bundle = Bundle.open(summary["bundle"]["path"])
    assert (bundle.name == "mine") == kinds()[kind].exported
    if not kinds()[kind].exported:
        return
    assert bundle.kind == kinds()[kind].runtime
    assert bundle.manifest.model["refit_rows"] is None
    wanted = [*right][:2]
    app = build_app(bundle.path, config=ServeConfig(), send_to=bundle.manifest.model.get("sends_to", ""))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        until_ready(client)
        answer = client.post("/predict", json={"texts": wanted}).json()["predictions"]
    assert [one["label"] for one in answer] == [right[text] for text in wanted]


def test_an_unchanged_run_trains_nothing_again(recipe: Callable[..., Recipe]) -> None:
    made = recipe(f"{SETTINGS['centroid']}, {{kind: shout, name: shout}}")
    first = run(made)
    again = run(made)
    assert [verdict["line"] for verdict in again["verdicts"]] == [verdict["line"] for verdict in first["verdicts"]]
    assert {stage["status"] for name, stage in again["stages"].items() if name == "challengers"} == {"skipped"}


def test_the_recipe_knows_what_is_registered() -> None:
    text = json.dumps(schema())
    assert all(f'"{name}"' in text for name in ("centroid", "shout", "half", "linear", "eda", "int8"))


@pytest.mark.parametrize(
    ("recipe_text", "message"),
    [
        ("challengers: [{kind: centroit}]", 'must be one of linear, .* but got the text "centroit".*centroid'),
        ("challengers: [{kind: centroid, wide: 3}]", "challengers.0.wide .* must be a key of challengers.0"),
        ("compress: {methods: [haff]}", 'must be one of prune, int8, half but got the text "haff".*half'),
    ],
)
def test_a_wrong_name_is_one_sentence(tmp_path: Path, recipe_text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"(?s){message}"):
        parse_recipe(recipe_text, folder=tmp_path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (object(), "must be a Kind but is object"),
        (next(iter(KINDS)), "must have a name of its own but got 'linear'"),
    ],
)
def test_what_another_package_brings_must_be_right(
    monkeypatch: pytest.MonkeyPatch, entry: object, message: str
) -> None:
    monkeypatch.setitem(OUTSIDE, "ratchet.contenders", {"x": entry})
    with pytest.raises(RatchetError, match=message):
        kinds()


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="gone", value="no_such_package:KIND", group="ratchet.contenders")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    with pytest.raises(
        RatchetError, match=r"The entry point 'gone' of the group ratchet.contenders .* must be importable"
    ):
        kinds()


@pytest.mark.parametrize("entry", [*KINDS, *changes().values(), *COMPRESSORS], ids=lambda entry: entry.name)
def test_names_are_the_recipes(entry: Any) -> None:
    if isinstance(entry, Compressor):
        assert entry.name in Recipe().compress.methods
    else:
        assert entry.spec.model_fields["kind"].default == entry.name
