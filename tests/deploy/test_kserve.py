"""The InferenceService: a container of one's own, in the mode that takes a whole pod."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.deploy.conftest import IMAGE, SCALE

from ratchet.deploy.kserve import inference_service, kserve
from ratchet.deploy.service import Service
from ratchet.errors import RatchetError


def test_it_is_a_container_of_its_own(service: Service) -> None:
    found = inference_service(service, image=IMAGE, scale=SCALE)
    assert (found["apiVersion"], found["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    predictor = found["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    assert container["image"] == IMAGE
    assert container["env"][0] == {"name": "PROTOCOL", "value": "v2"}
    assert container["env"][1]["valueFrom"]["secretKeyRef"]["name"] == f"{service.name}-key"
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 10)


def test_its_pods_are_those_of_the_mode_standard(service: Service) -> None:
    metadata = inference_service(service, image=IMAGE, scale=SCALE)["metadata"]
    assert metadata["annotations"] == {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "hpa",
    }


def test_the_files(service: Service, tmp_path: Path) -> None:
    written = kserve(service, tmp_path / "o", image=IMAGE, scale=SCALE)
    found = [yaml.safe_load((tmp_path / "o" / name).read_text(encoding="utf-8")) for name in written.files]
    assert [manifest["kind"] for manifest in found] == ["InferenceService", "NetworkPolicy"]
    assert found[1]["spec"]["podSelector"]["matchLabels"] == {"serving.kserve.io/inferenceservice": service.name}
    assert any("kubectl wait --for=condition=Ready" in step for step in written.steps)
    with pytest.raises(RatchetError, match="--image"):
        kserve(service, tmp_path / "p", image="Reviews", scale=SCALE)
