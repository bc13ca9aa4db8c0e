"""The loss of each row for one label, any labels, or a value; and how much the row counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec

if TYPE_CHECKING:
    from torch import Tensor

MOST = 100.0
"""A label weighs at most this much, however rare it is: one row must not make every step."""
Doubles = npt.NDArray[np.float64]


def row_losses(logits: Tensor, right: Tensor, *, kind: str, spec: EncoderSpec) -> Tensor:
    """(rows,) losses in float32, each of one row.

    One label: cross-entropy with label smoothing (Szegedy et al. 2016, "Rethinking the inception architecture"); any
    labels: the mean binary cross-entropy over the labels; a value: the squared error. With ``focal`` each is multiplied by
    (1 - p)^focal, p the probability of what is right (Lin et al. 2017, "Focal loss for dense object detection").

    Args:
        logits: (rows, k).
        right: (rows,) columns of the right labels; (rows, k) of 0 and 1; or (rows, 1) values in standard deviations.
        kind: of the targets.
        spec: of the training.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    logits = logits.float()
    if kind == "value":
        return (logits - right).square().mean(1)
    if kind == "classes":
        losses = cross_entropy(logits, right, label_smoothing=spec.label_smoothing, reduction="none")
        if spec.focal:
            chance = logits.softmax(1).gather(1, right[:, None]).squeeze(1)
            losses = losses * (1 - chance) ** spec.focal
        return losses
    smooth = right * (1 - spec.label_smoothing) + spec.label_smoothing / 2
    each = binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    if spec.focal:
        chance = torch.where(right > 0.5, logits.sigmoid(), 1 - logits.sigmoid())
        each = each * (1 - chance) ** spec.focal
    return each.mean(1)


def row_weights(targets: Targets, *, spec: EncoderSpec) -> Doubles:
    """(n,) how much each row counts in the loss; all 1 where the recipe wants no weights of labels.

    Balanced: n / (k times the rows of the label), as scikit-learn has it, k the labels that have rows; a row with several
    labels has the largest of theirs, and one without a label counts 1.
    """
    n = len(targets)
    if spec.class_weights == "none" or targets.kind not in ("classes", "labels") or not n:
        return np.ones(n)
    if targets.kind == "classes":
        counts = np.bincount(targets.values, minlength=len(targets.names))
        present = np.count_nonzero(counts)
        weight = np.minimum(n / (present * np.maximum(counts, 1)), MOST)
        found: Doubles = weight[targets.values]
        return found
    counts = targets.values.sum(0)
    weight = np.minimum(n / (len(counts) * np.maximum(counts, 1)), MOST)
    return np.where(targets.values.any(1), np.where(targets.values, weight, 0.0).max(1), 1.0)
