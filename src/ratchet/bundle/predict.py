"""Predict with a bundle's model, and prove that an exported model predicts what the trained one did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.runtimes import destination_of, load_model_folder
from ratchet.errors import BundleError
from ratchet.models.inputs import Inputs, joined, parted
from ratchet.models.model import Answers, Destination, Predictor
from ratchet.recipe.sections import ExportConfig, TextFix
from ratchet.tasks.task import Parity, Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """Predictions recorded at training time, in the shape of a model, so that an export is compared with them."""

    labels: tuple[str, ...]
    probability: Answers

    def predict(self, texts: Sequence[str], /) -> Answers:
        """The recorded probabilities of the texts they were recorded for, all of them in their order."""
        assert len(texts) == len(self.probability)
        return self.probability


def require_consent(bundle: Bundle, *, send_to: str = "") -> Destination | None:
    """Where the bundle's model sends texts, which whoever uses it must have named; ``None``: nowhere.

    Raises:
        BundleError: it sends them to another address than ``send_to``.
    """
    found = destination_of(bundle.model_folder, bundle.kind)
    if found is not None and send_to.rstrip("/") != found.address.rstrip("/"):
        wanted = f"but {send_to} was" if send_to else "but it was not"
        raise BundleError(
            f"{bundle.path} sends every text to {found}: this address must be agreed to {wanted}.",
            next_step=f"If you trust it, add: --send-to {found.address}",
        )
    return found


def load_model(bundle: Bundle | Path | str, *, threads: int = 0, send_to: str = "") -> Predictor:
    """The model of a bundle, ready to predict: texts are fixed first, as those it was trained on; no torch is imported.

    Args:
        bundle: an opened bundle, or its folder (which is verified first).
        threads: cores that one call of ``predict`` may use; 0: all.
        send_to: the address that texts may be sent to, where the model is behind one.

    Raises:
        BundleError: the bundle is damaged, would send texts to another address than ``send_to``, or its
            model has other labels than its manifest.
        ExtraMissing: the runtime of this kind of model is not installed.
    """
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    require_consent(opened, send_to=send_to)
    model = load_model_folder(opened.model_folder, opened.kind, threads=threads)
    if tuple(model.labels) != opened.labels:
        raise BundleError(
            f"The labels of the bundle {opened.path} must be those of its model, {list(model.labels)}, "
            f"but the manifest has {list(opened.labels)}.",
            next_step="Copy or export the bundle again.",
        )
    fixes, several = opened.manifest.fixes, len(opened.manifest.text_columns) > 1
    return Mending(model, fixes, several=several) if fixes else model


class Mending:
    """A model that sees every text with these fixes (``prepare.text``); of several texts in one, each."""

    def __init__(self, model: Predictor, fixes: Sequence[TextFix], *, several: bool = False) -> None:
        from ratchet.prepare.cleaning import mended

        self._model, self._mended, self._fixes, self._several = model, mended, fixes, several

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the columns."""
        return self._model.labels

    @property
    def model(self) -> Predictor:
        """The model that sees the texts."""
        return self._model

    def predict(self, texts: Sequence[str], /) -> Answers:
        """Answers, shape (n texts, k columns)."""
        rows = Inputs.of(texts)
        return self._model.predict(rows.with_texts([self.fixed(text) for text in rows.texts]))

    def fixed(self, text: str) -> str:
        """A text as the model sees it."""
        fixed = [self._mended(one, self._fixes)[0] for one in (parted(text) if self._several else (text,))]
        return joined(fixed) if self._several else fixed[0]


def checked(model: Predictor, texts: Sequence[str]) -> Answers:
    """Answers (n, k) to the texts, after a look at their shape and values.

    Raises:
        BundleError: the model's answer has another shape, is not finite, or is neither numbers nor texts.
    """
    found = np.asarray(model.predict(texts))
    wanted = (len(texts), len(model.labels))
    if found.shape != wanted:
        raise BundleError(f"The model must answer with shape {wanted} but got {found.shape}.")
    if found.dtype == object:
        other = next((one for one in found.flat if one is not None and not isinstance(one, str)), None)
        if other is not None:
            raise BundleError(f"The model must answer with texts but one is {type(other).__name__}.")
    elif found.dtype.kind != "f":
        raise BundleError(f"The model must answer with numbers or texts but got {found.dtype}.")
    elif not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise BundleError(f"The model must answer with finite probabilities but text {row + 1} of a block got none.")
    return found


def parity(trained: Predictor, exported: Predictor, texts: Sequence[str], *, task: Task) -> Parity:
    """Compare two forms of one model text by text.

    Raises:
        BundleError: the labels differ, or a model's answer has a wrong shape or is not finite.
    """
    if tuple(trained.labels) != tuple(exported.labels):
        raise BundleError(
            f"The exported model must have the labels {list(trained.labels)} but has {list(exported.labels)}."
        )
    if not texts:
        return Parity(max_difference=0.0, disagreements=0, n=0)
    return task.parity(checked(trained, texts), checked(exported, texts))


def require_parity(found: Parity, *, config: ExportConfig) -> None:
    """Refuse an exported model that does not predict what the trained one did.

    Raises:
        BundleError: there was no text to compare, or a difference is beyond the recipe's tolerance.
    """
    next_step = "The bundle was not written; raise export.tolerance or export.disagreement only if you know why."
    if found.n == 0:
        raise BundleError("The exported model must be compared on at least one text but got none.")
    if found.max_difference > config.tolerance:
        raise BundleError(
            f"The exported model's probabilities must be within {config.tolerance:g} of the trained model's "
            f"but differ by {found.max_difference:.3g} on {found.n} texts.",
            next_step=next_step,
        )
    if found.disagreement > config.disagreement:
        raise BundleError(
            f"The exported model may give another label to {config.disagreement:.3%} of the texts "
            f"but did so on {found.disagreements} of {found.n}.",
            next_step=next_step,
        )
