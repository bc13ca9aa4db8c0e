"""How sure a contender is of its answers: its temperature, and the threshold that keeps a promise, by rows it had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ratchet.contenders.base import Contender
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.gate.selective import Bools, Choice, Doubles, Point, choose_threshold
from ratchet.models.calibration import Calibration, calibrate, scaled
from ratchet.models.model import Answers
from ratchet.recipe.answer import AnswerConfig
from ratchet.tasks.certainty import ABSTAIN, BELOW, TEMPERATURE


@dataclass(frozen=True, kw_only=True, eq=False)
class Certainty:
    """The answers of a contender to the rows that it was judged on, which no model of it had seen, and how sure it is."""

    contender: Contender
    places: Ints
    """(n,) positions of these rows in the prepared rows."""
    answers: Answers
    """(n, k) as its models gave them."""
    raw: Doubles
    """(n,) confidence by these."""
    confidence: Doubles
    """(n,) as it would be served: of each fold at the temperature of the other folds, where a temperature is used."""
    right: Bools
    calibration: Calibration
    choice: Choice | None
    """``None`` where the recipe promises nothing. It is about `confidence`, and so of each fold at another temperature."""
    at_one_temperature: Point | None = None
    """What the chosen threshold does to these rows at the one temperature that is served, which all of them fitted; ``None``
    where no temperature is used or no threshold was found."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the bundle's manifest says of it; nothing where the answers go out as they are."""
        return {**self._temperature(), **({} if self.choice is None else {ABSTAIN: _promise(self.choice)})}

    def _temperature(self) -> dict[str, float]:
        return {TEMPERATURE: self.calibration.temperature} if self.calibration.used else {}

    @property
    def sides(self) -> dict[str, Doubles]:
        """(n,) each: the confidence before the temperature, and after it."""
        return {"before": self.raw, "after": self.confidence}

    @property
    def abstained(self) -> Ints:
        """Places, among these rows, of the answers that would be left to people, the least sure first."""
        if self.choice is None:
            return np.zeros(0, np.int64)
        below = np.inf if self.choice.threshold is None else self.choice.threshold
        left = np.flatnonzero(self.confidence < below)
        order: Ints = left[np.argsort(self.confidence[left], kind="stable")].astype(np.int64)
        return order


def certainty_of(rows: PartedRows, of: Contender, *, config: AnswerConfig, seed: int) -> Certainty | None:
    """How sure a contender is, and what it may promise; ``None`` where its task has no confidence.

    Args:
        rows: the prepared rows.
        of: the contender whose own recorded predictions choose; of a smaller form those of the smaller form.
        config: what is to be promised.
        seed: draws one row of each group of rows that belong together.
    """
    answers, places = of.answers, of.placed(rows)
    raw = None if answers.dtype == object else rows.task.confidence(answers)
    if raw is None:
        return None
    targets = rows.targets.take(places)
    right = rows.task.right(targets, answers)
    unit = None if rows.parts.unit is None else rows.parts.unit[places]
    found = calibrate(answers, targets, right=right, fold=rows.parts.fold[places], unit=unit)
    if not config.calibrate:
        found = replace(found, used=False, answers=answers.astype(np.float64))
    served = rows.task.confidence(found.answers)
    assert served is not None, "a task that has a confidence has one at every temperature"
    choice = None
    if config.error is not None:
        choice = choose_threshold(
            served, right, error=config.error, confidence_level=config.confidence, unit=unit, seed=seed
        )
    alike = None
    if found.used and choice is not None and choice.threshold is not None:
        shares = scaled(answers, found.temperature, apart=targets.kind == "labels")
        confidence = rows.task.confidence(shares)
        assert confidence is not None, "as above"
        alike = Point.of(choice.threshold, confidence, right)
    return Certainty(
        contender=of,
        places=places,
        answers=answers,
        raw=raw,
        confidence=served,
        right=right,
        calibration=found,
        choice=choice,
        at_one_temperature=alike,
    )


def _promise(choice: Choice) -> Mapping[str, Any]:
    """The promise as the manifest holds it: JSON values alone."""
    chosen = choice.chosen
    return {
        BELOW: choice.threshold,
        "error": choice.error,
        "confidence": choice.confidence_level,
        "answered": 0.0 if chosen is None else chosen.answered.value,
        "judged_rows": choice.naive.answered.n,
        "tested_rows": choice.tested,
    }
