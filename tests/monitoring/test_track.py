from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ratchet.errors import ExtraMissing
from ratchet.monitoring import track
from ratchet.monitoring.monitor import Monitor
from ratchet.monitoring.track import clean, flat, require_tracker, track_run
from ratchet.monitoring.watching import Watching
from ratchet.offline import SILENT
from ratchet.recipe.track import TrackConfig


class Client:
    """What of MLflow's client is used, in memory; ``fail`` is called before each request."""

    runs: dict[str, dict[str, Any]] = {}  # noqa: RUF012 - each test begins it anew
    fail: Callable[[str], None] = staticmethod(lambda name: None)

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri

    def get_experiment_by_name(self, name: str) -> Any:
        Client.fail("get_experiment_by_name")
        return SimpleNamespace(experiment_id=f"id of {name}") if name == "known" else None

    def create_experiment(self, name: str) -> str:
        return f"new {name}"

    def create_run(self, place: str, run_name: str | None, tags: dict[str, str]) -> Any:
        number = f"run-{len(Client.runs)}"
        Client.runs[number] = {
            "place": place,
            "name": run_name,
            "tags": tags,
            "params": {},
            "metrics": [],
            "state": "open",
        }
        return SimpleNamespace(info=SimpleNamespace(run_id=number))

    def log_batch(self, run: str, metrics: Any = (), params: Any = ()) -> None:
        Client.fail("log_batch")
        assert len(metrics) <= 1000
        assert len(params) <= 100
        Client.runs[run]["metrics"] += [(one.step, one.key, one.value) for one in metrics]
        Client.runs[run]["params"].update({one.key: one.value for one in params})

    def set_terminated(self, run: str, state: str) -> None:
        Client.runs[run]["state"] = state

    def delete_run(self, run: str) -> None:
        Client.runs[run]["state"] = "deleted"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    package, tracking, entities = ModuleType("mlflow"), ModuleType("mlflow.tracking"), ModuleType("mlflow.entities")
    tracking.MlflowClient = Client  # type: ignore[attr-defined]
    entities.Metric = lambda key, value, stamp, step: SimpleNamespace(key=key, value=value, step=step)  # type: ignore[attr-defined]
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)  # type: ignore[attr-defined]
    for module in (package, tracking, entities):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Client, "runs", {})
    monkeypatch.setattr(track, "EVERY", 0.05)
    return Client.runs


def watching(said: list[str], *, uri: str = "http://127.0.0.1:9", **how: Any) -> Watching:
    config = TrackConfig(uri=uri, experiment="reviews")
    return Watching(track=config, name="encoder", about={"kind": "encoder", "run": "r1"}, say=said.append, **how)


def train(folder: Path, said: list[str], *, step: int = 0, until: int = 5, killed: bool = False, **how: Any) -> None:
    told = watching(said, **how)
    with Monitor(folder, step=step, watching=told, parameters={"lr": 0.1, "batch": {"tokens": 512}}) as monitor:
        for at in range(step, until):
            monitor.write(at, {"train/loss": at / 10})
        if killed:
            raise KeyboardInterrupt


def losses(run: dict[str, Any]) -> list[tuple[int, float]]:
    return [(step, value) for step, name, value in run["metrics"] if name == "train/loss"]


def test_a_training_is_a_run(tmp_path: Path, runs: Any) -> None:
    said: list[str] = []
    train(tmp_path, said)
    (run,) = runs.values()
    assert losses(run) == [(step, step / 10) for step in range(5)]
    assert run["params"] == {"lr": "0.1", "batch.tokens": "512"}
    assert run["tags"] == {"ratchet.kind": "encoder", "ratchet.run": "r1"}
    assert (run["place"], run["name"], run["state"]) == ("new reviews", "encoder", "FINISHED")
    assert said == []


def test_one_that_goes_on_has_nothing_twice(tmp_path: Path, runs: Any) -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, said, until=8, killed=True)
    assert [run["state"] for run in runs.values()] == ["KILLED"]
    train(tmp_path, said, step=4, until=10)
    old, new = runs.values()
    assert len(losses(old)) == 8
    assert old["state"] == "deleted"
    assert losses(new) == [(step, step / 10) for step in range(10)]
    assert new["state"] == "FINISHED"


@pytest.mark.parametrize("request_name", ["get_experiment_by_name", "log_batch"])
def test_a_server_that_fails_costs_one_line(
    tmp_path: Path, runs: Any, monkeypatch: pytest.MonkeyPatch, request_name: str
) -> None:
    asked = []

    def fail(name: str) -> None:
        asked.append(name)
        if name == request_name:
            raise ConnectionError("refused\nwith a long story")

    monkeypatch.setattr(Client, "fail", staticmethod(fail))
    said: list[str] = []
    train(tmp_path, said)
    assert said == [
        "encoder: MLflow at http://127.0.0.1:9 gets nothing more of this training: refused; the training goes on"
    ]
    assert asked.count(request_name) == 1
    assert len((tmp_path / "steps.jsonl").read_text().splitlines()) == 6


def test_a_server_that_hangs_delays_no_step(tmp_path: Path, runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "fail", staticmethod(lambda name: time.sleep(1.5)))
    monkeypatch.setattr(track, "GRACE", 0.2)
    said: list[str] = []
    begun = time.monotonic()
    train(tmp_path, said, until=200)
    assert time.monotonic() - begun < 1.4
    assert len(said) == 1
    assert "did not answer in time" in said[0]


def test_the_verdicts_are_a_run_too(runs: Any) -> None:
    said: list[str] = []
    track_run(
        TrackConfig(uri="file:///runs", experiment="known"),
        name="reviews r1",
        parameters={"gate": {"alpha": 0.05}},
        metrics={"score/champion": 0.9},
        tags={"ratchet.verdict.linear": "better by 2 points" * 100},
        say=said.append,
    )
    (run,) = runs.values()
    assert run["place"] == "id of known"
    assert run["params"] == {"gate.alpha": "0.05"}
    assert run["metrics"] == [(0, "score/champion", 0.9)]
    assert len(run["tags"]["ratchet.verdict.linear"]) == track.LONGEST
    assert (run["state"], said) == ("FINISHED", [])


def test_a_server_without_the_verdicts_is_one_line(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(Client, "fail", staticmethod(fail))
    said: list[str] = []
    config = TrackConfig(uri="http://127.0.0.1:9/?key=s3cr3t", experiment="known")
    track_run(config, name="x", parameters={}, metrics={}, tags={}, say=said.append)
    assert said == ["MLflow at http://127.0.0.1:9/ did not take the verdicts: refused"]


def test_names_are_those_that_mlflow_takes() -> None:
    assert clean("verdict/模型 (before)*2") == "verdict/模型 -before--2"
    assert dict(flat({"a": {"b": 1, "c": {}}, "d": [1]})) == {"a.b": 1, "d": [1]}


def test_a_recipe_that_tracks_without_the_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track, "find_spec", lambda name: None)
    require_tracker(TrackConfig())
    with pytest.raises(ExtraMissing, match=r"pip install 'ratchetml\[track\]'"):
        require_tracker(TrackConfig(uri="http://127.0.0.1:9"))


def test_telemetry_is_off_before_mlflow_is_imported(tmp_path: Path) -> None:
    """A stand-in for the package writes down the environment that it was imported in."""
    assert SILENT["MLFLOW_DISABLE_TELEMETRY"] == "true"
    package = tmp_path / "mlflow"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"import json, os\nopen({str(tmp_path / 'seen.json')!r}, 'w').write(json.dumps(dict(os.environ)))\n"
    )
    (package / "tracking.py").write_text("class MlflowClient:\n    def __init__(self, tracking_uri): pass\n")
    code = "from ratchet.monitoring.track import _client, TrackConfig; _client(TrackConfig(uri='http://127.0.0.1:9'))"
    names = {"MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", *track.HTTP}
    clear = {name: value for name, value in os.environ.items() if name not in names}
    path = os.pathsep.join([str(tmp_path), *filter(None, [clear.get("PYTHONPATH")])])
    subprocess.run([sys.executable, "-c", code], env={**clear, "PYTHONPATH": path}, check=True)
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert seen["DO_NOT_TRACK"] == "1"
    assert (seen["MLFLOW_HTTP_REQUEST_TIMEOUT"], seen["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) == ("5", "1")


SERVER = os.environ.get("RATCHET_MLFLOW") or shutil.which("mlflow")
"""The program of the whole MLflow, whose server the small client is tried against."""


@pytest.fixture
def server(tmp_path: Path, unused_port: int) -> Iterator[str]:
    """A real tracking server on loopback."""
    if find_spec("mlflow") is None:
        pytest.skip("MLflow's client is not installed: pip install 'ratchetml[track]'")
    if SERVER is None:
        pytest.skip("the server of the whole MLflow is not installed: pip install mlflow, or RATCHET_MLFLOW=PROGRAM")
    uri = f"http://127.0.0.1:{unused_port}"
    store = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        str(tmp_path / "files"),
    ]
    command = [SERVER, "server", "--host", "127.0.0.1", "--port", str(unused_port), "--workers", "1", *store]
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=quiet, cwd=tmp_path, start_new_session=True)
    try:
        for _ in range(300):
            if process.poll() is not None:
                pytest.fail((tmp_path / "server.log").read_text())
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too; nothing of it is wanted
        process.wait()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_against_a_real_server(tmp_path: Path, server: str) -> None:
    said: list[str] = []
    folder = tmp_path / "training"
    with pytest.raises(KeyboardInterrupt):
        train(folder, said, until=8, killed=True, uri=server)
    train(folder, said, step=4, until=1500, uri=server)
    track_run(
        TrackConfig(uri=server, experiment="reviews"),
        name="reviews r1",
        parameters={"gate": {"alpha": 0.05}},
        metrics={clean("verdict/模型 (before)"): 0.02},
        tags={"ratchet.verdict.linear": "better"},
        say=said.append,
    )
    assert said == []
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=server)
    place = client.get_experiment_by_name("reviews").experiment_id
    verdicts, training = client.search_runs([place], order_by=["attributes.start_time DESC"])
    assert (training.info.status, training.info.run_name) == ("FINISHED", "encoder")
    assert training.data.params == {"lr": "0.1", "batch.tokens": "512"}
    history = client.get_metric_history(training.info.run_id, "train/loss")
    assert sorted((one.step, one.value) for one in history) == [(step, step / 10) for step in range(1500)]
    assert verdicts.data.metrics == {"verdict/模型 -before-": 0.02}
    assert verdicts.data.tags["ratchet.verdict.linear"] == "better"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_real_client_gives_up_soon_on_a_server_that_is_down(tmp_path: Path, unused_port: int) -> None:
    if find_spec("mlflow") is None:
        pytest.skip("MLflow's client is not installed: pip install 'ratchetml[track]'")
    said: list[str] = []
    begun = time.monotonic()
    train(tmp_path, said, uri=f"http://127.0.0.1:{unused_port}")
    assert time.monotonic() - begun < track.GRACE + 3
    assert len(said) == 1
    assert said[0].startswith(f"encoder: MLflow at http://127.0.0.1:{unused_port} gets nothing more")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_real_client_writes_into_a_folder(tmp_path: Path) -> None:
    if find_spec("mlflow") is None:
        pytest.skip("MLflow's client is not installed: pip install 'ratchetml[track]'")
    said: list[str] = []
    train(tmp_path / "training", said, uri=str(tmp_path / "runs"))
    assert said == []
    found = list((tmp_path / "runs").glob("*/*/metrics/train/loss"))
    assert [len(path.read_text().splitlines()) for path in found] == [5]
