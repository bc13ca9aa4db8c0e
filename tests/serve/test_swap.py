from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.bundle.golden import Golden
from ratchet.errors import BundleError
from ratchet.models.inputs import Inputs
from ratchet.models.linear_fit import fit_linear
from ratchet.recipe.sections import LinearFeatures, LinearSpec, ServeConfig
from ratchet.serve import load_model
from ratchet.serve.rest import build_app

TEXTS = ["good food", "bad food", "very good", "very bad", "好吃", "难吃"] * 4
SPEC = LinearSpec(name="m", features=(LinearFeatures(unit="char", low=1, high=2),))


def written(target: Path, name: str, *, wrong: bool = False) -> Bundle:
    """A bundle that calls good food by its own name."""
    folder = target.parent / f"model-{name}"
    labels = (f"{name}-no", f"{name}-yes")
    model = fit_linear(TEXTS, [labels[1], labels[0]] * 12, spec=SPEC, seed=1)
    model.save(folder)
    golden = Golden.made(TEXTS, model, most=4)
    if wrong:
        golden = Golden(rows=golden.rows, answers=np.ascontiguousarray(golden.answers[:, ::-1]))
    return write_bundle(
        target, model_folder=folder, name=name, created="", kind="linear", labels=labels, golden=golden.to_json()
    )


def named(answer: httpx.Response) -> str:
    found = answer.json()
    assert {one["label"].partition("-")[0] for one in found["predictions"]} == {found["model"]}
    return str(found["model"])


def test_another_bundle_is_served_from_one_moment_on_and_no_request_fails(tmp_path: Path) -> None:
    place = tmp_path / "served"
    written(place, "one")
    app = build_app(place, config=ServeConfig(queue=500))

    async def run() -> None:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await app.state.engine.settled.wait()
            seen: list[str] = []
            stop = asyncio.Event()

            async def asks() -> None:
                while not stop.is_set():
                    seen.append(named(await client.post("/predict", json={"texts": TEXTS})))

            asking = [asyncio.create_task(asks()) for _ in range(4)]
            for number in range(12):
                name = f"v{number}"
                written(place, name)
                await app.state.swap()
                assert (await client.get("/readyz")).json()["model"] == name
                assert named(await client.post("/predict", json={"text": "good food"})) == name
                assert f"{name}-yes" in json.dumps((await client.get("/openapi.json")).json())
                while seen[-1:] != [name]:
                    await asyncio.sleep(0)
            stop.set()
            await asyncio.gather(*asking)
            assert {f"v{number}" for number in range(12)} <= {*seen}

    asyncio.run(run())


@pytest.mark.parametrize("damage", ["byte", "missing", "gone", "golden"])
def test_a_bundle_that_is_no_good_is_refused_and_the_old_one_serves_on(tmp_path: Path, damage: str) -> None:
    place = tmp_path / "served"
    written(place, "one")
    app = build_app(place, config=ServeConfig())

    async def run() -> None:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await app.state.engine.settled.wait()
            before = (await client.post("/predict", json={"texts": TEXTS})).json()
            written(place, "two", wrong=damage == "golden")
            weights = place / "model" / "weights.safetensors"
            if damage == "byte":
                content = bytearray(weights.read_bytes())
                content[-1] ^= 1
                weights.write_bytes(content)
            elif damage == "missing":
                weights.unlink()
            elif damage == "gone":
                shutil.rmtree(place)
            with pytest.raises(BundleError) as caught:
                await app.state.swap()
            if damage == "golden":
                assert "must answer its golden rows as when it was exported but answers 4 of 4 otherwise" in str(
                    caught.value
                )
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.post("/predict", json={"texts": TEXTS})).json() == before

    asyncio.run(run())


def test_a_first_bundle_whose_golden_rows_are_answered_otherwise_is_never_ready(tmp_path: Path) -> None:
    place = tmp_path / "served"
    written(place, "one", wrong=True)
    app = build_app(place, config=ServeConfig())

    async def run() -> None:
        async with app.router.lifespan_context(app):
            await app.state.engine.settled.wait()
            assert not app.state.engine.ready
            assert "golden rows" in str(app.state.engine.failure)

    asyncio.run(run())


class Rounding:
    """A model of one label that is right, another a little off: as another processor rounds."""

    labels = ("a", "b")

    def predict(self, texts: object, /) -> np.ndarray:
        return np.array([[0.4, 0.6]] * len(texts), np.float32)  # type: ignore[arg-type]


def test_rounding_of_another_processor_is_said_and_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from ratchet.serve.proof import Proof
    from ratchet.tasks.registry import task_of

    rows = Inputs([str(place) for place in range(20)])
    answers = np.array([[0.39, 0.61]] * 19 + [[0.51, 0.49]], np.float32)

    class Worker:
        async def predict(self, asked: object) -> np.ndarray:
            return Rounding().predict(asked)

    golden, task = Golden(rows=rows, answers=answers), task_of("classification")
    proof = Proof(name="m", rows=(), written=lambda _: None, golden=golden, task=task, several=False)
    assert asyncio.run(proof(Worker())) is False  # type: ignore[arg-type]
    assert "by up to 0.11, 1 of 20 labels" in caplog.text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int, Path]]:
    place = tmp_path / "served"
    written(place, "one")
    command = [sys.executable, "-m", "ratchet", "serve", str(place), "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", child.stdout.readline())
    assert found is not None
    yield found[0], child.pid, place
    child.terminate()
    child.wait(20)
    child.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGHUP")
def test_a_signal_has_a_running_server_take_what_stands_there_under_load(server: tuple[str, int, Path]) -> None:
    url, pid, place = server
    seen: Counter[str] = Counter()
    stop = threading.Event()

    def asks() -> None:
        with httpx.Client(base_url=url) as client:
            while not stop.is_set():
                answer = client.post("/predict", json={"texts": TEXTS})
                seen[named(answer) if answer.status_code == 200 else str(answer.status_code)] += 1

    threads = [threading.Thread(target=asks) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for name in ("two", "three"):
            written(place, name)
            os.kill(pid, signal.SIGHUP)
            until = time.monotonic() + 20
            while not seen[name] and time.monotonic() < until:
                time.sleep(0.01)
        (place / "model" / "weights.safetensors").write_bytes(b"")
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {*seen} == {"one", "two", "three"}
    assert httpx.get(f"{url}/readyz").json()["model"] == "three"


def test_golden_rows_are_part_of_what_a_run_exports(tmp_path: Path) -> None:
    bundle = written(tmp_path / "bundle", "m")
    found = Golden.of(bundle)
    assert found is not None
    np.testing.assert_array_equal(load_model(bundle).predict(found.rows), found.answers)
