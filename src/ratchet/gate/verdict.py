"""The verdict: is the challenger better than the champion? Nothing else in Ratchet may answer that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, asdict, dataclass
from typing import Any, Literal

from ratchet.errors import RatchetError
from ratchet.gate.claim import Claim, Finding, Kind, Outcome, sentence, word_of
from ratchet.gate.error_budget import Correlation, Family, any_rejected, joint_levels
from ratchet.gate.overlap import out_of_fold
from ratchet.gate.trial import correlated, trial_of
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metric import Setting
from ratchet.metrics.paired_tests import DRAWS

__all__ = ["Claim", "Finding", "Kind", "Outcome", "Round", "Verdict", "compare", "judge"]

_SEAL = object()


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
        parts = "; ".join(sentence(finding, self.level) for finding in self.findings)
        word = {"better": "better", "not_worse": "not worse", "worse": "worse", "undecided": "undecided"}[self.outcome]
        measured = "" if self.anchor == self.champion else f", measured from {self.anchor}"
        return f"{self.challenger} against {self.champion}{measured}: {word} ({parts})"

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
            judged = word_of(found, alpha=verdict.alpha, level=verdict.level)
            if judged != (found.outcome, found.holds):
                raise RatchetError(
                    f"The recorded verdict of {verdict.challenger!r} must follow from its figures but got "
                    f"{found.outcome!r} on {found.metric} where they say {judged[0]!r}."
                )
            within = found.low <= found.estimate + 1e-9 and found.high >= found.estimate - 1e-9
            if not within or (found.low > found.null and found.p > verdict.level):
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
        challenger: what it did on held-out rows; `Evidence.fold`, `Evidence.unit` and several seeds are taken into account.
        champion: likewise; only rows in both count.
        metrics: claims, or names of metrics (then "superior"). All must hold: an intersection-union test, which needs no
            correction for the number of metrics (Berger 1982, Technometrics 24).
        family: the history of challenges on these rows, whose next share is the level; ``None``: a single comparison.
        alpha: one-sided error level of a single comparison, used without ``family``.
        copy: the challenger is a form of the very same fitted model (quantised, exported): nothing was trained anew, so
            folds and seeds add no doubt.
        seed: of the resampling; ``draws``: how many permutations.

    Raises:
        RatchetError: no shared rows, other targets or folds, a metric that the evidence has no columns for.

    A challenger is ``better`` when "not better" is rejected at the challenge's level, ``worse`` when "not worse" is
    rejected at ``alpha``, ``not_worse`` when "worse by ``margin``" is rejected at the level; else ``undecided``.

    >>> import numpy as np
    >>> from ratchet.metrics.evidence import Evidence
    >>> rows = np.arange(200)
    >>> truth = rows % 2
    >>> sure = np.stack([1 - truth, truth], axis=1).astype(float)
    >>> poor = np.where((rows % 5 == 0)[:, None], 1 - sure, sure)
    >>> compare(
    ...     Evidence.of_classes(name="b", rows=rows, truth=truth, probability=sure),
    ...     Evidence.of_classes(name="a", rows=rows, truth=truth, probability=poor),
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
            trial_of(claim, challenger, champion if claim.kind == "superior" else anchor, setting, copy=copy)
            for claim in claims
        ]
        for challenger in challengers
    ]
    parts = tuple(1.0 for _ in challengers) if weights is None else tuple(float(weight) for weight in weights)
    correlation = correlated(sides)
    levels = joint_levels(parts, correlation, level)
    used = [own * part for own, part in zip(levels, spend or [1.0] * len(levels), strict=True)]
    verdicts = []
    for challenger, found, own in zip(challengers, sides, used, strict=True):
        findings = tuple(side.finding(alpha=family.alpha, level=own) for side in found)
        outcome, promotes = _together(findings)
        about: Literal["procedures", "models"] = (
            "procedures" if not copy and out_of_fold(challenger, champion) else "models"
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
