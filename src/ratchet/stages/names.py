"""The names of the stages: in the timings of a run, for ``--until``, and where a report says what was not run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ratchet.errors import RecipeError


class Stage(StrEnum):
    """A stage of a run, in the order of the road."""

    READ = "read"
    CHECK = "check"
    PREPARE = "prepare"
    BASELINE = "baseline"
    CHALLENGERS = "challengers"
    TRADE = "trade"
    COMPRESS = "compress"
    EXPORT = "export"
    TEST = "test"
    REPORT = "report"


UNTIL: Mapping[str, Stage] = {"check": Stage.CHECK, "prepare": Stage.PREPARE, "train": Stage.COMPRESS}
"""Where a run may be told to stop, and the last stage that it goes through then."""
SECTIONS: Mapping[str, Stage] = {
    "challenges": Stage.BASELINE,
    "compression": Stage.COMPRESS,
    "bundle": Stage.EXPORT,
    "sealed": Stage.TEST,
}
"""Which stage makes a section of the report."""


def last_stage(until: str) -> Stage:
    """The last stage of a run that is told to stop there.

    Raises:
        RecipeError: a run cannot stop there.
    """
    if until not in UNTIL:
        raise RecipeError(f"A run must stop at one of {', '.join(UNTIL)} but got {until!r}.")
    return UNTIL[until]
