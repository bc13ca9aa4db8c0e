"""The repository of models that a server has: the one bundle that is served, and what stands in its folder now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ratchet.errors import RatchetError
from ratchet.serve.engine import Engine, Loading, Served
from ratchet.serve.messages import Refused
from ratchet.serve.served_bundle import ServedBundle

logger = logging.getLogger("ratchet.serve")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model, and whether it can be asked: READY, LOADING or UNAVAILABLE with the reason."""

    name: str
    version: str
    state: str
    reason: str = ""


class Repository:
    """What clients may know of the bundle, and do with it.

    Args:
        engine: serves it.
        first: the bundle to begin with.
        load: opens the bundle that stands in the folder now, which must have this name; empty: any.
    """

    def __init__(
        self, engine: Engine[ServedBundle], *, first: ServedBundle, load: Callable[[str], Loading[ServedBundle]]
    ) -> None:
        self._engine, self._first, self._load = engine, first, load

    @property
    def now(self) -> ServedBundle:
        """What is served, or about to be."""
        return self._first if self._engine.served is None else self._engine.served.what

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return self._engine.ready

    def require_ready(self, name: str = "", version: str = "") -> ServedBundle:
        """The bundle, if it can be asked.

        Raises:
            Refused: 404 when it has another name or version, 503 when it cannot be asked now.
        """
        if name:
            self.now.require(name, version)
        if self._engine.failure is not None:
            raise Refused(503, "failed", "The model could not be loaded; the server's log has the reason.")
        if not self._engine.ready:
            self._engine.require_room()
            raise Refused(503, "not_ready", "The server is about to stop.", headers={"Retry-After": "1"})
        return self.now

    def index(self, *, ready: bool = False) -> list[Entry]:
        """The models; ``ready``: only those that can be asked."""
        now, engine = self.now, self._engine
        if engine.ready:
            return [Entry(name=now.name, version=now.short, state="READY")]
        reason = "The server is about to stop." if engine.draining else "The workers are being started again."
        state = "UNAVAILABLE"
        if engine.failure is not None:
            reason = "It could not be loaded; the server's log has the reason."
        elif engine.served is None:
            state, reason = "LOADING", ""
        return [] if ready else [Entry(name=now.name, version=now.short, state=state, reason=reason)]

    async def swap(self, name: str = "") -> Served[ServedBundle]:
        """Serve what stands in the folder now, if it is sound.

        Raises:
            Refused: 404 when it has another name.
            RatchetError: it is damaged, does not load, or answers otherwise than when it was exported. The old one serves on.
        """
        return await self._engine.swap(partial(self._load, name))

    async def load(self, name: str) -> None:
        """Serve the bundle of this name, which stands in the folder, for a client that wants it.

        Raises:
            Refused: 404 when the bundle there has another name, 409 when it is not sound, 503 while the first is loading. The
                old one serves on.
        """
        if self._engine.served is None:
            self._engine.require_room()
        try:
            served = await self.swap(name)
        except Refused:
            raise
        except RatchetError as error:
            logger.error("the bundle was not taken, and the one before it is served: %s", error)
            raise Refused(409, "not_loaded", str(error)) from error
        except Exception as error:
            logger.error("the bundle was not taken, and the one before it is served: %s", type(error).__name__)
            message = f"The bundle could not be loaded: {type(error).__name__}; the server's log has the reason."
            raise Refused(409, "not_loaded", message) from error
        logger.info("%s (%s) is served from now on.", served.what.name, served.what.short)
