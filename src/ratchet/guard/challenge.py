"""One guard against another: a challenger is judged by its recall at the same rate of false positives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.gate.claim import Claim
from ratchet.gate.verdict import Verdict, compare
from ratchet.metrics.evidence import Evidence

Scores = Sequence[float] | npt.NDArray[np.float64]
RECALL, CLEAN = "recall", "benign_passed"


@dataclass(frozen=True, kw_only=True)
class Side:
    """A guard, ours or any other: its name and the score that it gives each row."""

    name: str
    scores: Scores


def challenge(
    challenger: Side, champion: Side, *, attack: Sequence[bool], rate: float = 0.01, margin: float = 0.01, seed: int = 0
) -> Verdict:
    """Is the challenger better? It must find more of the attacks, and pass no fewer of the benign rows by ``margin``.

    Half of the benign rows, drawn by the seed, set the threshold of each guard at the rate; on the other half it is tested
    that the challenger flags no more, and on the attacks that it finds more. Both are paired tests of the gate; it takes the
    champion's place where ``promotes`` says so.

    Raises:
        DataError: scores for another number of rows, or fewer than one row of a kind.
    """
    labels = np.asarray(attack, dtype=bool)
    for side in (challenger, champion):
        if len(side.scores) != len(labels):
            raise DataError(
                f"The guard {side.name!r} must have a score for each of {len(labels)} rows but has {len(side.scores)}."
            )
    benign = np.random.default_rng(seed).permutation(np.flatnonzero(~labels))
    half = len(benign) // 2
    if not half or not labels.any():
        raise DataError(
            f"The rows must have an attack and two benign ones or more but have {labels.sum()} and {len(benign)}."
        )
    rows = np.sort(np.concatenate((np.flatnonzero(labels), benign[half:])))
    sides = [_evidence(side, benign[:half], rows, labels, rate) for side in (challenger, champion)]
    claims = (Claim(metric=RECALL), Claim(metric=CLEAN, kind="noninferior", margin=margin))
    return compare(sides[0], sides[1], claims, seed=seed)


def _evidence(
    side: Side, benign: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], labels: npt.NDArray[np.bool_], rate: float
) -> Evidence:
    scores = np.asarray(side.scores, dtype=np.float64)
    threshold = np.quantile(scores[benign], 1 - rate, method="higher")
    flagged, is_attack = scores[rows] > threshold, labels[rows]
    return Evidence(
        name=side.name,
        rows=rows,
        targets={"reference": is_attack.astype(np.int64)},
        outcomes={RECALL: flagged.astype(np.float64), CLEAN: (~flagged).astype(np.float64)},
        known={RECALL: is_attack, CLEAN: ~is_attack},
    )
