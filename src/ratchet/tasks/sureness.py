"""Views of how sure a model is: whether its probabilities hold, and what is wrong among the answers that it is sure of."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ratchet.gate.selective import NAIVE, Bools, Choice, Doubles, Point, curve
from ratchet.models.calibration import Bin, Calibration, bins_of, debiased, ece

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Sides:
    """A figure at the temperature 1, and at the one that was fitted to other rows."""

    before: float
    after: float


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Reliability:
    """How often answers are right, by how sure the model is of them: at the temperature 1, and as they are served."""

    before: tuple[Bin, ...]
    after: tuple[Bin, ...]
    """Cross-fitted, each fold at the temperature of the others; empty where no temperature is used."""
    temperature: float
    """That has the lowest log loss."""
    used: bool
    """It lowers the log loss of rows that did not fit it, which is proven."""
    p: float
    loss: Sides
    ece: Sides
    debiased: Sides

    @classmethod
    def of(cls, found: Calibration, raw: Doubles, confidence: Doubles, right: Bools) -> Reliability:
        """Of (n,) confidences as the model gave them and as they are served."""
        before, after = bins_of(raw, right), bins_of(confidence, right)
        return cls(
            before=before,
            after=after if found.used else (),
            temperature=found.fitted,
            used=found.used,
            p=found.p,
            loss=Sides(before=found.loss_before, after=found.loss_after),
            ece=Sides(before=ece(before), after=ece(after)),
            debiased=Sides(before=debiased(before), after=debiased(after)),
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Selection:
    """The share of wrong answers among those that a threshold lets out, over the share that it lets out."""

    points: tuple[Point, ...]
    """From strict to loose."""
    naive: Point
    chosen: Point | None = None
    """By the promise of the recipe; ``None`` where there is none, or none can be kept."""
    wanted: float | None = None
    """The promised error rate; ``None``: nothing is promised."""
    confidence_level: float = 0.95
    tested: int = 0
    rows_needed: int | None = None
    left: int = 0
    """Judged rows whose answers are left to people."""

    @classmethod
    def of(cls, choice: Choice | None, confidence: Doubles, right: Bools) -> Selection:
        """Of (n,) confidences as they are served, with the threshold that was chosen."""
        points, naive = curve(confidence, right), Point.of(NAIVE, confidence, right)
        if choice is None:
            return cls(points=points, naive=naive)
        kept = 0 if choice.chosen is None or choice.chosen.error is None else choice.chosen.error.n
        return cls(
            points=points,
            naive=naive,
            chosen=choice.chosen,
            wanted=choice.error,
            confidence_level=choice.confidence_level,
            tested=choice.tested,
            rows_needed=choice.rows_needed,
            left=len(confidence) - kept,
        )
