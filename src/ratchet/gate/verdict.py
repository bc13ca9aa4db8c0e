"""The verdict: is the challenger better than the champion? Nothing else in Ratchet may answer that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import InitVar, asdict, dataclass
from typing import Any, Literal

import numpy as np

from ratchet.errors import RatchetError
from ratchet.gate.error_budget import Correlation, Family, any_rejected, correlation_of, joint_levels
from ratchet.gate.metrics import METRICS, Evidence, Setting, compare_measure
from ratchet.gate.paired_tests import DRAWS, Floats, Ints, Paired, design_effect, normal_quantile, z_of

Outcome = Literal["better", "not_worse", "worse", "undecided"]
Kind = Literal["superior", "noninferior", "equivalent"]
POWER = 0.8
OVERLAP = 8.0
"""Two procedures compared out of fold: variance over what the rows show is ``1 + OVERLAP / sqrt(n)`` at most. Measured on
pairs of equally good procedures with disjoint features (benchmarks/gate_power.py), which is the worst pair there is."""
SEED_SD, SEED_ROWS = 0.003, 1.0
"""What is assumed of the spread between seeds of a trained network before it is seen, and the weight of that in folds."""
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
    """One claim judged: the difference "challenger minus champion" with its interval, and whether the claim holds.

    All p-values are one-sided. ``low`` is above 0 only where ``p`` is within the level, ``high`` below 0 only where
    ``p_worse`` is within ``alpha``: the interval and the word never contradict each other.
    """

    metric: str
    claim: Kind
    margin: float
    outcome: Outcome
    holds: bool
    estimate: float
    low: float
    """Lower confidence bound at the challenge's level."""
    high: float
    """Upper confidence bound at ``alpha``."""
    p: float
    """Of "not better"."""
    p_worse: float
    """Of "not worse"."""
    p_margin: float
    """Of "worse by the margin or more"."""
    p_excess: float
    """Of "better by the margin or more"."""
    n: int
    units: int
    """Rows that belong together are one unit; as many as rows where each stands alone."""
    test: str
    variance: float
    """How many times larger the variance is than the rows alone show (units, folds, seeds); 1 for one fixed pair."""
    seed_sd: float | None
    """Standard deviation of the difference over seeds; ``None`` for a single seed."""
    rows_needed: int | None
    """Rows at which this difference would be decided with 80 % power; ``None`` when it is decided or cannot be."""
    doubt: str = ""
    """Why these rows cannot tell; empty where they can."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer, per metric and together. Only `compare` and `judge` make one; `Verdict.from_dict` checks what it reads."""

    challenger: str
    champion: str
    anchor: str
    """Whose score the margin is measured from: the champion, or for a copy the last one that was proven better."""
    outcome: Outcome
    promotes: bool
    """All claims hold and at least one of them is "superior": the challenger may take the champion's place."""
    findings: tuple[Finding, ...]
    alpha: float
    """The family's error level."""
    level: float
    """The one-sided level this challenge was given."""
    family: str
    about: Literal["procedures", "models"]
    """Whether the claim is about two ways of training, on tables like this one, or about two fitted models as they are."""
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise RatchetError("A Verdict must come from ratchet.gate.verdict.compare but got built by hand.")

    @property
    def line(self) -> str:
        """The verdict in one line for people."""
        parts = "; ".join(_sentence(finding, self.level) for finding in self.findings)
        word = {"better": "better", "not_worse": "not worse", "worse": "worse", "undecided": "undecided"}[self.outcome]
        return f"{self.challenger} against {self.champion}: {word} ({parts})"

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
        for found in findings:
            judged = _judge(found, alpha=verdict.alpha, level=verdict.level)
            if judged != (found.outcome, found.holds):
                raise RatchetError(
                    f"The recorded verdict of {verdict.challenger!r} must follow from its figures but got "
                    f"{found.outcome!r} on {found.metric} where they say {judged[0]!r}."
                )
            within = found.low <= found.estimate + 1e-9 and found.high >= found.estimate - 1e-9
            if not within or (found.low > 0 and found.p > verdict.level):
                raise RatchetError(f"The interval of {verdict.challenger!r} on {found.metric} must fit its p-value.")
        if (verdict.outcome, verdict.promotes) != _together(findings):
            raise RatchetError(f"The recorded verdict of {verdict.challenger!r} must follow from its findings.")
        return verdict


@dataclass(frozen=True, kw_only=True)
class Round:
    """Challengers that were judged together against one champion; only `judge` makes one."""

    verdicts: tuple[Verdict, ...]
    family: str
    alpha: float
    level: float
    """The chance that any of them is called better, or not worse, without being so."""
    weights: tuple[float, ...]
    correlation: Correlation | None
    """Of the test statistics; ``None`` where it was not used."""
    winner: str | None
    """Who takes the champion's place: of those that may, the one with the highest estimate on the first metric."""
    paid: tuple[float, ...]
    """The part of each challenger's level that all looks at it took together; the last of them is the verdict's."""
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise RatchetError("A Round must come from ratchet.gate.verdict.judge but got built by hand.")

    @property
    def spent(self) -> float:
        """What the round took from its family: the level of those that were not proven, with all looks at them."""
        whole = joint_levels(self.weights, self.correlation, self.level)
        levels = tuple(
            0.0 if _proven(verdict) else level * part
            for verdict, level, part in zip(self.verdicts, whole, self.paid, strict=True)
        )
        return any_rejected(levels, self.correlation)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "family": self.family,
            "alpha": self.alpha,
            "level": self.level,
            "weights": list(self.weights),
            "correlation": None if self.correlation is None else [list(row) for row in self.correlation],
            "winner": self.winner,
            "paid": list(self.paid),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Round:
        """The round that `to_dict` wrote.

        Raises:
            RatchetError: its levels or its winner do not follow from its figures.
        """
        try:
            verdicts = tuple(Verdict.from_dict(dict(found)) for found in fields["verdicts"])
            matrix = fields["correlation"]
            found = cls(
                verdicts=verdicts,
                family=fields["family"],
                alpha=fields["alpha"],
                level=fields["level"],
                weights=tuple(fields["weights"]),
                correlation=None if matrix is None else tuple(tuple(row) for row in matrix),
                winner=fields["winner"],
                paid=tuple(fields["paid"]),
                seal=_SEAL,
            )
        except (KeyError, TypeError) as error:
            raise RatchetError(f"A recorded round must have all its fields but got {error}.") from None
        levels = joint_levels(found.weights, found.correlation, found.level)
        for verdict, level, part in zip(verdicts, levels, found.paid, strict=True):
            if (
                verdict.level > level * part * (1 + 1e-3)
                or verdict.alpha != found.alpha
                or verdict.family != found.family
            ):
                raise RatchetError(
                    f"The verdict of {verdict.challenger!r} must be at the level {level:.3g} but got {verdict.level:.3g}."
                )
        if found.winner != _winner(verdicts):
            raise RatchetError(f"The winner of a round must be {_winner(verdicts)!r} but got {found.winner!r}.")
        return found


def compare(
    challenger: Evidence,
    champion: Evidence,
    metrics: Sequence[Claim | str] = ("accuracy",),
    *,
    family: Family | None = None,
    alpha: float = 0.05,
    copy: bool = False,
    seed: int = 0,
    draws: int = DRAWS,
) -> Verdict:
    """Judge one challenger against the champion on the rows that both were scored on.

    Args:
        challenger: predictions on held-out rows; `Evidence.fold`, `Evidence.unit` and several seeds are taken into account.
        champion: likewise; only rows in both count.
        metrics: claims, or names of metrics (then "superior"). All must hold: an intersection-union test, which needs no
            correction for the number of metrics (Berger 1982, Technometrics 24).
        family: the history of challenges on these rows, whose next share is the level; ``None``: a single comparison.
        alpha: one-sided error level of a single comparison, used without ``family``.
        copy: the challenger is a form of the very same fitted model (quantised, exported): nothing was trained anew, so
            folds and seeds add no doubt.
        seed: of the resampling; ``draws``: how many permutations.

    Raises:
        RatchetError: no shared rows, different true classes or folds, an unknown metric.

    A challenger is ``better`` when "not better" is rejected at the challenge's level, ``worse`` when "not worse" is
    rejected at ``alpha``, ``not_worse`` when "worse by ``margin``" is rejected at the level; else ``undecided``.

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
    level = alpha if family is None else family.share()
    family = family or Family(name="single", alpha=alpha)
    return judge(
        [challenger], champion, metrics, family=family, level=level, copy=copy, seed=seed, draws=draws
    ).verdicts[0]


def judge(
    challengers: Sequence[Evidence],
    champion: Evidence,
    metrics: Sequence[Claim | str] = ("accuracy",),
    *,
    family: Family,
    level: float,
    weights: Sequence[float] | None = None,
    spend: Sequence[float] | None = None,
    paid: Sequence[float] | None = None,
    anchor: Evidence | None = None,
    copy: bool = False,
    seed: int = 0,
    draws: int = DRAWS,
) -> Round:
    """Judge several challengers together against one champion.

    Their evidence is on the same rows, so their tests hang together, and each gets a higher level than a plain division
    would give (`family.joint_levels`). Of those that are proven, the one with the highest estimate takes the place: it was
    proven better than the model it replaces, and nothing that was trained is better by what is known.

    Args:
        challengers: as for `compare`.
        champion: whom they challenge.
        metrics: the claims, the same for all.
        family: the account that pays.
        level: how much of it, settled before the evidence was seen; see `Family.share`.
        weights: importance of each challenger; equal when absent.
        spend: the part of each challenger's level that is used now, when it was looked at before (`family.looks`).
        paid: the part that all looks took together, this one with them; ``spend`` when absent.
        anchor: for claims of "not worse": whose score the margin is measured from; the champion when absent.
        copy: as for `compare`.

    Raises:
        RatchetError: as for `compare`, or a level that the family does not have.
    """
    if not challengers:
        raise RatchetError("A round must have at least one challenger but got none.")
    if level > family.left * (1 + 1e-9):
        raise RatchetError(
            f"The level of a round must be at most {family.left:.3g}, what is left, but got {level:.3g}."
        )
    claims = [Claim(metric=claim) if isinstance(claim, str) else claim for claim in metrics]
    if not claims:
        raise RatchetError("A comparison must have at least one metric but got none.")
    setting, anchor = Setting(seed=seed, draws=draws), anchor or champion
    sides = [
        [
            _paired(claim, challenger, champion if claim.kind == "superior" else anchor, setting, copy=copy)
            for claim in claims
        ]
        for challenger in challengers
    ]
    parts = tuple(1.0 for _ in challengers) if weights is None else tuple(float(weight) for weight in weights)
    correlation = _correlation(sides)
    levels = joint_levels(parts, correlation, level)
    used = [own * part for own, part in zip(levels, spend or [1.0] * len(levels), strict=True)]
    verdicts = []
    for challenger, tested, own in zip(challengers, sides, used, strict=True):
        findings = tuple(side.finding(alpha=family.alpha, level=own) for side in tested)
        outcome, promotes = _together(findings)
        about: Literal["procedures", "models"] = (
            "procedures" if not copy and _out_of_fold(challenger, champion) else "models"
        )
        verdicts.append(
            Verdict(
                challenger=challenger.name,
                champion=champion.name,
                anchor=anchor.name,
                outcome=outcome,
                promotes=promotes,
                findings=findings,
                alpha=family.alpha,
                level=own,
                family=family.name,
                about=about,
                seal=_SEAL,
            )
        )
    return Round(
        verdicts=tuple(verdicts),
        family=family.name,
        alpha=family.alpha,
        level=level,
        weights=parts,
        correlation=correlation,
        winner=_winner(verdicts),
        paid=tuple(paid or spend or [1.0] * len(verdicts)),
        seal=_SEAL,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """One claim about one challenger, tested; the level comes later."""

    claim: Claim
    paired: Paired
    rows: Ints
    unit: Ints | None
    units: int
    seed_sd: float | None

    def finding(self, *, alpha: float, level: float) -> Finding:
        claim, paired = self.claim, self.paired
        fields: dict[str, Any] = {
            "metric": claim.metric,
            "claim": claim.kind,
            "margin": claim.margin,
            "estimate": paired.estimate,
            "low": paired.lower(level),
            "high": paired.upper(alpha),
            "p": paired.at_most(),
            "p_worse": paired.at_least(),
            "p_margin": paired.at_most(-claim.margin),
            "p_excess": paired.at_least(claim.margin),
            "n": len(self.rows),
            "units": self.units,
            "test": paired.test,
            "variance": paired.variance,
            "seed_sd": self.seed_sd,
            "rows_needed": None,
            "doubt": paired.doubt,
        }
        draft = Finding(**fields, outcome="undecided", holds=False)
        outcome, holds = _judge(draft, alpha=alpha, level=level)
        needed = None if holds or outcome == "worse" else _rows_needed(claim, paired, len(self.rows), level=level)
        return Finding(**{**fields, "rows_needed": needed}, outcome=outcome, holds=holds)


def _paired(claim: Claim, challenger: Evidence, champion: Evidence, setting: Setting, *, copy: bool) -> _Side:
    """The paired test of one claim, with everything that the rows alone do not show."""
    metric = METRICS.get(claim.metric)
    if metric is None:
        paired = compare_measure(claim.metric, challenger, champion)
        rounds = np.arange(len(challenger.measures[claim.metric]))
        return _Side(claim=claim, paired=paired, rows=rounds, unit=None, units=len(rounds), seed_sd=None)
    shared = np.intersect1d(challenger.rows, champion.rows)
    if not len(shared):
        raise RatchetError(
            f"{challenger.name!r} and {champion.name!r} must have rows in common but got none.",
            next_step="Score both on the same part.",
        )
    a, b = challenger.on(shared), champion.on(shared)
    if not np.array_equal(a.truth, b.truth):
        raise RatchetError(
            f"{challenger.name!r} and {champion.name!r} must agree on the true classes but got two tables."
        )
    if not metric.seeds and (a.probability.ndim == 3 or b.probability.ndim == 3):
        able = ", ".join(sorted(name for name, other in METRICS.items() if other.seeds))
        raise RatchetError(f"A metric over several seeds must be one of {able} but got {claim.metric!r}.")
    paired = metric.compare(a, b, setting)
    unit, units = a.unit if a.unit is not None else b.unit, len(shared)
    if unit is not None:
        effect, units = design_effect(paired.influence, unit)
        if units < len(shared):
            paired = paired.widened(effect, freedom=max(units - 1, 1))
    if not copy:
        factor, freedom = overlap(a, b, paired.influence)
        paired = paired.widened(factor, freedom=freedom)
    seed_sd = _seed_noise(a, b, claim.metric)
    counted = _out_of_fold(a, b) and (a.chance or b.chance)  # the spread between folds has the seeds in it
    if seed_sd is not None and not copy and not counted:
        seeds = min(len(e.probability) for e in (a, b) if e.probability.ndim == 3)
        shown = float((paired.influence**2).sum()) / len(shared) ** 2 * paired.variance
        paired = paired.widened(1 + (seed_sd**2 / seeds / shown if shown else 0.0))
    return _Side(claim=claim, paired=paired, rows=shared, unit=unit, units=units, seed_sd=seed_sd)


def _out_of_fold(a: Evidence, b: Evidence) -> bool:
    """Whether each row was predicted by a model of the other folds."""
    return a.fold is not None and b.fold is not None and len(np.unique(a.fold)) > 1


def overlap(a: Evidence, b: Evidence, influence: Floats) -> tuple[float, float]:
    """By how much the variance of an out-of-fold difference exceeds what the rows show, for a claim about procedures.

    Returns:
        The factor, and the degrees of freedom of the standard error (infinite where nothing was estimated from folds).

    The fold models share most of their training rows, and another table would have given others: on average over tables
    the difference of two procedures varies more than the rows of one table tell (Nadeau, Bengio 2003; Bates, Hastie,
    Tibshirani 2024). Their worst case is 1 + K/(K - 1) for K folds; what was measured shrinks with the rows (`OVERLAP`).
    Where training draws lots, each fold is also a draw of its own: the spread between folds is estimated from the K folds
    and from what is known of such models, as Smyth 2004 moderates a variance; the degrees of freedom are Satterthwaite's.
    """
    if not _out_of_fold(a, b):
        return 1.0, math.inf
    assert a.fold is not None
    assert b.fold is not None
    if not np.array_equal(a.fold, b.fold):
        raise RatchetError(f"{a.name!r} and {b.name!r} must have the same folds but got different ones.")
    folds, sizes = np.unique(a.fold, return_counts=True)
    k, n = len(folds), len(influence)
    factor = min(1 + k / (k - 1), 1 + OVERLAP / math.sqrt(n))
    within = float((influence**2).mean())
    if not (a.chance or b.chance) or within == 0:
        return factor, math.inf
    means = np.array([influence[a.fold == fold].mean() for fold in folds])
    between = float((sizes * means**2).sum()) / (k - 1)
    seeds = min(len(e.probability) if e.probability.ndim == 3 else 1 for e in (a, b) if e.chance)
    assumed = within * factor + n / k * SEED_SD**2 / seeds
    freedom = SEED_ROWS + k - 1
    moderated = (SEED_ROWS * assumed + (k - 1) * between) / freedom
    drawn = moderated - within * factor
    if drawn <= 0:
        return factor, math.inf
    uncertain = min(drawn / moderated + math.sqrt(2 / freedom), 1.0)  # one standard error up, as it is estimated itself
    return moderated / within, freedom / uncertain**2


def _correlation(sides: Sequence[Sequence[_Side]]) -> Correlation | None:
    """How the challengers' tests hang together; ``None`` where more than one metric is judged, or nothing is known."""
    tested = [[side for side in row if len(side.paired.influence)] for row in sides]
    if len(sides) == 1 or any(len(row) != 1 for row in tested):
        return None
    found = [row[0] for row in tested]
    known = np.unique(np.concatenate([side.rows for side in found]))
    aligned: list[Floats] = []
    for side in found:
        values = np.zeros(len(known))
        values[np.searchsorted(known, side.rows)] = side.paired.influence
        aligned.append(values)
    unit = next((side.unit for side in found if side.unit is not None and len(side.rows) == len(known)), None)
    if unit is not None:
        number = np.unique(unit, return_inverse=True)[1]
        aligned = [np.bincount(number, weights=values).astype(np.float64) for values in aligned]
    return correlation_of(aligned)


def _judge(found: Finding, *, alpha: float, level: float) -> tuple[Outcome, bool]:
    """The outcome on one metric, and whether the claim holds; the only place where figures become words."""
    better = found.estimate > 0 and found.p <= level
    worse = found.estimate < 0 and found.p_worse <= alpha
    not_worse = found.p_margin <= level
    if found.claim == "equivalent":
        equal = not_worse and found.p_excess <= level
        order: list[tuple[bool, Outcome]] = [(equal, "not_worse"), (better, "better"), (worse, "worse")]
        return next((word for true, word in order if true), "undecided"), equal
    if found.claim == "noninferior":
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


def _proven(verdict: Verdict) -> bool:
    return all(finding.holds for finding in verdict.findings)


def _winner(verdicts: Sequence[Verdict]) -> str | None:
    """Of those that may take the place, the highest estimate on the first metric; the first named where equal."""
    able = [verdict for verdict in verdicts if verdict.promotes]
    return max(able, key=lambda verdict: verdict.findings[0].estimate).challenger if able else None


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


def _rows_needed(claim: Claim, paired: Paired, n: int, *, level: float) -> int | None:
    """Rows for 80 % power if the true difference is the one seen; the z-score grows with the root of the rows."""
    if paired.doubt:
        return None
    p = paired.at_most(0.0 if claim.kind == "superior" else -claim.margin)
    if claim.kind == "equivalent":
        p = max(p, paired.at_least(claim.margin))
    seen = z_of(p)
    if seen <= 0 or math.isinf(seen):
        return None
    needed = n * ((normal_quantile(POWER) - normal_quantile(level)) / seen) ** 2
    return max(n + 1, math.ceil(needed)) if needed < 1e9 else None


def _p(p: float) -> str:
    return f"p={p:.2g}" if p > 1e-99 else "p<1e-99"


def _sentence(finding: Finding, level: float) -> str:
    metric = METRICS.get(finding.metric)
    unit, scale = (metric.unit, metric.scale) if metric else ("%", 100.0)
    if finding.test == "exact":
        return f"{finding.metric} {finding.estimate * scale:+.1f} {unit} saved"
    if finding.doubt:
        return f"{finding.metric} {finding.estimate * scale:+.2f} {unit}, cannot be told: {finding.doubt}"
    figures = f"{finding.estimate * scale:+.2f} [{finding.low * scale:+.2f}, {finding.high * scale:+.2f}] {unit}"
    words = f"{finding.metric} {figures}"
    if finding.claim == "noninferior":
        words += f", margin {finding.margin * scale:g}, {_p(finding.p_margin)} of {level:.2g}"
    else:
        words += f", {_p(finding.p)} of {level:.2g}"
    words += f", n={finding.n:,}"
    words += f" in {finding.units:,} groups" if finding.units < finding.n else ""
    words += f", {finding.test}"
    if finding.rows_needed:
        words += f", about {finding.rows_needed:,} rows would decide"
    return words
