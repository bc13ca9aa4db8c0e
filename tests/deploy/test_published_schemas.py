"""What is written against the schemas that Kubernetes, KServe and the Gateway API publish, where they are installed.

pip install kubernetes-validate                                        # 111 MB: the JSON schemas of sixteen versions
pip install --no-deps kserve                                           # its models; nothing of it is imported
npm install @kubernetes-models/gateway-api; export NODE_PATH=$PWD/node_modules
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import IMAGE, SCALE

from ratchet.bundle.bundle import Bundle
from ratchet.deploy.gateway_api import Route, http_route
from ratchet.deploy.kserve import inference_service
from ratchet.deploy.kubernetes import autoscaler, deployment, disruption_budget, service_object
from ratchet.deploy.network_policy import network_policy
from ratchet.deploy.service import Service

pytestmark = pytest.mark.slow
Manifest = dict[str, Any]


def _manifests(service: Service) -> list[Manifest]:
    return [
        deployment(service, image=IMAGE, scale=SCALE),
        service_object(service),
        autoscaler(service, scale=SCALE),
        disruption_budget(service),
        network_policy(service, pods={"a": "b"}),
    ]


def _validate(manifest: Manifest) -> None:
    """Against the oldest and the newest version that is known and has all that we use."""
    known = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for version in ("1.27", known.latest_version()):
        known.validate(manifest, version, strict=True)


def test_kubernetes(service: Service, asking: Bundle) -> None:
    far = Service.of(asking.path, send_to="http://127.0.0.1:9/v1")
    for manifest in [*_manifests(service), *_manifests(far)]:
        _validate(manifest)


def test_the_schemas_of_kubernetes_find_mistakes(service: Service) -> None:
    known = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    wrong = [deepcopy(manifest) for manifest in _manifests(service)]
    wrong[0]["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    wrong[1]["spec"]["ports"][0]["port"] = "80"
    wrong[2]["spec"]["maxReplicas"] = "many"
    wrong[3]["spec"]["maxUnavailble"] = 1
    wrong[4]["spec"]["egress"] = [{"ports": 80}]
    for manifest in wrong:
        with pytest.raises(known.ValidationError):
            known.validate(manifest, known.latest_version(), strict=True)


def _models() -> Path:
    """Where the models of KServe lie."""
    found = find_spec("kserve")
    if found is None or found.origin is None:
        pytest.skip("KServe is not installed: pip install --no-deps kserve")
    return Path(found.origin).parent / "models"


def _types(models: Path, name: str) -> dict[str, str]:
    """Of a model of KServe, the type of each key."""
    file = models / (re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() + ".py")
    found: dict[str, dict[str, str]] = {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict):
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return {key: found["openapi_types"][name] for name, key in found["attribute_map"].items()}


def _faults(value: object, kind: str, *, models: Path, at: str) -> list[str]:
    """Keys that KServe does not know, and values of another type; types of Kubernetes are its own schemas' part."""
    plain = {"str": str, "int": int, "bool": bool, "float": float}
    if kind in plain:
        return [] if type(value) is plain[kind] else [f"{at} must be {kind}"]
    if not kind.startswith("V1beta1"):
        return []
    types = _types(models, kind)
    assert isinstance(value, dict), at
    unknown = [f"{at}.{key} is unknown" for key in value if key not in types]
    inner = [_faults(one, types[key], models=models, at=f"{at}.{key}") for key, one in value.items() if key in types]
    return unknown + [fault for faults in inner for fault in faults]


def test_kserve(service: Service) -> None:
    found = inference_service(service, image=IMAGE, scale=SCALE)
    assert _faults(found, "V1beta1InferenceService", models=_models(), at="") == []


def test_the_pod_of_kserve_is_one_of_kubernetes(service: Service) -> None:
    predictor = inference_service(service, image=IMAGE, scale=SCALE)["spec"]["predictor"]
    own = ("annotations", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget")
    pod = {key: value for key, value in predictor.items() if key not in own}
    _validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": service.name}, "spec": pod})


def test_the_models_of_kserve_find_mistakes(service: Service) -> None:
    wrong = inference_service(service, image=IMAGE, scale=SCALE)
    wrong["spec"]["predictor"] |= {"minReplicas": "2", "maxReplcas": 3}
    found = _faults(wrong, "V1beta1InferenceService", models=_models(), at="")
    assert found == [".spec.predictor.maxReplcas is unknown", ".spec.predictor.minReplicas must be int"]


def _said_of(manifest: Manifest) -> str:
    """What the validator of the Gateway API says; empty: nothing."""
    node, modules = shutil.which("node"), Path(os.environ.get("NODE_PATH", "node_modules"))
    if node is None or not (modules / "@kubernetes-models" / "gateway-api").exists():
        pytest.skip("npm install @kubernetes-models/gateway-api; NODE_PATH must name its node_modules")
    script = (
        "import {HTTPRoute} from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute';"
        "try { new HTTPRoute(JSON.parse(process.argv[1])).validate() } catch (error) { console.log(error.message) }"
    )
    command = [node, "--input-type=module", "--eval", script, json.dumps(manifest)]
    return subprocess.run(command, cwd=modules.parent, capture_output=True, text=True, check=True).stdout


ROUTE = Route(name="r", champion="a", challenger="b", weight=5, gateway="infra/public", host="reviews.example.com")


def test_gateway_api() -> None:
    assert _said_of(http_route(ROUTE)) == ""


def test_the_schema_of_the_gateway_api_finds_mistakes() -> None:
    wrong = http_route(ROUTE)
    wrong["spec"]["rules"][0]["backendRefs"][0]["weight"] = "95"
    wrong["spec"]["hostnames"] = ["https://x"]
    said = _said_of(wrong)
    assert "weight" in said
    assert "hostnames" in said
