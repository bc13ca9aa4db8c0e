"""What is asked of two contenders, and the answer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ratchet.answers.match import MOST_MISSING
from ratchet.errors import DataError
from ratchet.gate.claim import Claim, Kind
from ratchet.gate.verdict import Verdict, compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import MEASURED, Score, is_measure, score


@dataclass(frozen=True, kw_only=True)
class Question:
    """By what, and how, two contenders are compared.

    Args:
        metrics: names of metrics, of scores that both files have, ``module:function``, ``cost`` or ``latency``; none: the
            first metric of the task.
        kind: of the claim, with its ``margin``.
        times: how many times less ``cost`` or ``latency`` must be.
        task: name of the task; ``auto``: what the answers look like.
        label: column of the right answers; empty: by its usual names. Likewise ``answer`` and ``id``; rows are matched by
            the ids alone where their column is named.
        labels: labels that no row has.
        rows: a table of the rows that count, which may have the right answers.
        parts: the part of each file, or one for both.
        most_missing: share of the rows that may lack an answer.
        seed: of the resampling.
    """

    metrics: tuple[str, ...] = ()
    kind: Kind = "superior"
    margin: float = 0.01
    times: float = 1.0
    task: str = "auto"
    label: str = ""
    answer: str = ""
    id: str = ""
    labels: tuple[str, ...] = ()
    rows: Path | None = None
    parts: tuple[str, ...] = ()
    most_missing: float = MOST_MISSING
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.most_missing <= 1:
            raise DataError(f"The share that may be missing must be from 0 to 1 but got {self.most_missing:g}.")
        if self.times != 1 and not set(self.metrics) & set(MEASURED):
            raise DataError(
                f"A claim of {self.times:g} times less must be about cost or latency but is about "
                f"{', '.join(self.metrics) or 'the metric of the task'}.",
                next_step="Add --metric cost or --metric latency, or leave out --times.",
            )

    def claims(self, metrics: Sequence[str]) -> list[Claim]:
        """What is to be shown on each of these metrics."""
        return [
            Claim(metric=name, kind=self.kind, margin=self.margin, factor=self.times if name in MEASURED else 1.0)
            for name in metrics
        ]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The verdict, and what was seen on the way.

    Attributes:
        scores: of the challenger and of the champion, one a metric.
        task: name of the task; empty where none was needed.
        guessed: whether the task was guessed.
        notes: what a person should know.
        matching: counts of each file, by ``challenger`` and ``champion``; empty for models of a workspace.
    """

    verdict: Verdict
    scores: tuple[tuple[Score, ...], tuple[Score, ...]]
    task: str = ""
    guessed: bool = False
    notes: tuple[str, ...] = ()
    matching: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The verdict as it is everywhere, with all else beside it."""
        names = ("challenger", "champion")
        return {
            **self.verdict.to_dict(),
            "scores": {name: [one.to_dict() for one in side] for name, side in zip(names, self.scores, strict=True)},
            "task": self.task or None,
            "task_guessed": self.guessed,
            "matching": self.matching,
            "notes": [*self.notes],
        }


def judged(
    challenger: Evidence, champion: Evidence, *, question: Question, metrics: Sequence[str], **said: Any
) -> Comparison:
    """The comparison of two pieces of evidence.

    Args:
        challenger: what one did; ``champion`` likewise.
        question: what is asked.
        metrics: the metrics, which the question may leave open.
        said: further fields of the `Comparison`.

    Raises:
        RatchetError: the evidence cannot be judged by a metric.
    """
    verdict = compare(challenger, champion, question.claims(metrics), seed=question.seed)
    first, second = (
        tuple(score(side, name, seed=question.seed) for name in metrics if not is_measure(name, side))
        for side in (challenger, champion)
    )
    return Comparison(verdict=verdict, scores=(first, second), **said)
