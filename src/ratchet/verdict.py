"""The verdict: is the challenger better than the champion? Nothing else in Ratchet may answer that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import InitVar, asdict, dataclass
from typing import Any, Literal

import numpy as np

from ratchet.errors import RatchetError
from ratchet.family import Family
from ratchet.metrics import METRICS, Evidence, Setting, compare_measure
from ratchet.paired import DRAWS, Paired, normal_quantile

Outcome = Literal["better", "not_worse", "worse", "undecided"]
Kind = Literal["superior", "noninferior", "equivalent"]
POWER = 0.8
_SEAL = object()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is to be shown on one metric; ``margin`` is in the metric's own units (0.01: one point)."""

    metric: str
    kind: Kind = "superior"
    margin: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.margin < math.inf:
            raise RatchetError(f"The margin of {self.metric!r} must be above 0 but got {self.margin}.")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim judged: the difference "challenger minus champion" with its interval, and whether the claim holds."""

    metric: str
    claim: Kind
    margin: float
    outcome: Outcome
    holds: bool
    estimate: float
    low: float
    high: float
    p: float
    p_margin: float
    p_excess: float
    n: int
    test: str
    inflation: float
    """How many times larger the variance is than the rows alone show (folds, seeds); 1 for one fixed pair of models."""
    seed_sd: float | None
    """Standard deviation of the difference over seeds; ``None`` for a single seed."""
    rows_needed: int | None
    """Rows at which this difference would be decided with 80 % power; ``None`` when it is decided or cannot be."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer, per metric and together. Only `compare` makes one; `Verdict.from_dict` checks what it reads."""

    challenger: str
    champion: str
    outcome: Outcome
    promotes: bool
    """All claims hold and at least one of them is "superior": the challenger may take the champion's place."""
    findings: tuple[Finding, ...]
    alpha: float
    """The family's error level; intervals have confidence ``1 - alpha``."""
    level: float
    """The level this challenge was given."""
    family: str
    number: int
    """The challenge's 1-based number in its family."""
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise RatchetError("A Verdict must come from ratchet.verdict.compare but got built by hand.")

    @property
    def line(self) -> str:
        """The verdict in one line for people."""
        parts = "; ".join(_sentence(finding, self.level) for finding in self.findings)
        word = {"better": "better", "not_worse": "not worse", "worse": "worse", "undecided": "undecided"}[self.outcome]
        promoted = " -> new champion" if self.promotes else ""
        return f"{self.challenger} against {self.champion}: {word}{promoted} ({parts})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        fields = asdict(self)
        fields["findings"] = [asdict(finding) for finding in self.findings]
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Verdict:
        """The verdict that `to_dict` wrote.

        Raises:
            RatchetError: the outcome does not follow from the recorded figures.
        """
        try:
            findings = tuple(Finding(**finding) for finding in fields["findings"])
            verdict = cls(**{**fields, "findings": findings}, seal=_SEAL)
        except (KeyError, TypeError) as error:
            raise RatchetError(f"A recorded verdict must have all its fields but got {error}.") from None
        for finding in findings:
            judged = _judge(finding.claim, finding, alpha=verdict.alpha, level=verdict.level)
            if judged != (finding.outcome, finding.holds):
                raise RatchetError(
                    f"The recorded verdict of {verdict.challenger!r} must follow from its figures but got "
                    f"{finding.outcome!r} on {finding.metric} where they say {judged[0]!r}."
                )
        if (verdict.outcome, verdict.promotes) != _together(findings):
            raise RatchetError(f"The recorded verdict of {verdict.challenger!r} must follow from its findings.")
        return verdict


def compare(
    challenger: Evidence,
    champion: Evidence,
    metrics: Sequence[Claim | str] = ("accuracy",),
    *,
    family: Family | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    draws: int = DRAWS,
) -> Verdict:
    """Judge a challenger against the champion on the rows that both were scored on.

    Args:
        challenger: predictions on held-out rows; `Evidence.fold` and several seeds are taken into account.
        champion: likewise; only rows in both count.
        metrics: claims, or names of metrics (then "superior"). All must hold: an intersection-union test, which needs no
            correction for the number of metrics (Berger 1982, Technometrics 24).
        family: the history of challenges on these rows, which sets the level of this one; ``None``: a single comparison.
        alpha: two-sided error level of a single comparison, used without ``family``.
        seed: of the resampling; ``draws``: how many permutations.

    Raises:
        RatchetError: no shared rows, different true classes or folds, an unknown metric.

    A challenger is ``better`` when the two-sided test rejects "no difference" in its favour at the challenge's level and the
    interval excludes zero; ``worse`` when the same is true against it at ``alpha``; ``not_worse`` when a loss of ``margin``
    is rejected; else ``undecided``.

    Out-of-fold rows were scored by models whose training sets overlap, so their variance is enlarged by
    1 + K/(K - 1) for K folds (Nadeau, Bengio 2003, Machine Learning 52); seed noise is added on top.

    >>> rows = np.arange(200)
    >>> truth = rows % 2
    >>> sure = np.stack([1 - truth, truth], axis=1).astype(float)
    >>> poor = np.where((rows % 5 == 0)[:, None], 1 - sure, sure)
    >>> compare(
    ...     Evidence(name="b", rows=rows, truth=truth, probability=sure),
    ...     Evidence(name="a", rows=rows, truth=truth, probability=poor),
    ... ).outcome
    'better'
    """
    family = family or Family(name="single", alpha=alpha)
    level = family.level if family.name != "single" else alpha
    shared = np.intersect1d(challenger.rows, champion.rows)
    if not len(shared):
        raise RatchetError(
            f"{challenger.name!r} and {champion.name!r} must have rows in common but got none.",
            next_step="Score both on the same part.",
        )
    first, second = challenger.on(shared), champion.on(shared)
    if not np.array_equal(first.truth, second.truth):
        raise RatchetError(
            f"{challenger.name!r} and {champion.name!r} must agree on the true classes but got two tables."
        )
    claims = [Claim(metric=claim) if isinstance(claim, str) else claim for claim in metrics]
    if not claims:
        raise RatchetError("A comparison must have at least one metric but got none.")
    findings = tuple(
        _find(
            claim,
            first,
            second,
            Setting(alpha=family.alpha, margin=claim.margin, seed=seed, draws=draws),
            level=level,
        )
        for claim in claims
    )
    outcome, promotes = _together(findings)
    return Verdict(
        challenger=challenger.name,
        champion=champion.name,
        outcome=outcome,
        promotes=promotes,
        findings=findings,
        alpha=family.alpha,
        level=level,
        family=family.name,
        number=family.number,
        seal=_SEAL,
    )


def fold_inflation(a: Evidence, b: Evidence) -> float:
    """By how much overlapping training sets enlarge the variance (Nadeau, Bengio 2003): 1 + K/(K - 1) over K folds."""
    if a.fold is None or b.fold is None:
        return 1.0
    if not np.array_equal(a.fold, b.fold):
        raise RatchetError(f"{a.name!r} and {b.name!r} must have the same folds but got different ones.")
    folds = len(np.unique(a.fold))
    return 1.0 if folds == 1 else 1 + folds / (folds - 1)


def _find(claim: Claim, a: Evidence, b: Evidence, setting: Setting, *, level: float) -> Finding:
    alpha, metric = setting.alpha, METRICS.get(claim.metric)
    seed_sd = None
    if metric is None:
        paired = compare_measure(claim.metric, a, b, setting)
        n, inflation = len(a.measures[claim.metric]), 1.0
    else:
        if not metric.seeds and (a.probability.ndim == 3 or b.probability.ndim == 3):
            able = ", ".join(sorted(name for name, other in METRICS.items() if other.seeds))
            raise RatchetError(f"A metric over several seeds must be one of {able} but got {claim.metric!r}.")
        paired = metric.compare(a, b, setting)
        n, inflation = len(a.rows), fold_inflation(a, b)
        seed_sd = _seed_noise(a, b, claim.metric)
        if seed_sd is not None:
            error = (paired.high - paired.low) / (2 * normal_quantile(1 - alpha / 2))
            seeds = min(len(e.probability) for e in (a, b) if e.probability.ndim == 3)
            inflation += 0.0 if error == 0 else seed_sd**2 / seeds / error**2
        paired = paired.widened(inflation, alpha=alpha, margin=claim.margin)
    outcome, holds = _judge(claim.kind, paired, alpha=alpha, level=level)
    return Finding(
        metric=claim.metric,
        claim=claim.kind,
        margin=claim.margin,
        outcome=outcome,
        holds=holds,
        estimate=paired.estimate,
        low=paired.low,
        high=paired.high,
        p=paired.p,
        p_margin=paired.p_margin,
        p_excess=paired.p_excess,
        n=n,
        test=paired.test,
        inflation=inflation,
        seed_sd=seed_sd,
        rows_needed=None if holds or outcome == "worse" else _rows_needed(claim, paired, n, alpha=alpha, level=level),
    )


def _judge(kind: Kind, paired: Paired | Finding, *, alpha: float, level: float) -> tuple[Outcome, bool]:
    """The outcome on one metric, and whether the claim holds; the only place where figures become words."""
    better = paired.estimate > 0 and paired.p <= level and paired.low > 0
    worse = paired.estimate < 0 and paired.p <= alpha and paired.high < 0
    not_worse = paired.p_margin <= level
    if kind == "equivalent":
        equal = not_worse and paired.p_excess <= level
        order: list[tuple[bool, Outcome]] = [(equal, "not_worse"), (better, "better"), (worse, "worse")]
        return next((word for true, word in order if true), "undecided"), equal
    if kind == "noninferior":
        order = [(better, "better"), (not_worse, "not_worse"), (worse, "worse")]
        return next((word for true, word in order if true), "undecided"), better or not_worse
    order = [(better, "better"), (worse, "worse"), (not_worse, "not_worse")]
    return next((word for true, word in order if true), "undecided"), better


def _together(findings: tuple[Finding, ...]) -> tuple[Outcome, bool]:
    """The outcome over all metrics, and whether the challenger is promoted."""
    promotes = all(finding.holds for finding in findings) and any(f.claim == "superior" for f in findings)
    outcomes: set[Outcome] = {finding.outcome for finding in findings}
    worst: tuple[Outcome, ...] = ("worse", "undecided", "not_worse", "better")
    return next(word for word in worst if word in outcomes), promotes


def _seed_noise(a: Evidence, b: Evidence, metric: str) -> float | None:
    """Standard deviation over seeds of the difference; of independent seeds when both sides have some."""
    variance, found = 0.0, False
    for evidence in (a, b):
        if evidence.probability.ndim == 3 and len(evidence.probability) > 1:
            values = [
                METRICS[metric].value(
                    Evidence(name=evidence.name, rows=evidence.rows, truth=evidence.truth, probability=probability)
                )
                for probability in evidence.probability
            ]
            variance, found = variance + float(np.var(values, ddof=1)), True
    return math.sqrt(variance) if found else None


def _rows_needed(claim: Claim, paired: Paired, n: int, *, alpha: float, level: float) -> int | None:
    """Rows for 80 % power if the true difference is the one seen; the standard error shrinks with the root of the rows."""
    error = (paired.high - paired.low) / (2 * normal_quantile(1 - alpha / 2))
    distance = paired.estimate if claim.kind == "superior" else paired.estimate + claim.margin
    if claim.kind == "equivalent":
        distance = claim.margin - abs(paired.estimate)
    if distance <= 0 or error == 0:
        return None
    needed = n * ((normal_quantile(1 - level / 2) + normal_quantile(POWER)) * error / distance) ** 2
    return max(n + 1, math.ceil(needed)) if needed < 1e9 else None


def _p(p: float) -> str:
    return f"p={p:.2g}" if p > 1e-99 else "p<1e-99"


def _sentence(finding: Finding, level: float) -> str:
    metric = METRICS.get(finding.metric)
    unit, scale = ("points", 100.0) if metric and metric.unit == "points" else (metric.unit if metric else "%", 1.0)
    if metric is None:
        scale = 100.0
    figures = f"{finding.estimate * scale:+.2f} [{finding.low * scale:+.2f}, {finding.high * scale:+.2f}] {unit}"
    words = f"{finding.metric} {figures}"
    if finding.test == "exact":
        return f"{finding.metric} {finding.estimate * scale:+.1f} {unit} saved"
    if finding.claim == "noninferior":
        words += f", margin {finding.margin * scale:g}, {_p(finding.p_margin)} of {level:.2g}"
    else:
        words += f", {_p(finding.p)} of {level:.2g}"
    words += f", n={finding.n:,}, {finding.test}"
    if finding.rows_needed:
        words += f", about {finding.rows_needed:,} rows would decide"
    return words
