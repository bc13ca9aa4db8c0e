"""How a training is watched: what the recipe says of it, and whom it tells; it changes no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Self, TextIO

from ratchet.recipe.track import TrackConfig
from ratchet.recipe.watch import AlertSpec, WatchConfig


def _nothing(line: str) -> None:
    del line


@dataclass(frozen=True, kw_only=True, eq=False)
class Watching:
    """What `Monitor` is told beside the numbers."""

    config: WatchConfig = field(default_factory=WatchConfig)
    alerts: tuple[AlertSpec, ...] = ()
    track: TrackConfig = field(default_factory=TrackConfig)
    price: float = 0.0
    """Of an hour of this machine."""
    name: str = ""
    """What is trained, for people."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What is trained, for a tracking server: the run, the contender, its kind."""
    say: Callable[[str], None] = _nothing
    """Takes a line for people; called from other threads too."""
    aside: Callable[[], AbstractContextManager[TextIO | None]] = nullcontext
    """The terminal, free of everything else inside the block; ``None`` where there is none."""

    def named(self, part: str) -> Self:
        """The same for a part of it, such as ``fold 2``."""
        return replace(self, name=f"{self.name} {part}".strip(), about={**self.about, "part": part})
