"""NetworkPolicy: clients reach the port of a service, and its model reaches nobody but the endpoint that was agreed to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ratchet.deploy.pod import Manifest, labels
from ratchet.deploy.service import Service


def network_policy(service: Service, *, pods: Mapping[str, str]) -> Manifest:
    """The policy of the pods with these labels. A policy knows no names of hosts: of an endpoint, the port alone is fixed."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": service.name, "labels": labels(service)},
        "spec": {
            "podSelector": {"matchLabels": dict(pods)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": service.port}]}],
            "egress": _egress(service),
        },
    }


def _egress(service: Service) -> list[Manifest]:
    if service.destination is None:
        return []
    address = urlsplit(service.destination.address)
    port = address.port or (80 if address.scheme == "http" else 443)
    names = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return [{"ports": [*names, {"protocol": "TCP", "port": port}]}]
