"""Heads: linear layers from the vectors of a frozen encoder, and features beside the text, to answers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import DataError, RatchetError
from ratchet.models.answering import SOFTMAX, Answering
from ratchet.models.batching import sigmoid
from ratchet.models.features import FeatureEncoder, fair_scale
from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers
from ratchet.models.ridge import fit_ridge
from ratchet.models.targets import Targets
from ratchet.recipe.sections import FeatureKind

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_NEVER = -1e4  # the bias of a label without a row
_STEPS = 1_000
_LBFGS = {"maxiter": _STEPS, "gtol": 1e-5, "ftol": 1e-14, "maxls": 50}
_AT_ONCE = 20  # labels of one L-BFGS: fewer waste the cores, and more take as many steps as the slowest of them


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """A linear layer from vectors to logits: weights (k, width) and bias (k,), and what makes answers of them."""

    weight: Floats
    bias: Floats
    answering: Answering = SOFTMAX

    def logits(self, vectors: Floats) -> Floats:
        """(n, k) logits of (n, width) vectors, as the graph gives them: without the features."""
        found: Floats = vectors @ self.weight.T + self.bias
        return found

    def answers(self, vectors: Floats, inputs: Sequence[str] | None = None) -> Answers:
        """(n, k) answers as they will be served; ``inputs`` are the rows, where the head has features beside the text."""
        return self.answering.answers(self.logits(vectors), inputs)


def fit_head(
    vectors: Floats,
    targets: Ints | Targets,
    *,
    labels: int | None = None,
    C: float,
    weights: Doubles | None = None,
    inputs: Inputs | None = None,
    kinds: Mapping[str, FeatureKind] | None = None,
) -> tuple[Head, bool]:
    """A head, and whether its fit converged; a label without a row is never the answer.

    One label a row: multinomial logistic regression; any labels: a logistic regression each, all in one L-BFGS; a value:
    ridge regression.

    Args:
        vectors: (n, width).
        targets: the right answers, or (n,) columns of ``labels`` labels.
        labels: k, where the targets are columns.
        C: inverse strength of the penalty.
        weights: (n,) of the rows.
        inputs: the same rows, where there are features beside the text.
        kinds: the features to use.

    Raises:
        DataError: all rows have one label, or a feature is missing or infinite.
    """
    wanted = targets
    if not isinstance(wanted, Targets):
        assert labels is not None
        wanted = Targets(kind="classes", names=tuple(map(str, range(labels))), values=np.asarray(wanted, np.int64))
    rows, encoder, scale = vectors.astype(np.float64), None, 1.0
    if kinds:
        assert inputs is not None
        encoder = FeatureEncoder.learn(inputs, kinds)
        scale = fair_scale(encoder, length=float(np.sqrt((rows**2).sum(axis=1).mean())) or 1.0)
        rows = np.concatenate([rows, encoder.encode(inputs) * scale], axis=1)
    if wanted.kind == "value":
        fitted = fit_ridge(rows, wanted.values, C=C, weights=weights)
        weight, bias = fitted.weights[None] / fitted.spread, np.array([(fitted.bias - fitted.mean) / fitted.spread])
        unit, ended = Answering(link="identity", mean=fitted.mean, spread=fitted.spread), fitted.converged
    elif wanted.kind == "labels":
        weight, bias, ended = _independent(rows, wanted.values, C=C, weights=weights)
        unit = Answering(link="independent")
    else:
        weight, bias, ended = _multinomial(rows, wanted.values, labels=len(wanted.names), C=C, weights=weights)
        unit = SOFTMAX
    return _head(weight, bias, unit, encoder=encoder, width=vectors.shape[1], scale=scale), ended


def _head(
    weight: Doubles, bias: Doubles, unit: Answering, *, encoder: FeatureEncoder | None, width: int, scale: float
) -> Head:
    if encoder is not None:
        beside = (weight[:, width:].T * scale).astype(np.float32)
        unit = replace(unit, encoder=encoder, weights=np.ascontiguousarray(beside))
    own = np.ascontiguousarray(weight[:, :width].astype(np.float32))
    return Head(weight=own, bias=bias.astype(np.float32), answering=unit)


def _multinomial(
    rows: Doubles, targets: Ints, *, labels: int, C: float, weights: Doubles | None
) -> tuple[Doubles, Doubles, bool]:
    """Weights (k, width), biases (k,), and whether L-BFGS converged."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    present = np.unique(targets)
    if len(present) < 2:
        raise DataError(f"The rows must be of at least 2 classes but got {len(present)}.")
    model: Any = LogisticRegression(C=C, max_iter=_STEPS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(rows, targets, sample_weight=weights)
    weight = np.zeros((labels, rows.shape[1]))
    bias = np.full(labels, _NEVER)
    if len(present) == 2:
        weight[present], bias[present] = np.stack([-model.coef_[0], model.coef_[0]]) / 2, 0.0
        bias[present] = np.array([-1, 1]) * model.intercept_[0] / 2
    else:
        weight[present], bias[present] = model.coef_, model.intercept_
    return weight, bias, not any(issubclass(found.category, ConvergenceWarning) for found in caught)


def _independent(
    rows: Doubles, members: npt.NDArray[np.bool_], *, C: float, weights: Doubles | None
) -> tuple[Doubles, Doubles, bool]:
    """The same of a logistic regression for each label, some labels at once."""
    from scipy.optimize import minimize

    row_weight = np.ones(len(rows)) if weights is None else weights
    total, shares = float(row_weight.sum()), (row_weight[:, None] * members).sum(axis=0)
    weight, bias = np.zeros((members.shape[1], rows.shape[1])), np.log((shares + 0.5) / (total - shares + 0.5))
    fitted = np.flatnonzero(members.any(axis=0) & ~members.all(axis=0))
    white, ended = _White(rows, row_weight / total, penalty=1 / (C * total)), True
    for first in range(0, len(fitted), _AT_ONCE):
        labels = fitted[first : first + _AT_ONCE]
        start = np.concatenate([np.zeros((len(labels), rows.shape[1])), bias[labels, None]], axis=1)
        loss = partial(white.loss, members=members[:, labels].astype(np.float64))
        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=_LBFGS)
        weight[labels], bias[labels] = white.back(found.x.reshape(start.shape))
        ended &= bool(found.nit < _STEPS)
    return weight, bias, ended


class _White:
    """Rows in the coordinates in which the loss of any label curves about equally in all directions.

    The Hessian of a logistic loss is at most ``X'X / 4`` (Boehning and Lindsay 1988), the same for all labels; with its
    Cholesky factor, L-BFGS takes a sixth of the time on 4,000 vectors of 384 with a decaying spectrum, and ends nearer.
    """

    def __init__(self, rows: Doubles, weights: Doubles, *, penalty: float) -> None:
        width = rows.shape[1]
        self.weights, self.centre = weights[:, None], weights @ rows
        centred = rows - self.centre
        curve = np.linalg.cholesky((centred.T * weights) @ centred / 4 + penalty * np.eye(width))
        self._map = np.linalg.solve(curve, np.eye(width))
        self._rows = centred @ self._map.T
        self._penalty = penalty * (self._map @ self._map.T)

    def loss(self, flat: Doubles, *, members: Doubles) -> tuple[float, Doubles]:
        """Mean logistic loss of some labels (n, k) together, with the penalty, and its gradient.

        Args:
            flat: (k * (width + 1),) the weights and the bias of each label.
            members: (n, k) 1 where the row has the label.
        """
        both = flat.reshape(members.shape[1], -1)
        weight = both[:, :-1]
        score = self._rows @ weight.T + both[:, -1]
        loss = (self.weights * (np.logaddexp(0.0, score) - members * score)).sum()
        off, pull = self.weights * (sigmoid(score) - members), weight @ self._penalty
        slope = np.concatenate([off.T @ self._rows + pull, off.sum(axis=0)[:, None]], axis=1)
        return float(loss + (pull * weight).sum() / 2), slope.ravel()

    def back(self, both: Doubles) -> tuple[Doubles, Doubles]:
        """The weights (k, width) and biases (k,) for the rows as they were."""
        weight = both[:, :-1] @ self._map
        return weight, both[:, -1] - weight @ self.centre


def save_heads(path: Path, heads: Sequence[Head]) -> None:
    """Write the heads of all folds."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "weight": np.stack([head.weight for head in heads]),
        "bias": np.stack([head.bias for head in heads]),
    }
    for number, answering in enumerate(head.answering for head in heads):
        if facts := answering.meta():
            encoder = None if answering.encoder is None else answering.encoder.describe()
            arrays[f"answering.{number}"] = np.array(json.dumps({**facts, "encoder": encoder}))
        if answering.weights is not None:
            arrays[f"features.{number}"] = answering.weights
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_heads(path: Path) -> list[Head]:
    """Read what `save_heads` wrote.

    Raises:
        RatchetError: it is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            pairs = zip(found["weight"], found["bias"], strict=True)
            return [
                Head(weight=weight, bias=bias, answering=_answering(found, number))
                for number, (weight, bias) in enumerate(pairs)
            ]
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise RatchetError(
            f"{path} must hold the heads of an embedding but: {error}.", next_step="Run again."
        ) from error


def _answering(found: Mapping[str, npt.NDArray[Any]], number: int) -> Answering:
    if f"answering.{number}" not in found:
        return SOFTMAX
    facts = json_value(str(found[f"answering.{number}"]))
    described = facts["encoder"]
    return Answering(
        link=facts.get("link", "softmax"),
        mean=facts.get("mean", 0.0),
        spread=facts.get("spread", 1.0),
        encoder=None if described is None else FeatureEncoder.read(described),
        weights=None if described is None else found[f"features.{number}"],
    )
