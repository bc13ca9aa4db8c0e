"""Ratchet's own guard as the watch of a gateway: it looks for prompt injections in what users and tools bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.gateway.config import GatewayConfig
from ratchet.gateway.guard import Guard as Guarding
from ratchet.gateway.guard import Watch
from ratchet.gateway.request import Source
from ratchet.guard import Guard


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found in a text."""

    flagged: bool
    reasons: Sequence[str] = ()
    """Rule and disguise, the strongest first; nothing of the text."""


class Injections:
    """Looks at texts for prompt injections; at a system prompt it does not, as whoever wrote that is trusted.

    Args:
        threshold: the score from which on a text is flagged; ``None``: that of the guard.
        allow: phrases that are not looked at wherever they stand.
    """

    def __init__(self, *, threshold: float | None = None, allow: Sequence[str] = ()) -> None:
        self._guard = Guard(threshold=threshold, allow=tuple(allow))
        self._guard.check("")  # its weights are read, and proven by their hash, before the first request

    def check(self, text: str, source: Source, /) -> Found:
        """Look at a text."""
        if source == "trusted":
            return Found(flagged=False)
        decision = self._guard.check(text)
        words = [one.rule if one.view == "plain" else f"{one.rule} in {one.view}" for one in decision.reasons]
        return Found(flagged=decision.flagged, reasons=tuple(dict.fromkeys(words)))


def guard_of(config: GatewayConfig, watch: Watch | None = None) -> Guarding | None:
    """The guard that a configuration asks for; ``None``: it asks for none.

    Args:
        config: mode, seconds, threshold and allowed phrases.
        watch: looks at the texts; ``None``: Ratchet's own guard.

    Raises:
        BundleError: the files of the guard were changed.
    """
    if config.guard == "off":
        return None
    chosen = watch or Injections(threshold=config.guard_threshold, allow=config.guard_allow)
    return Guarding(chosen, mode=config.guard, seconds=config.guard_seconds)
