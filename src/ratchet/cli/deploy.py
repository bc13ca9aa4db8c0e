"""``ratchet deploy``: a bundle in, a folder of files out, and the commands that use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli import arguments
from ratchet.forms import json_bytes
from ratchet.screen import echo

if TYPE_CHECKING:
    from ratchet.deploy import Service, Written
    from ratchet.deploy.pod import Scale


@dataclass(frozen=True, kw_only=True)
class _Out:
    """Where it is written, and how that is told."""

    out: Path
    force: bool
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class _Served:
    """What is deployed."""

    bundle: Path
    name: str
    port: int
    send_to: str

    def service(self) -> Service:
        from ratchet.deploy import Service

        return Service.of(self.bundle, name=self.name, port=self.port, send_to=self.send_to)


@dataclass(frozen=True, kw_only=True)
class _Pods:
    """How many pods, of which image, and how large."""

    image: str
    replicas: int
    max_replicas: int
    memory: str

    def scale(self, service: Service) -> Scale:
        """Measures the memory where none is named."""
        from ratchet.deploy.memory import Memory, measured
        from ratchet.deploy.pod import Scale

        memory = Memory.named(self.memory) if self.memory else measured(service)
        return Scale(memory=memory, least=self.replicas, most=self.max_replicas)


def _out(folder: str) -> Callable[[arguments.Command], arguments.Command]:
    out = click.option("--out", type=arguments.PATH, default=folder, show_default=True, help="Folder to write.")
    force = click.option("--force", is_flag=True, help="Replace a folder that this command wrote.")
    return arguments.gathered("to", _Out, out, force, arguments.as_json)


_served = arguments.gathered(
    "served",
    _Served,
    click.argument("bundle", type=arguments.PATH),
    click.option(
        "--name", default="", help="Name in the cluster. Default: the bundle's, with the start of its sha256."
    ),
    click.option("--port", type=int, default=8000, show_default=True, help="Port inside of the container."),
    arguments.send_to,
)
_pods = arguments.gathered(
    "pods",
    _Pods,
    click.option("--image", required=True, metavar="IMAGE", help="Reference with a tag: registry/reviews:1.0."),
    click.option("--replicas", type=int, default=2, show_default=True, help="Pods at least."),
    click.option("--max-replicas", type=int, default=10, show_default=True, help="Pods at most."),
    click.option("--memory", default="", metavar="512Mi", help="Memory of a pod. Default: measured here."),
)


@click.group()
def deploy() -> None:
    """Write what it takes to run a bundle elsewhere: docker, kubernetes, kserve, gateway-api.

    Each writes a folder, and prints the commands that use it; nothing is sent anywhere.
    """


@deploy.command()
@_served
@_out("deploy/docker")
def docker(served: _Served, to: _Out) -> None:
    """A folder to build an image of BUNDLE from: Dockerfile, pinned packages, Ratchet itself and the bundle.

    The process is not root, and the root file system may be read-only. No secret is in the image.
    """
    from ratchet.deploy import docker as write

    _tell(write(served.service(), to.out, force=to.force), to)


@deploy.command()
@_served
@_pods
@_out("deploy/kubernetes")
def kubernetes(served: _Served, pods: _Pods, to: _Out) -> None:
    """Deployment, Service, autoscaler, disruption budget and network policy for the image of BUNDLE."""
    from ratchet.deploy import kubernetes as write

    _tell_pods(write, served, pods, to)


@deploy.command()
@_served
@_pods
@_out("deploy/kserve")
def kserve(served: _Served, pods: _Pods, to: _Out) -> None:
    """An InferenceService of KServe (0.16 or newer) for the image of BUNDLE."""
    from ratchet.deploy import kserve as write

    _tell_pods(write, served, pods, to)


@deploy.command("gateway-api")
@click.argument("champion")
@click.argument("challenger")
@click.option("--weight", type=int, default=5, show_default=True, help="Per cent of the requests for CHALLENGER.")
@click.option("--gateway", required=True, metavar="NAME", help="Gateway of the route, or NAMESPACE/NAME.")
@click.option("--host", default="", help="Host name of the requests. Default: any.")
@click.option("--name", default="", help="Name of the route. Default: that of CHAMPION.")
@_out("deploy/gateway-api")
def gateway_api(champion: str, challenger: str, weight: int, gateway: str, host: str, name: str, to: _Out) -> None:
    """An HTTPRoute that sends a share of the requests to CHALLENGER and the others to CHAMPION.

    Both are folders of bundles, or names of services.
    """
    from ratchet.deploy.gateway_api import Route, service_name
    from ratchet.deploy.gateway_api import gateway_api as write

    first = service_name(champion)
    route = Route(
        name=name or first,
        champion=first,
        challenger=service_name(challenger),
        weight=weight,
        gateway=gateway,
        host=host,
    )
    _tell(write(route, to.out, force=to.force), to)


def _tell_pods(write: Callable[..., Any], served: _Served, pods: _Pods, to: _Out) -> None:
    from ratchet.deploy.names import require_image

    image, service = require_image(pods.image), served.service()
    _tell(write(service, to.out, image=image, scale=pods.scale(service), force=to.force), to)


def _tell(written: Written, to: _Out) -> None:
    if to.as_json:
        facts = {"folder": str(written.folder), "files": list(written.files), "steps": list(written.steps)}
        click.echo(json_bytes(facts, indent=2).decode())
        return
    echo(f"Wrote {written.folder}: {', '.join(written.files)}. Then:")
    for step in written.steps:
        echo(f"    {step}")
