"""Heads: linear layers from the vectors of a frozen encoder, and features beside the text, to answers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import DataError, RatchetError
from ratchet.models.answering import SOFTMAX, Answering
from ratchet.models.batching import sigmoid
from ratchet.models.features import FeatureEncoder, FeatureKind, fair_scale
from ratchet.models.inputs import Inputs
from ratchet.models.linear import Answers
from ratchet.models.ridge import fit_ridge
from ratchet.models.targets import Targets

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_NEVER = -1e4  # the bias of a label without a row
_STEPS = 1_000


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
    """The same of a logistic regression for each label, as the sum of their losses."""
    from scipy.optimize import minimize

    row_weight = np.ones(len(rows)) if weights is None else weights
    total, shares = float(row_weight.sum()), (row_weight[:, None] * members).sum(axis=0)
    weight, bias = np.zeros((members.shape[1], rows.shape[1])), np.log((shares + 0.5) / (total - shares + 0.5))
    fitted = np.flatnonzero(members.any(axis=0) & ~members.all(axis=0))
    if not len(fitted):
        return weight, bias, True
    loss = _Loss(rows, members[:, fitted], row_weight / total, penalty=1 / (C * total))
    start = np.concatenate([weight[fitted], bias[fitted, None]], axis=1)
    found = minimize(
        loss,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "gtol": 1e-4, "ftol": 1e-14, "maxls": 50},
    )
    solved = found.x.reshape(len(fitted), -1)
    weight[fitted], bias[fitted] = solved[:, :-1], solved[:, -1]
    return weight, bias, bool(found.nit < _STEPS)


class _Loss:
    """Mean logistic loss of all labels together, with an L2 penalty on all but the biases, and its gradient."""

    def __init__(self, rows: Doubles, members: npt.NDArray[np.bool_], weights: Doubles, *, penalty: float) -> None:
        self.rows, self.members, self.weights, self.penalty = (
            rows,
            members.astype(np.float64),
            weights[:, None],
            penalty,
        )

    def __call__(self, flat: Doubles) -> tuple[float, Doubles]:
        """At the weights and the bias of each label, flat."""
        both = flat.reshape(self.members.shape[1], -1)
        weight = both[:, :-1]
        score = self.rows @ weight.T + both[:, -1]
        loss = (self.weights * (np.logaddexp(0.0, score) - self.members * score)).sum()
        off = self.weights * (sigmoid(score) - self.members)
        slope = np.concatenate([off.T @ self.rows + self.penalty * weight, off.sum(axis=0)[:, None]], axis=1)
        return float(loss + self.penalty / 2 * (weight**2).sum()), slope.ravel()


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
