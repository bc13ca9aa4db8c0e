"""Gateway API: an HTTPRoute that divides requests between two services by weights, which a rollout sets anew."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from ratchet.deploy.kubernetes import HTTP
from ratchet.deploy.names import require_label
from ratchet.deploy.pod import Manifest
from ratchet.deploy.written import Written, write_manifests
from ratchet.errors import RatchetError

FILE = "http-route.yaml"
ALL = 100
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)


@dataclass(frozen=True, kw_only=True)
class Route:
    """Which requests are divided, and how."""

    name: str
    champion: str
    """Name of the service that answers what the other does not."""
    challenger: str
    """Name of the service that answers ``weight`` per cent of the requests."""
    weight: int
    gateway: str
    """Name of the Gateway; ``NAMESPACE/NAME`` where it is in another namespace."""
    host: str = ""
    """Host name of the requests; empty: any."""


def service_name(named: str) -> str:
    """The name of a service: of a bundle, where this is a folder, else the text itself.

    Raises:
        BundleError: the folder is no whole bundle.
        RatchetError: it is neither a folder nor a DNS label.
    """
    if Path(named).is_dir():
        from ratchet.bundle.bundle import Bundle
        from ratchet.deploy.names import dns_label

        bundle = Bundle.open(named)
        return dns_label(bundle.name, sha256=bundle.sha256)
    return require_label(named, what="A service that is not the folder of a bundle")


def gateway_api(route: Route, target: Path, *, force: bool = False) -> Written:
    """Write the HTTPRoute.

    Raises:
        RatchetError: a name, the host or the weight is not usable, or the folder has other files.
    """
    manifest = http_route(route)
    write_manifests(target, {FILE: manifest}, force=force)
    steps = (
        f"kubectl apply -f {shlex.quote(str(target / FILE))}",
        "# For another weight, write it again with --force and apply it.",
    )
    return Written(folder=target, files=(FILE,), steps=steps)


def http_route(route: Route) -> Manifest:
    """The HTTPRoute: the challenger gets ``weight`` of a hundred requests, the champion the others.

    Raises:
        RatchetError: a name, the host or the weight is not usable.
    """
    _require(route)
    namespace, _, gateway = route.gateway.rpartition("/")
    parent = {"name": gateway, **({"namespace": namespace} if namespace else {})}
    shares = ((route.champion, ALL - route.weight), (route.challenger, route.weight))
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": route.name, "labels": {"app.kubernetes.io/managed-by": "ratchet"}},
        "spec": {
            "parentRefs": [parent],
            **({"hostnames": [route.host]} if route.host else {}),
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [{"name": name, "port": HTTP, "weight": weight} for name, weight in shares],
                }
            ],
        },
    }


def _require(route: Route) -> None:
    require_label(route.name, what="--name")
    for name in (route.champion, route.challenger):
        require_label(name, what="A service")
    for part in route.gateway.split("/", 1):
        require_label(part, what="--gateway")
    if route.champion == route.challenger:
        raise RatchetError(
            f"The two services must differ but both are {route.champion!r}.", next_step="Name the challenger second."
        )
    if not 0 <= route.weight <= ALL:
        raise RatchetError(
            f"--weight must be from 0 to {ALL} per cent but got {route.weight}.", next_step="Begin with 5."
        )
    if route.host and not _HOST.fullmatch(route.host):
        raise RatchetError(
            f"--host must be the name of a host in small letters but got {route.host!r}.",
            next_step="Write reviews.example.com, without a scheme and a port.",
        )
