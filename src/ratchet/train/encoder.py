"""Train an encoder to answer rows: one label, any labels, or a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.models.answering import Answering
from ratchet.models.batching import padded
from ratchet.models.checkpoints import locate
from ratchet.models.encoder import (
    CARD,
    FittedEncoder,
    build_encoder,
    load_encoder,
    require_device,
    require_encoder,
    require_torch,
)
from ratchet.models.model import Answers
from ratchet.models.targets import Kind, Targets
from ratchet.monitoring.watching import Watching
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.defaults import settle
from ratchet.train.identity import source_hash, targets_hash, texts_hash, versions
from ratchet.train.loop import fit
from ratchet.train.losses import row_losses, row_weights
from ratchet.train.objective import Objective
from ratchet.train.records import Fit, Progress, is_done
from ratchet.train.scoring import Scoring, require_measured

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ratchet.train.frozen import FrozenStates

MODEL = "model"
Ints = npt.NDArray[np.int64]
GOALS: Mapping[str, Mapping[str, int]] = {
    "classes": {"loss": -1},
    "labels": {"loss": -1, "accuracy": 1},
    "value": {"loss": -1},
}
"""What is said of the valid rows and is no metric of a task, by the kind of the targets."""
SHOWN: Mapping[str, tuple[str, ...]] = {"classes": ("accuracy", "macro_f1"), "labels": ("micro_f1",), "value": ("mae",)}
"""Metrics of the task that are always said of the valid rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Texts as token ids, with what is right and how much each counts."""

    ids: list[Ints]
    owners: Ints
    """(windows,) the text of each window, ascending; a text that fits the model is one window."""
    targets: Targets
    """Of the texts."""
    weights: npt.NDArray[np.float64]
    """(windows,): those of a text are shared out among its windows."""

    @property
    def lengths(self) -> Ints:
        """(windows,) tokens of each."""
        return np.array([len(row) for row in self.ids], dtype=np.int64)


class RowObjective(Objective):
    """The right answers of rows, by an encoder with a head."""

    def __init__(
        self,
        encoder: FittedEncoder,
        *,
        train: Rows,
        valid: Rows | None,
        spec: EncoderSpec,
        scoring: Scoring | None = None,
    ) -> None:
        self.encoder, self.spec, self.train, self.valid, self.scoring = encoder, spec, train, valid, scoring
        self.network: nn.Module = encoder.network
        self.lengths = train.lengths
        self.goals = {**GOALS[train.targets.kind], **(scoring.goals if scoring else {})}
        self.frozen: FrozenStates | None = None
        """Until it is ready, the frozen layers are computed in each batch."""
        self._right = _right(train.targets, encoder.answering)[train.owners]

    def ready(self, batches: Sequence[Ints], *, computing: Callable[[], AbstractContextManager[Any]]) -> None:
        """As `Objective.ready`: what the frozen layers give for each row, where there are any."""
        from ratchet.train.frozen import frozen_states

        del batches
        self.frozen = frozen_states(
            self.encoder.network, self.train.ids, pad_id=self.encoder.tokens.pad_id, numbers=computing()
        )

    def units(self, rows: Ints) -> float:
        """The weights of the rows together."""
        return float(self.train.weights[rows].sum())

    def loss(self, rows: Ints) -> Tensor:
        """() the weighted sum of the rows' losses."""
        import torch

        device = self.encoder.device
        frozen = self.frozen
        with self.waiting():
            tokens, mask = padded(self.train.ids, rows, pad_id=self.encoder.tokens.pad_id)
            batch = torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)
            states = None if frozen is None else frozen.batch(rows).to(device)
        with nullcontext() if frozen is None or states is None else frozen.given(states):
            logits = self.network(*batch)  # (rows, k)
        right = torch.from_numpy(self._right[rows]).to(device)
        losses = row_losses(logits, right, kind=self.train.targets.kind, spec=self.spec)
        weights = torch.from_numpy(self.train.weights[rows]).to(device, torch.float32)
        return (losses * weights).sum()

    def validate(self) -> dict[str, float]:
        """Loss and scores of the valid rows, without dropout and label smoothing."""
        if self.valid is None:
            return {}
        answers = self.encoder.predict_ids(self.valid.ids, self.valid.owners)
        further = self.scoring.scores(answers) if self.scoring else {}
        return {**scores(self.valid.targets, answers, self.encoder.answering), **further}

    def throw(self, seed: int, *, step: int) -> None:
        """Start the bits of dropout."""
        self.encoder.network.dice.throw(seed, step=step)

    def stages(self) -> Sequence[nn.Module]:
        """Embeddings, layers, head."""
        return self.encoder.network.stages()

    def flops(self, tokens: int) -> float:
        """As `Objective.flops`, without the frozen layers where those are computed once."""
        below = sum(
            2 * weight.numel()
            for stage in self.stages()[1 : 1 + (self.frozen.layers if self.frozen is not None else 0)]
            for weight in stage.parameters()
            if weight.ndim > 1
        )
        return super().flops(tokens) - below * tokens


def scores(targets: Targets, answers: Answers, answering: Answering) -> dict[str, float]:
    """What `GOALS` names, of answers (n, k) to rows of one of the kinds that an encoder learns."""
    if targets.kind == "value":
        return {"loss": float(np.square((answers[:, 0] - targets.values) / answering.spread).mean())}
    chances = np.clip(answers.astype(np.float64), 1e-12, 1 - 1e-12)
    if targets.kind == "classes":
        return {"loss": float(-np.log(chances[np.arange(len(chances)), targets.values]).mean())}
    held, said = targets.values, answers > 0.5
    loss = -np.where(held, np.log(chances), np.log1p(-chances)).mean()
    return {"loss": float(loss), "accuracy": float((held == said).all(axis=1).mean())}


def fit_encoder(
    train_texts: Sequence[str],
    train: Targets,
    valid_texts: Sequence[str],
    valid: Targets,
    *,
    spec: EncoderSpec,
    language: str,
    seed: int,
    threads: int,
    folder: Path,
    columns: int = 1,
    metrics: Sequence[str] = (),
    features: Mapping[str, npt.NDArray[Any]] | None = None,
    progress: Callable[[Progress], None] | None = None,
    watching: Watching | None = None,
) -> FittedEncoder:
    """Train an encoder, or go on with a killed training, or load a finished one with the same inputs.

    ``folder`` gets ``model/`` (see :func:`ratchet.models.encoder.load_encoder`) and what :func:`ratchet.train.loop.fit`
    writes. The valid part is only watched unless ``spec.keep`` says that it chooses the epoch; then scores on it are
    flattered.

    Args:
        train_texts: n texts.
        train: their right answers: one label a row, any labels, or a value.
        valid_texts: m texts, or none.
        valid: their right answers.
        spec: the recipe's section.
        language: of the texts: ``zh``, ``en`` or ``mixed``.
        seed: of weights, batches and dropout.
        threads: cores; 0: all. The same number gives the same bytes on one machine.
        folder: of this training.
        columns: texts in a row.
        metrics: what is said of the valid rows after each epoch, beside ``spec.keep`` and what is always said; one that has no
            value for these rows is left out.
        features: columns of the valid rows, (m,) each, which a metric of the user's may take.
        progress: called after each step.
        watching: how it is watched beside that.

    Raises:
        RatchetError: the source or the rows are not usable, or the loss stopped being finite.
        WorkspaceError: the disk is full or read-only, or the folder has checkpoints of another training.
        ExtraMissing: torch, transformers or tokenizers is not installed.
    """
    require_torch()
    _require_rows(train_texts, train)
    _require_effect(spec, train.kind)
    scoring = Scoring.of(
        (spec.keep,),
        beside=(*SHOWN[train.kind], *metrics),
        given=GOALS[train.kind],
        right=valid,
        features=features,
    )
    source = locate(spec.source, language=language)
    facts = {
        **spec.model_dump(mode="json", exclude={"name"}),
        "source": source_hash(source),
        "rows": texts_hash(train_texts, valid_texts),
        "right": targets_hash(train, valid),
        "seed": seed,
        "threads": threads,
        "columns": columns,
        **scoring.named_by,
        **versions(),
    }
    finished = _finished(folder / MODEL, facts=facts, threads=threads)
    if finished is not None:
        return finished
    fresh = build_encoder(
        spec,
        labels=train.names,
        language=language,
        texts=train_texts,
        seed=seed,
        threads=threads,
        columns=columns,
        answering=answering_of(train),
    )
    rows = _rows(fresh, train_texts, train, spec=spec)
    watched = _rows(fresh, valid_texts, valid, spec=spec) if len(valid_texts) else None
    settings = settle(spec, source=source, lengths=rows.lengths, seed=seed)
    objective = RowObjective(fresh, train=rows, valid=watched, spec=spec, scoring=scoring)

    def save(done: Fit) -> FittedEncoder:
        cut = fresh.tokens.too_long(train_texts)
        fresh.network.to("cpu")
        fitted = replace(fresh, facts={**asdict(settings), **done.facts, "cut_texts": cut, "key": facts})
        fitted.save(folder / MODEL)
        return fitted

    return fit(
        objective,
        spec=spec,
        settings=settings,
        folder=folder,
        facts=facts,
        seed=seed,
        threads=threads,
        save=save,
        progress=progress,
        watching=watching,
    )


def require_trainable(spec: EncoderSpec, *, kind: Kind, language: str, columns: int = 1) -> None:
    """Refuse what `fit_encoder` would refuse of these settings, before any training and without reading a weight.

    Args:
        spec: the recipe's section.
        kind: of the targets.
        language: of the texts: ``zh``, ``en`` or ``mixed``.
        columns: texts in a row.

    Raises:
        RatchetError: the source is not usable, or the spec asks for what there is not.
    """
    _require_effect(spec, kind)
    require_measured([spec.keep], given=GOALS[kind], kind=kind)
    require_encoder(spec, language=language, columns=columns)
    require_device(spec.device)


def answering_of(targets: Targets) -> Answering:
    """How an encoder's logits become answers of this kind; the unit of a value is that of the training rows."""
    if targets.kind == "labels":
        return Answering(link="independent")
    if targets.kind == "value":
        spread = float(targets.values.std())
        return Answering(link="identity", mean=float(targets.values.mean()), spread=spread if spread > 0 else 1.0)
    return Answering()


def _right(targets: Targets, answering: Answering) -> npt.NDArray[Any]:
    """What the loss compares with: columns, 0 and 1, or standard deviations."""
    if targets.kind == "classes":
        return targets.values
    if targets.kind == "labels":
        return targets.values.astype(np.float32)
    scaled = (targets.values - answering.mean) / answering.spread
    return scaled.astype(np.float32)[:, None]


def _require_rows(texts: Sequence[str], targets: Targets) -> None:
    if len(texts) != len(targets):
        raise RatchetError(f"Each train text must have a label but got {len(texts)} texts and {len(targets)} labels.")
    if targets.kind == "classes" and len(targets.names) < 2:
        raise RatchetError(f"An encoder must be trained on at least two labels but got {list(targets.names)}.")
    if not len(texts):
        raise RatchetError("An encoder must be trained on at least one row but got none.")


def _require_effect(spec: EncoderSpec, kind: Kind) -> None:
    """Refuse settings of labels where a value is learnt: they would make the same model under another name."""
    given = [name for name in ("label_smoothing", "focal") if getattr(spec, name)]
    given += ["class_weights"] if spec.class_weights != "none" else []
    if kind == "value" and given:
        raise RatchetError(
            f"{given[0]} must be left out where a value is learnt, since it is about labels, but is set.",
            next_step=f"Remove {' and '.join(given)} from this challenger.",
        )


def _rows(encoder: FittedEncoder, texts: Sequence[str], targets: Targets, *, spec: EncoderSpec) -> Rows:
    ids, owners = encoder.tokens.in_windows(texts)
    shared = np.bincount(owners, minlength=len(texts))
    weights = (row_weights(targets, spec=spec) / np.maximum(shared, 1))[owners]
    return Rows(ids=ids, owners=owners, targets=targets, weights=weights)


def _finished(folder: Path, *, facts: Mapping[str, Any], threads: int) -> FittedEncoder | None:
    return load_encoder(folder, threads=threads) if is_done(folder / CARD, facts) else None
