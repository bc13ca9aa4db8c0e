"""What a bundle says of certainty: the temperature of its probabilities, and which answers it leaves to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.models.calibration import scaled
from ratchet.models.model import Answers
from ratchet.tasks.task import CellType

ABSTAIN = "abstain"
"""The field of a prediction, the column of a table, and the key of the manifest's facts of the model."""
BELOW, TEMPERATURE = "below", "temperature"


def tempered(answers: Answers, facts: Mapping[str, Any], *, apart: bool = False) -> Answers:
    """The probabilities as they are served: at the temperature of the bundle, where it has one."""
    temperature = facts.get(TEMPERATURE)
    return answers if temperature is None else scaled(answers, float(temperature), apart=apart)


def abstains(confidence: npt.NDArray[np.float64], facts: Mapping[str, Any]) -> list[dict[str, bool]]:
    """For each answer whether it is left to people, as a field of a prediction; no field where the bundle promises nothing.

    A bundle that found no threshold which keeps its promise leaves every answer to people.
    """
    promise = facts.get(ABSTAIN)
    if promise is None:
        return [{} for _ in confidence]
    below = promise[BELOW]
    left = np.ones(len(confidence), bool) if below is None else confidence < float(below)
    return [{ABSTAIN: one} for one in left.tolist()]


def abstain_column(facts: Mapping[str, Any]) -> dict[str, CellType]:
    """The column of a table, where there is one."""
    return {ABSTAIN: bool} if ABSTAIN in facts else {}


def abstain_schema(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The property of a prediction's JSON schema, where there is one."""
    promise = facts.get(ABSTAIN)
    if promise is None:
        return {}
    about = (
        f"Whether the answer is left to people: of the others at most {100 * promise['error']:.3g} % are wrong, a promise "
        f"kept with probability {promise['confidence']:g} for texts like those of the training table."
    )
    return {ABSTAIN: {"type": "boolean", "description": about}}
