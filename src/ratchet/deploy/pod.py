"""The pod that serves a bundle: nothing may be written, nobody is root, and a secret is referred to, never written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ratchet
from ratchet.deploy.memory import Memory, quantity
from ratchet.deploy.service import USER, Service

Manifest = dict[str, Any]
"""An object of a cluster, as YAML has it."""

CPU = "1"
LEAVE_SECONDS = 5
"""A pod that ends is still sent requests for a moment, until every node has heard of it."""
SPARE_SECONDS = 5
LOAD_SECONDS = 300
SCRATCH = "64Mi"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How many pods there are, and what each may take."""

    memory: Memory
    least: int = 2
    most: int = 10


def labels(service: Service) -> dict[str, str]:
    """The recommended labels of an object; the bundle's hash tells which model it is."""
    return {
        "app.kubernetes.io/name": service.name,
        "app.kubernetes.io/version": service.bundle.sha256[:12],
        "app.kubernetes.io/managed-by": "ratchet",
    }


def notes(service: Service) -> dict[str, str]:
    """What a person wants to know of a pod and its bundle."""
    return {
        "ratchet/bundle": service.bundle.sha256,
        "ratchet/model": service.bundle.name,
        "ratchet/version": ratchet.__version__,
    }


def secret(service: Service) -> str:
    """Name of the Secret that has a key for each variable in ``service.keys``."""
    return f"{service.name}-key"


def pod_spec(service: Service, *, container: Manifest) -> Manifest:
    """The specification of a pod with this container."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": LEAVE_SECONDS + service.drain_seconds + SPARE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": SCRATCH}}],
    }


def container(service: Service, *, name: str, image: str, memory: Memory) -> Manifest:
    """The container: what it runs, its secrets, probes, rights and resources."""
    return {
        "name": name,
        "image": image,
        "args": list(service.arguments),
        "ports": [{"name": "http", "containerPort": service.port, "protocol": "TCP"}],
        "env": [
            {"name": key, "valueFrom": {"secretKeyRef": {"name": secret(service), "key": key}}} for key in service.keys
        ],
        "startupProbe": _probe("/readyz", every=2, failures=LOAD_SECONDS // 2),
        "readinessProbe": _probe("/readyz", every=5, failures=2),
        "livenessProbe": _probe("/healthz", every=10, failures=3),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(LEAVE_SECONDS)]}}},
        "resources": {
            "requests": {"cpu": CPU, "memory": quantity(memory.request)},
            "limits": {"memory": quantity(memory.limit)},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a path in the container
    }


def _probe(path: str, *, every: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": every,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
