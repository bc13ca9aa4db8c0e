"""KServe: an InferenceService with the image of a bundle, in the deployment mode Standard (KServe 0.16 or newer)."""

from __future__ import annotations

import shlex
from pathlib import Path

from ratchet.deploy.kubernetes import BUSY, require_scale, secret_steps
from ratchet.deploy.names import require_image
from ratchet.deploy.network_policy import network_policy
from ratchet.deploy.pod import Manifest, Scale, container, labels, notes, pod_spec
from ratchet.deploy.service import Service
from ratchet.deploy.written import Written, write_manifests

CONTAINER = "kserve-container"
PROTOCOL = "v2"
"""The Open Inference Protocol; a container of one's own names it in a variable."""


def kserve(service: Service, target: Path, *, image: str, scale: Scale, force: bool = False) -> Written:
    """Write an InferenceService, and the NetworkPolicy of its pods.

    Args:
        service: the bundle, its name and its port.
        target: folder to write.
        image: reference of the image that :func:`docker` describes, with a tag or a digest.
        scale: pods, and memory of each.
        force: replace a folder that was generated before.

    Raises:
        RatchetError: the image or the number of pods is not usable, or the folder has other files.
    """
    manifests = {
        "inference-service.yaml": inference_service(service, image=require_image(image), scale=require_scale(scale)),
        "network-policy.yaml": network_policy(service, pods={"serving.kserve.io/inferenceservice": service.name}),
    }
    write_manifests(target, manifests, force=force, bundle=service.bundle.path)
    steps = (
        *secret_steps(service),
        f"kubectl apply -f {shlex.quote(str(target))}",
        f"kubectl wait --for=condition=Ready inferenceservice/{service.name} --timeout=300s",
    )
    return Written(folder=target, files=tuple(manifests), steps=steps)


def inference_service(service: Service, *, image: str, scale: Scale) -> Manifest:
    """The InferenceService; KServe makes the Deployment, the Service and the autoscaler of it."""
    served = container(service, name=CONTAINER, image=image, memory=scale.memory)
    served["env"] = [{"name": "PROTOCOL", "value": PROTOCOL}, *served["env"]]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": service.name,
            "labels": labels(service),
            "annotations": {
                "serving.kserve.io/deploymentMode": "Standard",
                "serving.kserve.io/autoscalerClass": "hpa",
            },
        },
        "spec": {
            "predictor": {
                "annotations": notes(service),
                "minReplicas": scale.least,
                "maxReplicas": scale.most,
                "scaleMetric": "cpu",
                "scaleTarget": BUSY,
                **pod_spec(service, container=served),
            }
        },
    }
