"""Chat completions from a served bundle whose model writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratchet.bundle.bundle import Bundle
from ratchet.gateway.config import GatewayConfig, Timeouts
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.crew import Threads
from ratchet.serve.engine import Engine

if TYPE_CHECKING:
    from ratchet.gateway.app import Gateway
    from ratchet.gateway.generator import Loaded
    from ratchet.serve.served_bundle import ServedBundle

KIND, TASK = "decoder", "generation"


def writes(bundle: Bundle) -> bool:
    """Whether the model of a bundle writes answers of its own, on this machine."""
    return bundle.kind == KIND and bundle.manifest.task == TASK


def chat_of(engine: Engine[ServedBundle], *, config: ServeConfig) -> Gateway:
    """The routes that answer conversations with the model that an engine serves at that moment.

    Args:
        engine: that of a bundle which :func:`writes`.
        config: queue and deadline.
    """
    from ratchet.gateway.app import Gateway
    from ratchet.gateway.arms import Arm, OneArm
    from ratchet.gateway.generator import Generator, loaded
    from ratchet.gateway.injections import guard_of

    def current() -> Loaded | None:
        served = engine.served
        crew = None if served is None or engine.draining else served.crew
        model = crew.model if isinstance(crew, Threads) else None
        return None if served is None or model is None else loaded(model, name=served.what.name)

    generator = Generator(current, queue=config.queue, seconds=config.deadline)
    settings = GatewayConfig(timeouts=Timeouts(whole=config.deadline))
    return Gateway(settings, router=OneArm(arm=Arm(name="bundle", backend=generator)), guard=guard_of(settings))
