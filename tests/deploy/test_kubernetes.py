"""The objects of a cluster fit each other, and stand in files that read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.conftest import IMAGE, SCALE

from ratchet.bundle.bundle import Bundle
from ratchet.deploy.kubernetes import kubernetes
from ratchet.deploy.service import Service
from ratchet.errors import RatchetError


@pytest.fixture
def objects(service: Service, tmp_path: Path) -> dict[str, Any]:
    """By kind, as any reader of YAML has them."""
    written = kubernetes(service, tmp_path / "out", image=IMAGE, scale=SCALE)
    texts = [(written.folder / name).read_text(encoding="utf-8") for name in written.files]
    found = [yaml.safe_load(text) for text in texts]
    return {manifest["kind"]: manifest for manifest in found}


def test_there_are_five_objects_of_one_name(objects: dict[str, Any], service: Service) -> None:
    kinds = ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]
    assert [*objects] == kinds
    assert {manifest["metadata"]["name"] for manifest in objects.values()} == {service.name}


def test_they_find_each_other(objects: dict[str, Any]) -> None:
    template = objects["Deployment"]["spec"]["template"]
    pods = template["metadata"]["labels"].items()
    budget, policy = objects["PodDisruptionBudget"]["spec"], objects["NetworkPolicy"]["spec"]
    for selector in (
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        budget["selector"]["matchLabels"],
        policy["podSelector"]["matchLabels"],
        template["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= pods
    (port,) = objects["Service"]["spec"]["ports"]
    assert port["targetPort"] in [one["name"] for one in template["spec"]["containers"][0]["ports"]]
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", objects["Deployment"]["metadata"]["name"])


def test_the_autoscaler_alone_says_how_many(objects: dict[str, Any]) -> None:
    assert "replicas" not in objects["Deployment"]["spec"]
    assert objects["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == 2
    assert objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"]
    assert objects["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(("least", "most"), [(0, 3), (4, 3), (-1, -1)])
def test_numbers_of_pods_that_cannot_be(service: Service, tmp_path: Path, least: int, most: int) -> None:
    with pytest.raises(RatchetError, match=f"--replicas must be .* but got {least}"):
        kubernetes(service, tmp_path / "o", image=IMAGE, scale=replace(SCALE, least=least, most=most))
    assert not (tmp_path / "o").exists()


def test_an_image_without_a_version_is_refused(service: Service, tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match="has the tag latest"):
        kubernetes(service, tmp_path / "o", image="reviews:latest", scale=SCALE)


def test_the_commands_make_the_secret_first(service: Service, asking: Bundle, tmp_path: Path) -> None:
    steps = kubernetes(service, tmp_path / "o", image=IMAGE, scale=SCALE).steps
    assert f"kubectl create secret generic {service.name}-key --from-file=RATCHET_API_KEY=/dev/stdin" in steps[1]
    assert steps[2] == f"kubectl apply -f {tmp_path}/o"
    far = Service.of(asking.path, send_to="http://127.0.0.1:9/v1")
    steps = kubernetes(far, tmp_path / "far", image=IMAGE, scale=SCALE).steps
    assert "RATCHET_API_KEY=... ENDPOINT_KEY=..." in steps[0]
    assert "--from-env-file=keys.env" in steps[1]
