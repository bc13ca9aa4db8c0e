"""Every task is served: bundles of real models over REST, for a file, and at /openapi.json."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.bundle.predict import Mending
from ratchet.cli.main import cli
from ratchet.errors import BundleError, DataError, RatchetError
from ratchet.models.constant import ConstantModel
from ratchet.models.inputs import Inputs, joined
from ratchet.models.linear_fit import Corpus, fit_linear, fit_rows
from ratchet.models.model import Model
from ratchet.models.nearest import NearestModel
from ratchet.models.targets import Targets
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import FeatureKind, LinearFeatures, LinearSpec, ServeConfig
from ratchet.serve import load_model, predict_file
from ratchet.serve.messages import Refused, read_texts
from ratchet.serve.rest import build_app
from ratchet.serve.rows import Fields

TEXTS = [f"房间{'很好' if n % 2 else '很脏'}，早餐{'丰富' if n % 3 else '难吃'}{n}" for n in range(40)]
SPEC = LinearSpec(features=(LinearFeatures(low=1, high=2),), C=5)
FACTS = {"half_width": 0.5, "coverage": 0.9}
Write = Callable[..., Bundle]


def fitted(task: str) -> Model:
    if task == "classification":
        return fit_linear(TEXTS, ["好" if n % 2 else "坏" for n in range(40)], spec=SPEC, seed=1)
    if task == "multilabel":
        sets = [[*(["房间"] if n % 2 else []), *(["早餐"] if n % 3 else [])] for n in range(40)]
        return fit_linear(TEXTS, Targets.of_sets(sets), spec=SPEC, seed=1)
    if task == "regression":
        return fit_linear(TEXTS, Targets.of_values([n % 2 + n % 3 for n in range(40)]), spec=SPEC, seed=1)
    return NearestModel.fit(TEXTS, [f"答{n}" for n in range(40)], low=1, high=3)


KINDS = {"classification": "linear", "multilabel": "linear", "regression": "linear", "generation": "nearest"}
ANSWERS: dict[str, set[str]] = {
    "classification": {"label", "probability", "probabilities"},
    "multilabel": {"labels", "probabilities"},
    "regression": {"value", "low", "high"},
    "generation": {"text"},
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(task: str, model: Model | None = None, **more: Any) -> Bundle:
        model = model or fitted(task)
        folder = tmp_path / f"model-{task}"
        folder.mkdir()
        model.save(folder)
        facts = {"kind": KINDS[task], "model": FACTS if task == "regression" else {}, **more}
        return write_bundle(
            tmp_path / f"bundle-{task}",
            model_folder=folder,
            name=task,
            created="2026-11-24T08:00:00Z",
            labels=model.labels,
            task=task,
            **facts,
        )

    return make


def ask(
    bundle: Bundle, *bodies: Any, path: str = "/predict", config: ServeConfig | None = None
) -> list[httpx.Response]:
    """The answers to bodies (bytes as they are), or to one GET of another path."""
    app = build_app(bundle.path, config=config or ServeConfig())

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await app.state.engine.settled.wait()
            assert app.state.engine.failure is None, app.state.engine.failure
            if path != "/predict":
                return [await client.get(path)]
            sent = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
            headers = {"Content-Type": "application/json"}
            return [await client.post(path, content=body, headers=headers) for body in sent]

    return asyncio.run(run())


@pytest.mark.parametrize("task", KINDS)
def test_a_bundle_answers_as_its_task_and_its_schema_say(write: Write, task: str) -> None:
    bundle = write(task)
    (answer,) = ask(bundle, {"texts": TEXTS[:5]})
    assert answer.status_code == 200
    predictions = answer.json()["predictions"]
    assert [set(one) for one in predictions] == [ANSWERS[task]] * 5
    (document,) = ask(bundle, path="/openapi.json")
    components = document.json()["components"]
    schema = {"$ref": "#/components/schemas/PredictResponse", "components": components}
    jsonschema.validate(answer.json(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**answer.json(), "predictions": [{"other": 1}]}, schema)


@pytest.mark.parametrize("task", KINDS)
def test_a_prediction_does_not_depend_on_its_neighbours(write: Write, task: str) -> None:
    texts = [*TEXTS, "一句新的话", "x"]
    together, *alone = ask(write(task), {"texts": texts}, *({"text": text} for text in texts))
    assert together.json()["predictions"] == [answer.json()["predictions"][0] for answer in alone]


def test_a_label_is_answered_byte_for_byte_as_before(write: Write) -> None:
    class Fixed:
        labels = ("坏", "好")

        def predict(self, texts: Sequence[str], /) -> np.ndarray:
            return np.array([[0.1, 0.9], [0.75, 0.25]] * 3, np.float32)[: len(texts)]

    bundle = write("classification")
    app = build_app(bundle.path, config=ServeConfig(), model=Fixed())
    answering = next(route for route in app.routes if getattr(route, "path", "") == "/predict").endpoint.__self__  # type: ignore[attr-defined]
    body = answering._first.written(Fixed().predict(["a", "b"]))
    assert body.decode() == (
        f'{{"model":"classification","bundle":"{bundle.sha256[:12]}","predictions":['
        '{"label":"好","probability":0.9,"probabilities":{"坏":0.1,"好":0.9}},'
        '{"label":"坏","probability":0.75,"probabilities":{"坏":0.75,"好":0.25}}]}'
    )


def test_values_have_an_interval_where_the_bundle_has_one(write: Write, tmp_path: Path) -> None:
    (answer,) = ask(write("regression"), {"text": TEXTS[0]})
    one = answer.json()["predictions"][0]
    assert (one["low"], one["high"]) == (one["value"] - 0.5, one["value"] + 0.5)
    bare = write_bundle(
        tmp_path / "bare",
        model_folder=tmp_path / "model-regression",
        name="bare",
        created="",
        kind="linear",
        labels=("value",),
        task="regression",
    )
    (answer,) = ask(bare, {"text": TEXTS[0]})
    assert answer.json()["predictions"] == [{"value": one["value"]}]


def test_the_first_champion_of_generation_is_served(write: Write) -> None:
    bundle = write("generation", ConstantModel(answer="您好\ud83d"), kind="constant")
    (answer,) = ask(bundle, {"texts": ["a", "b"]})
    assert answer.json()["predictions"] == [{"text": "您好\ufffd"}] * 2


def test_a_bundle_whose_facts_are_forged_does_not_get_ready(write: Write) -> None:
    bundle = write("regression")
    manifest = json.loads((bundle.path / "manifest.json").read_bytes()) | {"model": {"half_width": "x"}}
    (bundle.path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with TestClient(build_app(bundle.path, config=ServeConfig()), base_url="http://127.0.0.1") as client:
        found = {client.get("/readyz").json()["error"]["type"] for _ in range(50)}
        assert found <= {"not_ready", "failed"}
        assert client.post("/predict", json={"text": "a"}).status_code == 503


def test_a_task_that_is_not_installed_is_one_sentence(write: Write) -> None:
    bundle = write("classification")
    manifest = json.loads((bundle.path / "manifest.json").read_bytes()) | {"task": "ranking"}
    (bundle.path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for use in (lambda: build_app(bundle.path, config=ServeConfig()), lambda: predict_file(bundle.path, "x.csv")):
        with pytest.raises(RatchetError, match=r"The task must be one of classification.* but got 'ranking'"):
            use()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as reader:
        return list(csv.DictReader(reader))


FILE: dict[str, list[str]] = {
    "classification": ["prediction", "probability"],
    "multilabel": ["prediction"],
    "regression": ["prediction", "prediction_low", "prediction_high"],
    "generation": ["prediction"],
}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("task", KINDS)
def test_a_file_gets_the_columns_of_the_task(write: Write, tmp_path: Path, task: str, suffix: str) -> None:
    bundle, texts = write(task), [*TEXTS[:3], None]
    source = tmp_path / f"x.{suffix}"
    if suffix == "csv":
        with source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", "text"], *enumerate(texts)])
    elif suffix == "jsonl":
        lines = [json.dumps({"id": str(n), "text": text}) for n, text in enumerate(texts)]
        source.write_text("\n".join(lines), encoding="utf-8")
    else:
        pq.write_table(pa.table({"id": ["0", "1", "2", "3"], "text": texts}), source)
    done = predict_file(bundle, source)
    assert (done.rows, done.without_text) == (4, 1)
    if suffix == "csv":
        found: list[dict[str, Any]] = list(rows_of(done.target))
    elif suffix == "jsonl":
        found = [json.loads(line) for line in done.target.read_text(encoding="utf-8").splitlines()]
    else:
        found = pq.read_table(done.target).to_pylist()
    assert [list(row) for row in found] == [["id", "text", *FILE[task]]] * 4
    assert not any(found[3][name] for name in FILE[task])
    (answer,) = ask(bundle, {"texts": texts[:3]})
    for row, one in zip(found, answer.json()["predictions"], strict=False):
        if task == "multilabel":
            assert json.loads(row["prediction"]) == one["labels"]
        elif task == "regression":
            cells = [float(row[name]) for name in FILE[task]]
            assert cells == [one["value"], one["low"], one["high"]]
        else:
            assert row["prediction"] == one.get("label", one.get("text"))


@pytest.mark.parametrize(("task", "counted"), [("multilabel", 3), ("generation", 0), ("regression", 0)])
def test_the_end_is_told_by_task(write: Write, tmp_path: Path, task: str, counted: int) -> None:
    source = tmp_path / "x.csv"
    source.write_text("text\n" + "\n".join(TEXTS[:3]) + "\n", encoding="utf-8")
    done = CliRunner().invoke(cli, ["predict", str(write(task).path), str(source), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["answered"] == 3
    assert sum(told["counts"].values()) >= counted
    assert bool(told["counts"]) == bool(counted)
    if task == "regression":
        shown = CliRunner().invoke(cli, ["predict", str(write("classification").path), str(source), "--out", "-"])
        assert shown.stdout.splitlines()[0] == "text,prediction,probability"


def test_each_label_is_for_tasks_with_labels(write: Write, tmp_path: Path) -> None:
    source = tmp_path / "x.csv"
    source.write_text(f"text\n{TEXTS[1]}\n", encoding="utf-8")
    row = rows_of(predict_file(write("multilabel"), source, each_label=True).target)[0]
    assert list(row) == ["text", "prediction", "probability_房间", "probability_早餐"]
    assert [name for name in ("房间", "早餐") if float(row[f"probability_{name}"]) >= 0.5] == json.loads(
        row["prediction"]
    )
    with pytest.raises(DataError, match="must be asked of a model with labels but the task is regression"):
        predict_file(write("regression"), source, each_label=True)


# Rows of several texts and features.

FEATURES: dict[str, FeatureKind] = {"price": "number", "shop": "category"}


@pytest.fixture
def featured(write: Write) -> Bundle:
    """The price tells the label; the texts tell nothing."""
    rows = Inputs(
        [joined((f"标题{n}", "正文")) for n in range(60)],
        {"price": [f"{n}.50" for n in range(60)], "shop": ["a" if n % 2 else "b" for n in range(60)]},
    )
    targets = Targets.of_labels(["贵" if n >= 30 else "便宜" for n in range(60)])
    model = fit_rows(Corpus(rows, kinds=FEATURES), targets, rows=np.arange(60), spec=SPEC, seed=1)
    return write("classification", model, text_columns=("标题", "正文"), features=FEATURES, text_column="标题 + 正文")


def labels(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["label"] for one in answer.json()["predictions"]]


def test_rows_are_texts_and_features_by_name(featured: Bundle) -> None:
    dear: Mapping[str, Any] = {"标题": "标题1", "正文": "正文", "price": 55.5, "shop": "a"}
    one, many, words, left_out, null = ask(
        featured,
        {"row": dear},
        {"rows": [dear, {**dear, "price": 3}]},
        {"row": {**dear, "price": "55.50"}},
        {"row": {"正文": "正文", "标题": 7}},
        {"row": {"正文": None, "标题": "x", "price": None}},
    )
    assert labels(one) == labels(words) == ["贵"]
    assert labels(many) == ["贵", "便宜"]
    assert one.json() == words.json()
    assert left_out.status_code == null.status_code == 200
    model = load_model(featured)
    wanted = model.predict(Inputs([joined(("标题1", "正文"))], {"price": ["55.5"], "shop": ["a"]}))
    assert [*one.json()["predictions"][0]["probabilities"].values()] == pytest.approx(wanted[0], abs=1e-6)


FULL = {"标题": "t", "正文": "b", "price": 1, "shop": "a"}
REFUSED: list[tuple[bytes | dict[str, Any], int, str]] = [
    ({"text": "a"}, 422, "'text' must be 'row' with '标题', '正文', 'price', 'shop'"),
    ({"texts": ["a"]}, 422, "'texts' must be 'rows' with"),
    ({"row": {"标题": "a"}}, 422, "'row' must have '正文' but has '标题'"),
    ({"row": {}}, 422, "must have '标题', '正文' but has nothing"),
    ({"row": {**FULL, "prize": 1}}, 422, "got 'prize'"),
    (
        {"rows": [FULL, {"标题": "t", "正文": "b", "prize": 1}]},
        422,
        r"'rows\[1\]'.*got 'prize'. Did you mean 'price'\?",
    ),
    ({"row": [1]}, 422, "must be an object with .* but is a list"),
    ({"row": "t"}, 422, "must be an object with .* but is a text"),
    ({"row": None}, 422, "but is null"),
    ({"rows": {}}, 422, "Expected `array`"),
    ({"rows": [1, "a"]}, 422, r"'rows\[0\]' must be an object"),
    ({"row": {**FULL, "price": {"a": [1]}}}, 422, "as 'price' but has an object"),
    ({"row": {**FULL, "price": [1]}}, 422, "as 'price' but has a list"),
    ({"row": {**FULL, "price": True}}, 422, "as 'price' but has true or false"),
    ({"row": {**FULL, "标题": False}}, 422, "as '标题' but has true or false"),
    ({"row": {**FULL, "标题": " ", "正文": None}}, 422, "'row' must hold a text but is empty"),
    (b'{"row": {"price": 1e400, "\\u6807\\u9898": "t"}}', 422, "1e400 is too large"),
    (b'{"row": {"price": ' + b"9" * 5_000 + b"}}", 422, "is too large"),
    (b'{"row": {"price": NaN}}', 400, "must be JSON"),
    (b'{"row": {"price": -Infinity}}', 400, "must be JSON"),
    (b'{"row": {"price": 1, "price": 2}}', 422, "'price' is there twice"),
    (b'{"row": {"price": "\xff"}}', 400, "must be UTF-8"),
    (b'{"row": {"\xff": 1}}', 400, "must be UTF-8"),
    (b'{"row": {"price": ' + b"[" * 100_000, 400, "nested too deeply"),
    (b'{"row": {"price": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", 400, "nested too deeply"),
    ({"row": {f"c{n}": n for n in range(10_000)}}, 422, "got 'c0', .* and 9,992 more"),
    ({"row": {"k" * 1_000_000: 1}}, 422, "kkk"),
    ({"row": FULL, "rows": [FULL]}, 422, "exactly one of"),
    ({"rows": [FULL] * 4}, 413, "'rows' must hold at most 3 rows but got 4"),
    ({"row": {**FULL, "shop": "x" * 100}}, 413, "'row' must have at most 90 bytes of UTF-8 but got 103"),
]


@pytest.mark.parametrize("at", range(len(REFUSED)))
def test_odd_rows_are_refused_in_one_sentence(at: int) -> None:
    body, status, message = REFUSED[at]
    fields = Fields(texts=("标题", "正文"), features=tuple(FEATURES))
    with pytest.raises(Refused) as caught:
        read_texts(
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            config=ServeConfig(max_texts=3, max_text_bytes=90),
            fields=fields,
        )
    assert caught.value.status == status
    assert re.search(message, caught.value.message), caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 700


def test_no_odd_row_is_a_failure_of_the_server(featured: Bundle) -> None:
    for config in (ServeConfig(), ServeConfig(max_texts=3, max_text_bytes=90)):
        answers = ask(featured, *(body for body, _, _ in REFUSED), config=config)
        assert {answer.status_code for answer in answers} <= {200, 400, 413, 422}
    good, half = ask(featured, {"row": FULL}, b'{"row": {"\\u6807\\u9898": "\\ud83d", "\\u6b63\\u6587": "x"}}')
    assert (good.status_code, half.status_code) == (200, 400)
    assert "half of one, \\ud83d" in half.json()["error"]["message"]


CELLS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
)
NAMES = st.sampled_from(["a", "b", "n", "A", ""]) | st.text(max_size=3)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(NAMES, CELLS, max_size=5), st.booleans())
def test_any_row_is_read_or_refused(row: dict[str, Any], many: bool) -> None:
    fields = Fields(texts=("a", "b"), features=("n",))
    body = json.dumps({"rows": [row, row]} if many else {"row": row}).encode()
    found: Sequence[str] = ()
    status = 200
    try:
        found = read_texts(body, config=ServeConfig(max_texts=3, max_text_bytes=50), fields=fields)
    except Refused as refused:
        status = refused.status
    assert status in (200, 400, 413, 422)
    if status != 200:
        return
    assert isinstance(found, Inputs)
    assert len(found) == (2 if many else 1)
    assert {*row} <= {"a", "b", "n"}
    assert found[0].count("\u2029") == 1
    assert found[0].encode().decode() == found[0]


def test_a_plain_bundle_takes_rows_too(write: Write) -> None:
    bundle = write("classification", text_column="评论")
    row, text, other = ask(bundle, {"row": {"评论": TEXTS[0]}}, {"text": TEXTS[0]}, {"row": {"text": TEXTS[0]}})
    assert row.json() == text.json()
    assert other.status_code == 422
    assert "got 'text'" in other.json()["error"]["message"]


def test_a_file_has_the_columns_by_name(featured: Bundle, tmp_path: Path) -> None:
    source = tmp_path / "x.csv"
    source.write_text("shop,正文,price,标题\na,正文,55.5,标题1\nb,,3,标题\nb,,,\n", encoding="utf-8")
    done = predict_file(featured, source)
    assert [row["prediction"] for row in rows_of(done.target)] == ["贵", "便宜", ""]
    assert done.without_text == 1
    (answer,) = ask(featured, {"row": {"标题": "标题1", "正文": "正文", "price": 55.5, "shop": "a"}})
    share = answer.json()["predictions"][0]["probability"]
    assert float(rows_of(done.target)[0]["probability"]) == pytest.approx(share, abs=1e-6)
    lines = tmp_path / "x.jsonl"
    lines.write_text('{"标题": "t", "price": 55.50, "正文": "b"}\n{"shop": "a", "标题": "t"}\n', encoding="utf-8")
    found = [json.loads(line) for line in predict_file(featured, lines).target.read_text(encoding="utf-8").splitlines()]
    assert found[0]["prediction"] == "贵"
    assert {*found[1]} == {"shop", "标题", "prediction", "probability"}


LACKING = [
    ("x.csv", "标题,正文,prize,shop\na,b,1,c\n", "must have the column 'price' .*Did you mean 'prize'"),
    ("x.csv", "标题,prize\na,1\n", "must have the columns '正文', 'price', 'shop'.*Did you mean 'prize'"),
    ("x.csv", "标题,正文,shop,shop,price\na,b,c,d,1\n", "must have one column 'shop' but has several"),
    ("x.jsonl", '{"标题": "a", "正文": "b", "shop": "c"}\n', "must have the column 'price'"),
    (
        "x.txt",
        "a line\nanother\n",
        "must be a table with the columns '标题', '正文', 'price', 'shop' but is plain lines",
    ),
]


@pytest.mark.parametrize(("name", "content", "message"), LACKING)
def test_what_a_file_lacks_is_named(featured: Bundle, tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        predict_file(featured, tmp_path / name)
    assert not list(tmp_path.glob("*.predictions.*"))


def test_several_texts_have_no_other_name(featured: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be the columns '标题', '正文', as in training, but got --text 'a'"):
        predict_file(featured, tmp_path / "x.csv", text="a")


def test_columns_of_one_name_are_refused(write: Write) -> None:
    bundle = write("classification", text_columns=("a", "b"), features={"a": "number"})
    with pytest.raises(BundleError, match="must have a name each but are 'a', 'b', 'a'"):
        build_app(bundle.path, config=ServeConfig())


def test_each_of_several_texts_is_mended_alone() -> None:
    seen: list[str] = []

    class Heard:
        labels = ("坏", "好")

        def predict(self, texts: Sequence[str], /) -> np.ndarray:
            seen.extend(texts)
            return np.full((len(texts), 2), 0.5, np.float32)

    cells = ("<b>很好</b>", None, "a\u200bb<br>c\u2028d")
    Mending(Heard(), ("html", "invisible"), several=True).predict([joined(cells)])
    one = Mending(Heard(), ("html", "invisible"))
    for cell in cells:
        one.predict([cell or ""])
    assert seen[0].split("\u2029") == seen[1:]
    assert seen[1] == "很好"


RUNS = {
    "multilabel": lambda n, good: json.dumps([*(["好"] if good else []), *(["早"] if n % 3 else [])]),
    "regression": lambda n, good: f"{10 + 5 * good + n % 3}.5",
    "generation": lambda n, good: (
        f"谢谢您的{'表扬' if good else '批评'}，我们会一直努力做得更好，期待您再次光临本酒店！"
    ),
}


@pytest.mark.parametrize("task", RUNS)
def test_what_a_run_exports_is_served(tmp_path: Path, task: str) -> None:
    table = tmp_path / "t.csv"
    words = ("很好", "满意", "干净"), ("很脏", "失望", "吵闹")
    with table.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["text", "label"])
        for n in range(200):
            good = n % 2 == 1
            early = "早餐" if n % 3 else "晚餐"
            out.writerow([f"{early}{words[not good][n % 5 % 3]}第{n * 7919 % 10_007}次", RUNS[task](n, good)])
    text = f"data: {{files: [t.csv]}}\ntask: {task}\nthreads: 1\nsplit: {{near: false}}\nchallengers: []\n"
    summary = run(parse_recipe(text, folder=tmp_path, overrides=["prepare.duplicates=keep"]))
    bundle = Bundle.open(summary["bundle"]["path"])
    assert bundle.manifest.task == task
    asked = ["早餐很好第5次", "晚餐很脏第6次"]
    (answer,) = ask(bundle, {"texts": asked})
    found = answer.json()["predictions"]
    assert [set(one) for one in found] == [ANSWERS[task]] * 2
    source = tmp_path / "new.csv"
    source.write_text("text\n" + "\n".join(asked) + "\n", encoding="utf-8")
    rows = rows_of(predict_file(bundle, source).target)
    if task == "multilabel":
        assert [one["labels"] for one in found] == [json.loads(row["prediction"]) for row in rows] == [["好", "早"], []]
    elif task == "regression":
        assert found[0]["low"] < found[0]["value"] < found[0]["high"]
        assert found[0]["value"] > found[1]["value"] + 3
        assert [one["value"] for one in found] == [float(row["prediction"]) for row in rows]
    else:
        assert ["表扬" in found[0]["text"], "批评" in found[1]["text"]] == [True, True]
        assert [one["text"] for one in found] == [row["prediction"] for row in rows]
