"""A Service: a bundle that is to be served elsewhere, under a name, on a port."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import require_consent
from ratchet.deploy.names import dns_label, require_label, require_port
from ratchet.models.model import Destination
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.listen import DRAIN, GRACE, STRAGGLERS
from ratchet.serve.ring import KEY

PORT = 8000
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside of a container; the server wants a key then
WORKERS = 2
"""Requests computed at a time, named so that memory does not grow with the cores of a node."""
USER = 10_001
"""User and group of the process: no user of the machine has this number."""
TAG = 12
"""Hex digits of the bundle's sha256 in the tag of its image."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is deployed: a verified bundle, its name in a cluster, its port, and where its model sends texts."""

    bundle: Bundle
    name: str
    port: int = PORT
    destination: Destination | None = None

    @classmethod
    def of(cls, bundle: Path | str, *, name: str = "", port: int = PORT, send_to: str = "") -> Service:
        """The service of a bundle.

        Args:
            bundle: its folder.
            name: a DNS label; empty: the bundle's name with the start of its sha256.
            port: where the server listens inside of its container.
            send_to: the address that texts may be sent to, where the model is behind one.

        Raises:
            BundleError: the bundle is damaged, or sends texts to another address than ``send_to``.
            RatchetError: the name or the port is not usable.
        """
        opened = Bundle.open(bundle)
        return cls(
            bundle=opened,
            name=require_label(name, what="--name") if name else dns_label(opened.name, sha256=opened.sha256),
            port=require_port(port),
            destination=require_consent(opened, send_to=send_to),
        )

    @property
    def image(self) -> str:
        """The image where nothing else is named: the service's name, and the start of the bundle's sha256 as its tag."""
        return f"{self.name}:{self.bundle.sha256[:TAG]}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options of ``ratchet serve`` inside of a container."""
        consent = ("--send-to", self.destination.address) if self.destination else ()
        return ("--host", EVERYWHERE, "--port", str(self.port), "--workers", str(WORKERS), *consent)

    @property
    def keys(self) -> tuple[str, ...]:
        """The environment variables that hold secrets: the key of the server, and that of the endpoint behind the model."""
        behind = self.destination.key if self.destination else ""
        return (KEY, behind) if behind else (KEY,)

    @property
    def drain_seconds(self) -> int:
        """Seconds from SIGTERM until the server has ended, whatever its clients do."""
        return math.ceil(GRACE + STRAGGLERS + ServeConfig().deadline + DRAIN)
