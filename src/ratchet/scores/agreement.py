"""Does the judge agree with people? Only then may it count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from ratchet.errors import DataError
from ratchet.scores.judge import verdict_of
from ratchet.scores.words import one_form
from ratchet.tables.read import read_table

LEAST_KAPPA = 0.4
"""Below it agreement is at most fair (Landis and Koch 1977)."""
FEWEST = 50
"""With fewer verdicts the interval, which rests on a large sample, says too much: three that agree would prove anything."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two raters agree on n items.

    Attributes:
        n: items that both rated.
        same: share of the items on which they said the same.
        kappa: Cohen's kappa (1960), which leaves out the agreement that chance alone gives; NaN where both always said one
            and the same word.
        low: lower end of its interval (Fleiss, Cohen and Everitt 1969).
        high: upper end.
    """

    n: int
    same: float
    kappa: float
    low: float
    high: float


def agreement(judge: Sequence[str], human: Sequence[str], *, confidence: float = 0.95) -> Agreement:
    """How far a judge agrees with people.

    Args:
        judge: n verdicts, any words.
        human: n verdicts on the same items.
        confidence: of the interval, two-sided.

    Raises:
        DataError: there are none, or not as many.
    """
    if len(judge) != len(human) or not judge:
        raise DataError(
            f"A judge and people must have rated the same items but there are {len(judge):,} and {len(human):,} verdicts.",
            next_step="Match them by id.",
        )
    names = sorted({*judge, *human})
    place = {name: n for n, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    np.add.at(table, ([place[name] for name in judge], [place[name] for name in human]), 1 / len(judge))
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    same, chance = float(np.trace(table)), float(rows @ columns)
    if len(names) == 1:
        return Agreement(n=len(judge), same=same, kappa=math.nan, low=math.nan, high=math.nan)
    kappa = (same - chance) / (1 - chance)
    weights = -(1 - kappa) * (columns[:, None] + rows[None, :])
    np.fill_diagonal(weights, 1 - (rows + columns) * (1 - kappa))
    variance = float((table * weights**2).sum()) - (kappa - chance * (1 - kappa)) ** 2
    error = math.sqrt(max(variance, 0.0) / len(judge)) / (1 - chance)
    far = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Agreement(n=len(judge), same=same, kappa=kappa, low=kappa - far, high=min(kappa + far, 1.0))


def agreement_by_id(judge: Mapping[str, str], human: Mapping[str, str], *, confidence: float = 0.95) -> Agreement:
    """As :func:`agreement`, on the items that both rated."""
    shared = [name for name in human if name in judge]
    if not shared:
        raise DataError(
            f"The verdicts of people must be about rows that the judge rated but none of {len(human):,} is.",
            next_step="Write the id of the row beside each verdict.",
        )
    return agreement([judge[name] for name in shared], [human[name] for name in shared], confidence=confidence)


def human_verdicts(path: Path, *, id: str = "id", verdict: str = "verdict") -> dict[str, str]:
    """The verdicts of people, by the id of the row.

    Args:
        path: a table.
        id: its column of ids.
        verdict: its column of verdicts: A, B and tie, as :func:`ratchet.scores.judge.verdict_of` reads them, or any words.
            Rows without one are left out.

    Raises:
        DataError: the table cannot be read, lacks a column, has no verdict, or has two of one row.
    """
    table = read_table(path).table
    for needed in (id, verdict):
        if needed not in table.column_names:
            raise DataError(
                f"{path} must have the column {needed!r} but has {', '.join(table.column_names)}.",
                next_step="Name the columns of the id and of the verdict.",
            )
    found: dict[str, str] = {}
    for name, word in zip(table.column(id).to_pylist(), table.column(verdict).to_pylist(), strict=True):
        if name is None or not (word or "").strip():
            continue
        if name.strip() in found:
            raise DataError(
                f"{path} must have one verdict a row but {name!r} has several.",
                next_step="Keep one verdict of each row.",
            )
        found[name.strip()] = verdict_of(word) or one_form(word)
    if not found:
        raise DataError(f"{path} must have verdicts but has none.", next_step="Fill in the column of the verdicts.")
    return found


def require_agreement(found: Agreement, *, least: float = LEAST_KAPPA, fewest: int = FEWEST) -> None:
    """Refuse a judge that is not shown to agree with people.

    Args:
        found: its agreement.
        least: the kappa that the lower end of the interval must reach.
        fewest: verdicts of people that there must be.

    Raises:
        DataError: it does not, or there are too few.
    """
    if found.n < fewest:
        raise DataError(
            f"A judge must be compared with at least {fewest:,} verdicts of people but there are {found.n:,}.",
            next_step="Rate more of the pairs by hand; those where the judge said tie or changed its mind tell most.",
        )
    if not found.low >= least:
        raise DataError(
            f"A judge must agree with people with a kappa of at least {least:.2f} but has {found.kappa:z.2f} (interval "
            f"{found.low:z.2f} to {found.high:z.2f}, the same word in {found.same:.0%} of {found.n:,}).",
            next_step="Write a clearer rubric, choose a stronger judge, or compare by a score that needs none.",
        )
