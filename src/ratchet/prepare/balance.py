"""Re-balancing the train part: which rows to take, how often, or with what weight; valid and test are never touched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.text.columns import Rows

_TIMES = 1000
Method = Literal["under", "over", "weights"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Balanced:
    """How to train on re-balanced rows: positions to take (one may come several times), and a weight for each."""

    rows: Rows
    weights: npt.NDArray[np.float64]
    counts: Mapping[str, float]
    """Rows of each label afterwards; for weights their total weight."""


def rebalance(
    labels: Sequence[str],
    *,
    method: Method,
    ratio: float = 3.0,
    target: Mapping[str, float] | None = None,
    seed: int = 0,
    keys: Sequence[bytes] | None = None,
) -> Balanced:
    """Bring the labels nearer to each other, by taking out, repeating or weighting rows.

    With ``ratio`` no label has more than ``ratio`` times the rows of another (3: a quarter of positives for three quarters
    of negatives). With ``target`` every label has its share instead.

    Args:
        labels: n labels of training rows.
        method: ``under``: take rows out of the large labels; ``over``: repeat rows of the small ones, each about equally
            often; ``weights``: keep all rows and weight them.
        ratio: largest allowed quotient of two labels' rows; at least 1.
        target: share of each label; the shares add up to 1.
        seed: decides which rows are taken out or repeated once more.
        keys: for each row what the draw depends on (its content), so that the order of the rows does not matter.

    Raises:
        DataError: ``target`` does not name exactly the labels, or its shares do not add up.

    >>> rebalance(["a"] * 9 + ["b"], method="under").counts
    {'a': 3.0, 'b': 1.0}
    """
    if ratio < 1:
        raise DataError(f"balance.ratio must be at least 1 but got {ratio}.")
    names, member = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
    have = np.bincount(member, minlength=len(names))
    want = _wanted(names.tolist(), have, method=method, ratio=ratio, target=target)
    if method == "weights":
        weights = (want / have)[member]
        return Balanced(
            rows=np.arange(len(labels)), weights=weights, counts=dict(zip(names, want.tolist(), strict=True))
        )
    rows = _taken(member, want, order=_order(len(labels), seed=seed, keys=keys))
    counts = np.bincount(member[rows], minlength=len(names)).astype(float)
    return Balanced(rows=rows, weights=np.ones(len(rows)), counts=dict(zip(names, counts.tolist(), strict=True)))


def _taken(member: Rows, want: npt.NDArray[np.float64], *, order: Rows) -> Rows:
    """As many rows of each label as wanted, in ``order``, each about equally often."""
    taken = []
    for index, count in enumerate(want.round().astype(int).tolist()):
        own = order[member[order] == index]
        taken.append(np.concatenate([np.tile(own, count // len(own)), own[: count % len(own)]]))
    return np.sort(np.concatenate(taken))


def _wanted(
    names: list[str],
    have: npt.NDArray[np.int64],
    *,
    method: Method,
    ratio: float,
    target: Mapping[str, float] | None,
) -> npt.NDArray[np.float64]:
    """Rows of each label afterwards."""
    if target is None:
        limit = np.floor(ratio * have.min()) if method == "under" else np.ceil(have.max() / ratio)
        return np.asarray((np.minimum if method == "under" else np.maximum)(have, limit), dtype=np.float64)
    if set(target) != set(names):
        different = sorted(set(target) ^ set(names))
        raise DataError(
            f"balance.target must give a share to each label but {', '.join(map(repr, different))} is only in one of them.",
            next_step=f"The labels are {', '.join(map(repr, names))}.",
        )
    share = np.array([target[name] for name in names], dtype=float)
    if not math.isclose(share.sum(), 1, abs_tol=1e-6) or share.min() <= 0:
        raise DataError(f"The shares of balance.target must be above 0 and add up to 1 but add up to {share.sum():g}.")
    # The largest table within what is there, or the smallest that holds all of it.
    with np.errstate(over="ignore"):  # a share of almost nothing asks for endless rows
        total = (have / share).min() if method == "under" else (have / share).max()
    if total > _TIMES * have.sum():
        raise DataError(
            f"The shares of balance.target must be reached with at most {_TIMES} times the rows of the train part but need"
            f" {total / have.sum():.3g} times as many.",
            next_step="Give the smallest share more, or take method: under.",
        )
    return np.asarray(np.maximum(total * share, 1.0), dtype=np.float64)


def _order(count: int, *, seed: int, keys: Sequence[bytes] | None) -> Rows:
    """A random order of the rows that depends on the seed and, with ``keys``, on their contents alone."""
    if keys is None:
        return np.random.default_rng(seed).permutation(count)
    import hashlib

    salt = seed.to_bytes(16, "little")
    drawn = [hashlib.blake2b(key, digest_size=8, key=salt).digest() for key in keys]
    return np.array(sorted(range(count), key=lambda row: (drawn[row], row)), dtype=np.int64)
