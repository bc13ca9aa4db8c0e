"""Chat completions from a served bundle whose model writes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ratchet.bundle.bundle import Bundle
from ratchet.gateway.config import GatewayConfig, Timeouts
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.door import Door

if TYPE_CHECKING:
    from starlette.routing import Route


KIND, TASK = "decoder", "generation"


class Chat:
    """The routes of a bundle whose model writes, or none.

    Args:
        bundle: what is served.
        config: queue and deadline.
        api_key: what clients must send.
    """

    def __init__(self, bundle: Bundle, *, config: ServeConfig, api_key: str | None = None) -> None:
        self.routes: list[Route] = []
        if not writes(bundle):
            return
        from ratchet.gateway.app import Gateway
        from ratchet.gateway.arms import Arm, OneArm
        from ratchet.gateway.generator import Generator, loaded

        self._loaded = loaded
        self._generator = Generator(bundle.name, partial(loaded, bundle), queue=config.queue, seconds=config.deadline)
        settings = GatewayConfig(timeouts=Timeouts(whole=config.deadline))
        self._gateway = Gateway(settings, router=OneArm(arm=Arm(name="bundle", backend=self._generator)))
        for route in self._gateway.routes:
            route.app = Door(route.app, key=api_key or "", at=config)
            self.routes.append(route)

    def swap(self, bundle: Bundle) -> None:
        """Answer with the model of another bundle from now on, if it writes."""
        if self.routes and writes(bundle):
            self._generator.replace(bundle.name, partial(self._loaded, bundle))

    async def close(self) -> None:
        """Write nothing more."""
        if self.routes:
            await self._gateway.close()


def writes(bundle: Bundle) -> bool:
    """Whether the model of a bundle writes answers of its own, on this machine."""
    return bundle.kind == KIND and bundle.manifest.task == TASK
