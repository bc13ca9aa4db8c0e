"""What a learning curve told, for people, for programs and for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ratchet.labels.extrapolate import Curve, Extrapolation, Gain
from ratchet.metrics.metrics import named


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """The curve of one procedure, and what follows from it."""

    name: str
    curve: Curve
    extrapolation: Extrapolation
    gains: tuple[Gain, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """What a learning curve told."""

    name: str
    """Of the recipe."""
    metric: str
    now: int
    draws: int
    fractions: tuple[float, ...]
    measured: tuple[Measured, ...]
    notes: tuple[str, ...]
    source: str
    """The recipe or table, as it was named."""
    seconds: float

    def told(self, gain: Gain) -> str:
        """A gain for people: "500 more rows: +2.1 [+1.0, +3.3] points"; an error that falls is a change below zero."""
        low, high = sorted((gain.low, gain.high), key=lambda value: named(self.metric)[0].sign * value)
        head = f"{gain.rows:,} more rows: "
        said = f"{self.amount(gain.estimate)} [{self.amount(low)}, {self.amount(high)}]{self.unit}"
        return f"{head}cannot be told: {gain.reason} ({said})" if gain.reason else head + said

    def amount(self, value: float) -> str:
        """A change with its sign, as people read the metric."""
        metric = named(self.metric)[0]
        own = metric.sign * value
        return f"{own * metric.scale:+.1f}" if metric.unit else f"{own:+.3g}"

    @property
    def unit(self) -> str:
        """The unit of gains, with the space before it."""
        unit = named(self.metric)[0].unit
        return f" {unit}" if unit else ""

    def shown(self, value: float) -> str:
        """A score as people read it."""
        return named(self.metric)[0].shown(value)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; scores are higher when better, an error is negated."""
        return {
            "name": self.name,
            "metric": self.metric,
            "rows": self.now,
            "draws": self.draws,
            "fractions": list(self.fractions),
            "notes": list(self.notes),
            "curves": [
                {
                    "name": one.name,
                    "sizes": one.curve.sizes.tolist(),
                    "scores": one.curve.scores.tolist(),
                    "mean": one.curve.mean.tolist(),
                    "gains": [gain.to_dict() | {"text": self.told(gain)} for gain in one.gains],
                }
                for one in self.measured
            ],
        }
