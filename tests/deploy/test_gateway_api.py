"""The HTTPRoute: a hundred per cent, divided between two services."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ratchet.bundle.bundle import Bundle
from ratchet.deploy.gateway_api import Route, gateway_api, http_route, service_name
from ratchet.deploy.service import Service
from ratchet.errors import BundleError, RatchetError

ROUTE = Route(name="reviews", champion="reviews-a", challenger="reviews-b", weight=5, gateway="public")


@pytest.mark.parametrize("weight", [0, 5, 50, 100])
def test_the_weights_are_per_cent(weight: int) -> None:
    (rule,) = http_route(replace(ROUTE, weight=weight))["spec"]["rules"]
    assert [(one["name"], one["weight"]) for one in rule["backendRefs"]] == [
        ("reviews-a", 100 - weight),
        ("reviews-b", weight),
    ]
    assert {one["port"] for one in rule["backendRefs"]} == {80}


def test_where_it_hangs() -> None:
    spec = http_route(ROUTE)["spec"]
    assert spec["parentRefs"] == [{"name": "public"}]
    assert "hostnames" not in spec
    spec = http_route(replace(ROUTE, gateway="infra/public", host="reviews.example.com"))["spec"]
    assert spec["parentRefs"] == [{"name": "public", "namespace": "infra"}]
    assert spec["hostnames"] == ["reviews.example.com"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight": 101}, "--weight must be from 0 to 100 per cent but got 101"),
        ({"weight": -5}, "--weight must be"),
        ({"challenger": "reviews-a"}, "must differ but both are 'reviews-a'"),
        ({"champion": "Reviews"}, "A service must be a DNS label"),
        ({"name": ""}, "--name must be a DNS label"),
        ({"gateway": ""}, "--gateway must be a DNS label"),
        ({"gateway": "a/b/c"}, "--gateway must be a DNS label"),
        ({"host": "https://reviews.example.com"}, "--host must be"),
        ({"host": "reviews.example.com:80"}, "--host must be"),
        ({"host": "a." * 200 + "b"}, "--host must be"),
    ],
)
def test_mistakes(change: dict[str, object], said: str) -> None:
    with pytest.raises(RatchetError, match=said):
        http_route(replace(ROUTE, **change))  # type: ignore[arg-type]


def test_a_service_is_named_by_its_bundle(bundle: Bundle, service: Service, tmp_path: Path) -> None:
    assert service_name(str(bundle.path)) == service.name
    assert service_name("reviews-b") == "reviews-b"
    with pytest.raises(RatchetError, match="A service that is not the folder of a bundle must be a DNS label"):
        service_name("no/such/bundle")
    with pytest.raises(BundleError):
        service_name(str(tmp_path))


def test_the_file(tmp_path: Path) -> None:
    written = gateway_api(ROUTE, tmp_path / "o")
    found = yaml.safe_load((tmp_path / "o" / "http-route.yaml").read_text(encoding="utf-8"))
    assert found == http_route(ROUTE)
    assert written.steps[0] == f"kubectl apply -f {tmp_path}/o/http-route.yaml"
