"""Who may reach a pod, and whom it may reach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ratchet.deploy.network_policy import network_policy
from ratchet.deploy.service import Service
from ratchet.models.model import Destination


def test_a_model_reaches_nobody(service: Service) -> None:
    spec = network_policy(service, pods={"a": "b"})["spec"]
    assert spec["podSelector"] == {"matchLabels": {"a": "b"}}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8000}]}]
    assert spec["egress"] == []


@pytest.mark.parametrize(
    ("address", "port"),
    [("https://api.example.com/v1", 443), ("http://model:8080/v1", 8080), ("http://model/v1", 80)],
)
def test_a_model_behind_an_endpoint_reaches_names_and_its_port(service: Service, address: str, port: int) -> None:
    far = replace(service, destination=Destination(address=address))
    (rule,) = network_policy(far, pods={})["spec"]["egress"]
    assert [(one["protocol"], one["port"]) for one in rule["ports"]] == [("UDP", 53), ("TCP", 53), ("TCP", port)]
