"""The Open Inference Protocol over REST: metadata, inference, refusals in its form, and loading another bundle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

import ratchet
from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.front import fronted
from ratchet.serve.keys import add_key
from ratchet.serve.rest import build_app

Model = Any  # the Lengths of conftest.py
NAME = "/v2/models/评论"
LABELS = ["坏", "好", "mixed"]


CONFIG = ServeConfig(max_texts=3, max_text_bytes=9)


def with_key(folder: Path) -> tuple[ServeConfig, str]:
    """A server with a key file, and a key that may load models."""
    issued = add_key(folder / "keys.json", "tests", scopes=("predict", "admin"))
    return CONFIG.model_copy(update={"keys": str(folder / "keys.json")}), issued.token


def ask(app: Starlette, question: Callable[[httpx.AsyncClient], Awaitable[Any]], config: ServeConfig = CONFIG) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(app=fronted(app, config=config), raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await app.state.engine.settled.wait()
            return await question(client)

    return asyncio.run(run())


def served(bundle: Bundle, model: Model) -> Starlette:
    return build_app(bundle.path, config=CONFIG, model=model)


def get(app: Starlette, path: str) -> httpx.Response:
    found: httpx.Response = ask(app, lambda client: client.get(path))
    return found


def infer(app: Starlette, body: Any, *, path: str = NAME, headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | (headers or {})
    found: httpx.Response = ask(app, lambda client: client.post(f"{path}/infer", content=content, headers=sent))
    return found


def texts(data: list[Any], **other: Any) -> dict[str, Any]:
    return {"name": "评论", "shape": [len(data)], "datatype": "BYTES", "data": data} | other


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert [*found] == ["error"]
    return answer.status_code, found["error"]


def test_what_is_served(bundle: Bundle, model: Model) -> None:
    version = bundle.sha256[:12]
    assert get(served(bundle, model), "/v2").json() == {
        "name": "ratchet",
        "version": ratchet.__version__,
        "extensions": ["model_repository"],
    }
    for path in (NAME, f"{NAME}/versions/{version}"):
        assert get(served(bundle, model), path).json() == {
            "name": "评论",
            "versions": [version],
            "platform": "ratchet_classification",
            "inputs": [{"name": "评论", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [
                {"name": "label", "datatype": "BYTES", "shape": [-1]},
                {"name": "probability", "datatype": "FP32", "shape": [-1]},
                {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
            ],
        }
        assert get(served(bundle, model), f"{path}/ready").json() == {"name": "评论", "ready": True}
    assert get(served(bundle, model), "/v2/health/live").json() == {"live": True}
    assert get(served(bundle, model), "/v2/health/ready").json() == {"ready": True}


def test_answers_are_those_of_predict(bundle: Bundle, model: Model) -> None:
    app = served(bundle, model)

    async def question(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        wanted = await client.post("/predict", json={"texts": ["b", "好的", "a\x00"]})
        body = {"id": "42", "inputs": [texts(["b", "好的", "a\x00"])]}
        return wanted, await client.post(f"{NAME}/infer", json=body)

    wanted, answer = ask(app, question)
    assert answer.status_code == 200
    rows = wanted.json()["predictions"]
    assert answer.json() == {
        "model_name": "评论",
        "model_version": bundle.sha256[:12],
        "id": "42",
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [3], "data": [row["label"] for row in rows]},
            {"name": "probability", "datatype": "FP32", "shape": [3], "data": [row["probability"] for row in rows]},
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [3, 3],
                "parameters": {"labels": json.dumps(LABELS, ensure_ascii=False)},
                "data": [row["probabilities"][label] for row in rows for label in LABELS],
            },
        ],
    }


@pytest.mark.parametrize(
    "tensor",
    [texts(["a", "b"], name="text"), texts(["a", "b"], shape=[2, 1]), texts([["a"], ["b"]], shape=[2, 1])],
)
def test_a_column_may_be_written_in_several_ways(bundle: Bundle, model: Model, tensor: dict[str, Any]) -> None:
    answer = infer(served(bundle, model), {"inputs": [tensor], "outputs": [{"name": "label"}]})
    assert answer.status_code == 200
    assert [(one["name"], one["shape"]) for one in answer.json()["outputs"]] == [("label", [2])]
    assert "id" not in answer.json()


def test_no_rows_get_no_predictions(bundle: Bundle, model: Model) -> None:
    answer = infer(served(bundle, model), {"inputs": [texts([])]})
    assert [(one["shape"], one["data"]) for one in answer.json()["outputs"]] == [([0], []), ([0], []), ([0, 3], [])]


REFUSED: list[tuple[Any, int, str]] = [
    (b"{", 400, "The body must be JSON"),
    (b"[]", 400, "The body must be a JSON object but got array."),
    (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "BYTES", "data": ["\\ud800"]}]}', 400, "half of one"),
    (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1e999]}]}', 422, "out of range"),
    ({}, 422, "missing required field `inputs`"),
    ({"inputs": []}, 422, "The inputs must have '评论' but have nothing."),
    ({"inputs": [texts(["a"]), texts(["a"])]}, 422, "'评论' is there twice"),
    ({"inputs": [texts(["a"], name="评语")]}, 422, "must be of '评论' but got '评语'. Did you mean '评论'?"),
    ({"inputs": [texts(["a"], datatype="FP32")]}, 422, "'评论' must be BYTES but is 'FP32'."),
    ({"inputs": [texts(["a"], shape=[2])]}, 422, "must have 2 elements, as its shape says, but has 1"),
    (
        {"inputs": [texts(["a"], shape=[])]},
        422,
        "must have the shape [n] or [n, 1], with one n for all inputs, but got []",
    ),
    ({"inputs": [texts(["a", "b"], shape=[1, 2])]}, 422, "but got [1, 2]"),
    ({"inputs": [texts(["a"], shape=[-1])]}, 422, "but got [-1]"),
    ({"inputs": [texts(["a"], shape=[1.5])]}, 422, "$.inputs[0].shape"),
    ({"inputs": [texts(["a"], shape=[10**30])]}, 413, "must hold at most 3 rows"),
    ({"inputs": [texts(["a"], shape=[10**400])]}, 413, "must hold at most 3 rows but got a larger one"),
    ({"inputs": [texts(["a"] * 4)]}, 413, "must hold at most 3 rows but got 4"),
    ({"inputs": [texts(["a" * 10])]}, 413, "'评论'[0] must have at most 9 bytes of UTF-8 but got 10."),
    ({"inputs": [texts(["a", " "])]}, 422, "'评论'[1] must hold a text but is empty"),
    ({"inputs": [texts(["a", None])]}, 422, "must hold texts but has null at 1"),
    ({"inputs": [texts([1])]}, 422, "must hold texts but has a number at 0"),
    ({"inputs": [texts([["a", "b"]], shape=[1])]}, 422, "must have 1 elements, as its shape says, but has 2"),
    ({"inputs": [texts([[["a"]]], shape=[1])]}, 422, "must hold texts but has a list or an object at 0"),
    ({"inputs": [texts(["a"], parameters={"binary_data_size": 3})]}, 422, "no parameter 'binary_data_size'"),
    ({"inputs": [texts(["a"])], "parameters": {"binary_data_output": True}}, 422, "'binary_data_output'"),
    (
        {"inputs": [texts(["a"])], "outputs": [{"name": "value"}]},
        422,
        "'label', 'probability', 'probabilities' but got",
    ),
    ({"inputs": [texts(["a"])], "outputs": [{"name": "label"}] * 2}, 422, "'label' is there 2 times"),
    ({"inputs": [texts(["a"])], "outputs": [{"name": "label", "parameters": {"classification": 2}}]}, 422, "classif"),
    ({"inputs": [texts(["a"])], "more": 1}, 422, "unknown field `more`"),
]


@pytest.mark.parametrize(("body", "status", "message"), REFUSED)
def test_what_is_refused(bundle: Bundle, model: Model, body: Any, status: int, message: str) -> None:
    found = refusal(infer(served(bundle, model), body))
    assert found[0] == status
    assert message in found[1]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v2/models/other", "The model must be '评论' but got 'other'."),
        (f"{NAME}/versions/1", "The version of '评论' must be"),
    ],
)
def test_another_model_or_version_is_not_there(bundle: Bundle, model: Model, path: str, message: str) -> None:
    for found in (
        get(served(bundle, model), path),
        get(served(bundle, model), f"{path}/ready"),
        infer(served(bundle, model), {"inputs": [texts(["a"])]}, path=path),
    ):
        status, said = refusal(found)
        assert status == 404
        assert message in said


def test_headers_that_are_refused(bundle: Bundle, model: Model) -> None:
    body = {"inputs": [texts(["a"])]}
    binary = infer(served(bundle, model), body, headers={"Inference-Header-Content-Length": "12"})
    assert refusal(binary)[0] == 415
    plain = infer(served(bundle, model), body, headers={"Content-Type": "text/plain"})
    assert refusal(plain)[0] == 415
    other = infer(served(bundle, model), body, headers={"Host": "evil.example"})
    assert refusal(other)[0] == 421
    assert refusal(get(served(bundle, model), "/v2/nothing"))[0] == 404
    assert refusal(get(served(bundle, model), f"{NAME}/infer"))[0] == 405


def test_keys_and_who_may_load(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    async def question(client: httpx.AsyncClient, headers: dict[str, str]) -> list[int]:
        sent = headers | {"Content-Type": "application/json"}
        body = json.dumps({"inputs": [texts(["a"])]}).encode()
        return [
            (await client.get("/v2/health/live")).status_code,
            (await client.get("/v2/health/ready")).status_code,
            (await client.get("/v2", headers=headers)).status_code,
            (await client.get(NAME, headers=headers)).status_code,
            (await client.get(f"{NAME}/ready", headers=headers)).status_code,
            (await client.post(f"{NAME}/infer", content=body, headers=sent)).status_code,
            (await client.get("/v2/repository/index", headers=headers)).status_code,
            (await client.post("/v2/repository/models/评论/load", headers=headers)).status_code,
        ]

    keyed, token = with_key(tmp_path)
    assert ask(served(bundle, model), lambda client: question(client, {}), keyed) == [200, 200, *[401] * 6]
    right = {"Authorization": f"Bearer {token}"}
    assert ask(served(bundle, model), lambda client: question(client, right), keyed) == [200] * 8
    assert ask(served(bundle, model), lambda client: question(client, {})) == [*[200] * 6, 403, 403]


def test_another_bundle_is_loaded_by_its_name(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    app, (config, token) = served(bundle, model), with_key(tmp_path)

    async def question(client: httpx.AsyncClient) -> None:
        client.headers["X-API-Key"] = token
        [first] = (await client.get("/v2/repository/index")).json()
        assert first == {"name": "评论", "version": bundle.sha256[:12], "state": "READY", "reason": ""}
        write_bundle(
            bundle.path,
            model_folder=tmp_path / "model",
            name="new",
            created="",
            kind="linear",
            labels=tuple(LABELS),
        )
        status, message = refusal(await client.post("/v2/repository/models/评论/load", json={}))
        assert (status, message) == (404, "The bundle in the folder must be '评论' but is 'new'.")
        assert (await client.get(f"{NAME}/ready")).status_code == 200
        assert (await client.post("/v2/repository/models/new/load", json={})).json() == {}
        assert (await client.get("/v2/models/new/ready")).status_code == 200
        assert (await client.get(f"{NAME}/ready")).status_code == 404
        (bundle.path / "model/weights.bin").write_bytes(b"124")
        status, message = refusal(await client.post("/v2/repository/models/new/load"))
        assert status == 409
        assert "was changed" in message
        [now] = (await client.post("/v2/repository/index", json={"ready": True})).json()
        assert (now["name"], now["state"]) == ("new", "READY")
        assert refusal(await client.post("/v2/repository/index", json={"redy": True}))[0] == 422

    ask(app, question, config)


def test_a_model_that_is_not_there_yet_says_so(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    app, (config, token) = served(bundle, model), with_key(tmp_path)
    model.gate.clear()

    async def run() -> None:
        transport = httpx.ASGITransport(app=fronted(app, config=config))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost", headers={"X-API-Key": token}) as client,
        ):
            for path in ("/v2/health/ready", f"{NAME}/ready"):
                assert refusal(await client.get(path)) == (503, "The model is still loading.")
            assert (await client.get("/v2/repository/index")).json()[0]["state"] == "LOADING"
            assert (await client.post("/v2/repository/index", json={"ready": True})).json() == []
            assert refusal(await client.post(f"{NAME}/infer", json={"inputs": [texts(["a"])]}))[0] == 503
            model.gate.set()
            await app.state.engine.settled.wait()
            assert (await client.get("/v2/health/ready")).status_code == 200

    asyncio.run(run())
