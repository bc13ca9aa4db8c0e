"""Kubernetes: Deployment, Service, HorizontalPodAutoscaler, PodDisruptionBudget and NetworkPolicy, one file each."""

from __future__ import annotations

import shlex
from pathlib import Path

from ratchet.deploy.names import require_image
from ratchet.deploy.network_policy import network_policy
from ratchet.deploy.pod import Manifest, Scale, container, labels, notes, pod_spec, secret
from ratchet.deploy.service import Service
from ratchet.deploy.written import Written, write_manifests
from ratchet.errors import RatchetError
from ratchet.serve.ring import KEY

HTTP = 80
BUSY = 70
"""Per cent of the requested CPU from which there are more pods."""


def kubernetes(service: Service, target: Path, *, image: str, scale: Scale, force: bool = False) -> Written:
    """Write what a cluster needs to serve a bundle from its image.

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
        "deployment.yaml": deployment(service, image=require_image(image), scale=require_scale(scale)),
        "service.yaml": service_object(service),
        "horizontal-pod-autoscaler.yaml": autoscaler(service, scale=scale),
        "pod-disruption-budget.yaml": disruption_budget(service),
        "network-policy.yaml": network_policy(service, pods=_selector(service)),
    }
    write_manifests(target, manifests, force=force, bundle=service.bundle.path)
    steps = (
        *secret_steps(service),
        f"kubectl apply -f {shlex.quote(str(target))}",
        f"kubectl rollout status deployment/{service.name}",
        f"kubectl port-forward service/{service.name} {service.port}:{HTTP}",
    )
    return Written(folder=target, files=tuple(manifests), steps=steps)


def require_scale(scale: Scale) -> Scale:
    """The scale, if its numbers are in order.

    Raises:
        RatchetError: there may be no pod, or fewer at most than at least.
    """
    if not 1 <= scale.least <= scale.most:
        raise RatchetError(
            f"--replicas must be at least 1 and at most --max-replicas ({scale.most}) but got {scale.least}.",
            next_step="Raise --max-replicas.",
        )
    return scale


def secret_steps(service: Service) -> tuple[str, ...]:
    """The commands that make the Secret; keys go through a pipe, so that no list of processes shows them."""
    name = secret(service)
    if len(service.keys) == 1:
        make = f"openssl rand -hex 24 | tr -d '\\n' | kubectl create secret generic {name} --from-file={KEY}=/dev/stdin"
        return "# The key that clients send; it is in none of these files.", make
    lines = " ".join(f"{key}=..." for key in service.keys)
    return f"# keys.env has the lines {lines}; remove it afterwards.", (
        f"kubectl create secret generic {name} --from-env-file=keys.env"
    )


def deployment(service: Service, *, image: str, scale: Scale) -> Manifest:
    """The Deployment. It names no number of pods: that belongs to the autoscaler."""
    selector = _selector(service)
    spec = pod_spec(service, container=container(service, name="ratchet", image=image, memory=scale.memory))
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service.name, "labels": labels(service)},
        "spec": {
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(service), "annotations": notes(service)},
                "spec": {**spec, "topologySpreadConstraints": [spread]},
            },
        },
    }


def service_object(service: Service) -> Manifest:
    """The Service, inside of the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name, "labels": labels(service)},
        "spec": {
            "selector": _selector(service),
            "ports": [{"name": "http", "port": HTTP, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}],
        },
    }


def autoscaler(service: Service, *, scale: Scale) -> Manifest:
    """The HorizontalPodAutoscaler, by CPU."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": service.name, "labels": labels(service)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name},
            "minReplicas": scale.least,
            "maxReplicas": scale.most,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": BUSY}},
                }
            ],
        },
    }


def disruption_budget(service: Service) -> Manifest:
    """The PodDisruptionBudget: a node that is emptied takes one pod at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": service.name, "labels": labels(service)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(service)}},
    }


def _selector(service: Service) -> dict[str, str]:
    """A selector cannot be changed later, so it has no version."""
    return {"app.kubernetes.io/name": service.name}
