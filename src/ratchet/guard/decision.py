"""A decision of the guard, and the reasons for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ratchet.forms import legible

Mode = Literal["monitor", "flag", "block"]
"""What follows from a finding: nothing but a record, a flag on the decision, or that the text must not go on."""
CLASSIFIER, CANARY = "classifier", "canary"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a text looks like an attack."""

    rule: str
    """Id of a rule, ``classifier``, ``canary``, or the name of a filter of your own."""
    title: str
    start: int
    """First character of the text that was given."""
    end: int
    """The character after the last one."""
    view: str
    """What had to be undone to read it: ``plain``, ``base64`` ..."""
    said: str
    """What it says in that view, up to 200 characters."""
    score: float

    @property
    def line(self) -> str:
        """The reason for people."""
        read = "" if self.view == "plain" else f" (read as {self.view})"
        return f"{self.rule} {self.score:.2f}, characters {self.start} to {self.end}{read}: {legible(self.said)}"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the guard says of a text."""

    score: float
    """The highest score of all reasons, 0 to 1; 0 without any."""
    threshold: float
    mode: Mode
    reasons: tuple[Reason, ...]
    """The strongest first."""
    unread: int = 0
    """Characters in the middle of a very long text that were not looked at."""

    @property
    def flagged(self) -> bool:
        """Whether it looks like an attack, in any mode."""
        return self.score >= self.threshold

    @property
    def blocked(self) -> bool:
        """Whether it must not go on: flagged, in the mode ``block``."""
        return self.flagged and self.mode == "block"

    def to_dict(self) -> dict[str, Any]:
        """The decision for JSON."""
        return {"flagged": self.flagged, "blocked": self.blocked, **asdict(self)}
