"""``ratchet deploy``: a folder for each target, what to do with it, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Ratchet

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.models.constant import ConstantModel


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    ConstantModel(answer="yes").save(Path("model"))
    return write_bundle(
        tmp_path / "b",
        model_folder=Path("model"),
        name="always",
        created="2026-11-24T08:00:00Z",
        kind="constant",
        task="generation",
        labels=ConstantModel.labels,
    )


def test_an_image(ratchet: Ratchet, bundle: Bundle) -> None:
    ended = ratchet("deploy", "docker", "b", "--port", "9000")
    assert ended.code == 0
    assert "Wrote deploy/docker: .dockerignore, Dockerfile, bundle, ratchet, requirements.txt. Then:" in ended.out
    assert f"docker build --tag always-{bundle.sha256[:8]}:{bundle.sha256[:12]} deploy/docker" in ended.out
    assert "EXPOSE 9000" in Path("deploy/docker/Dockerfile").read_text()
    again = ratchet("deploy", "docker", "b")
    assert again.code == 2
    assert again.err == (
        "error: The folder deploy/docker must be empty but has '.dockerignore'. "
        "Add --force to replace it, or name another.\n"
    )
    assert ratchet("deploy", "docker", "b", "--force").code == 0


def test_a_cluster_whose_memory_is_measured(ratchet: Ratchet, bundle: Bundle) -> None:
    ended = ratchet("deploy", "kubernetes", "b", "--image", "r.example.com/a:1", "--replicas", "3", "--json")
    assert ended.code == 0
    facts = json.loads(ended.out)
    assert facts["folder"] == "deploy/kubernetes"
    assert facts["steps"][-1].startswith(f"kubectl port-forward service/always-{bundle.sha256[:8]}")
    scaler = yaml.safe_load(Path("deploy/kubernetes/horizontal-pod-autoscaler.yaml").read_text())
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 10)


def test_kserve_and_memory_that_is_named(ratchet: Ratchet, bundle: Bundle) -> None:
    ended = ratchet("deploy", "kserve", "b", "--image", "a:1", "--memory", "1Gi", "--name", "yes", "--out", "o")
    assert (ended.code, ended.err) == (0, "")
    found = yaml.safe_load(Path("o/inference-service.yaml").read_text())
    assert found["metadata"]["name"] == "yes"
    assert found["spec"]["predictor"]["containers"][0]["resources"]["limits"] == {"memory": "1024Mi"}


def test_a_route_from_a_bundle_to_a_service(ratchet: Ratchet, bundle: Bundle) -> None:
    ended = ratchet("deploy", "gateway-api", "b", "reviews-b", "--gateway", "public", "--weight", "10")
    assert ended.code == 0
    found = yaml.safe_load(Path("deploy/gateway-api/http-route.yaml").read_text())
    names = {one["name"]: one["weight"] for one in found["spec"]["rules"][0]["backendRefs"]}
    assert names == {f"always-{bundle.sha256[:8]}": 90, "reviews-b": 10}
    assert found["metadata"]["name"] == f"always-{bundle.sha256[:8]}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("docker", "none"), "The bundle none must be a folder but there is none."),
        (("docker", "b", "--port", "80"), "--port must be from 1024 to 65535 but got 80."),
        (("docker", "b", "--out", "b/x"), "--out must lie outside of the bundle b but got b/x."),
        (("kubernetes", "b", "--image", "reviews"), "--image must name one version by a tag or a digest"),
        (("kserve", "b", "--image", "a:1", "--memory", "1GB"), "--memory must be a number of Mi or Gi but got '1GB'."),
        (("kubernetes", "b", "--image", "a:1", "--memory", "1Gi", "--replicas", "0"), "--replicas must be at least 1"),
        (("gateway-api", "b", "b", "--gateway", "g"), "The two services must differ"),
    ],
)
def test_mistakes(ratchet: Ratchet, bundle: Bundle, arguments: tuple[str, ...], said: str) -> None:
    ended = ratchet("deploy", *arguments)
    assert ended.code == 2
    assert ended.err.startswith(f"error: {said}")
    assert ended.err.count("\n") == 1
    assert not Path("deploy").exists()
