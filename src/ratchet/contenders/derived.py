"""Contenders made from the champion: its own settings, trained on augmented or re-balanced rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.contenders.base import Contender, Ints, PartedRows
from ratchet.contenders.embedding import train_embedding
from ratchet.contenders.encoder import train_encoder
from ratchet.contenders.linear import train_linear
from ratchet.contenders.material import Material
from ratchet.errors import DataError
from ratchet.prepare.balance import rebalance
from ratchet.recipe.sections import BalanceSpec, EdaSpec, EmbeddingSpec, EncoderSpec
from ratchet.screen import Advance


@dataclass(kw_only=True)
class Augmenting:
    """Training rows with augmented ones beside them; none is near a held-out or a test text."""

    rows: PartedRows
    spec: EdaSpec
    seed: int
    made: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    def texts(
        self, texts: Sequence[str], labels: Sequence[str], *, held_out: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Augmented texts and their labels."""
        from ratchet.augment import augment, near_to

        protected = near_to([*held_out, *self.rows.texts(self.rows.parts.test)])
        found = augment(texts, labels, spec=self.spec, seed=self.seed, protected=protected)
        self.made += len(found.texts)
        for reason, count in found.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        return found.texts, found.labels

    def __call__(self, rows: Ints, *, held_out: Ints) -> Material:
        """As `contenders.material.Source`."""
        texts, labels = self.texts(self.rows.texts(rows), self.rows.names(rows), held_out=self.rows.texts(held_out))
        return Material(rows=rows, texts=texts, labels=labels)

    def facts(self) -> Mapping[str, Any]:
        """For the card."""
        return {"made_by": self.spec.model_dump(mode="json"), "augmented": self.made, "rejected": dict(self.rejected)}


@dataclass(kw_only=True)
class Balancing:
    """Training rows re-balanced; held-out rows stay as they are."""

    rows: PartedRows
    spec: BalanceSpec
    seed: int
    counts: dict[str, float] = field(default_factory=dict)

    def __call__(self, rows: Ints, *, held_out: Ints) -> Material:
        """As `contenders.material.Source`."""
        del held_out
        keys = [text.encode("utf-8", "surrogatepass") for text in self.rows.texts(rows)]
        spec = self.spec
        found = rebalance(
            self.rows.names(rows), method=spec.method, ratio=spec.ratio, target=spec.target, seed=self.seed, keys=keys
        )
        self.counts.update(found.counts)
        return Material(rows=rows[found.rows], weights=found.weights)

    def sample(self, part: Ints) -> tuple[Ints, Sequence[float]]:
        """For linear models: rows as positions among the dev rows, and a weight for every dev row."""
        dev = self.rows.parts.dev
        found = self(dev[part], held_out=np.zeros(0, np.int64))
        place = np.searchsorted(dev, found.rows)
        weights = np.ones(len(self.rows.dataset))
        assert found.weights is not None
        weights[place] = found.weights
        return place, weights.tolist()

    def facts(self) -> Mapping[str, Any]:
        """For the card."""
        return {
            "made_by": self.spec.model_dump(mode="json"),
            "method": self.spec.method,
            "train_rows": dict(self.counts),
        }


def train_augmented(
    folder: Path, rows: PartedRows, *, name: str, spec: EdaSpec, of: Contender, seed: int, **how: Any
) -> None:
    """The champion's own settings, trained on augmented rows."""
    source = Augmenting(rows=rows, spec=spec, seed=seed)
    _train(folder, rows, name=name, kind="eda", of=of, seed=seed, source=source, **how)


def train_balanced(
    folder: Path, rows: PartedRows, *, name: str, spec: BalanceSpec, of: Contender, seed: int, **how: Any
) -> None:
    """The champion's own settings, trained on a re-balanced train part.

    Raises:
        DataError: weights were asked for an encoder.
    """
    require_no_weights(of, spec)
    source = Balancing(rows=rows, spec=spec, seed=seed)
    _train(folder, rows, name=name, kind="balance", of=of, seed=seed, source=source, **how)


def require_no_weights(of: Contender, spec: BalanceSpec) -> None:
    """Refuse weights for an encoder, whose training knows none."""
    if isinstance(of.spec(), EncoderSpec) and spec.method == "weights":
        raise DataError(
            f"balance.method must be under or over for an encoder ({of.name!r}) but got weights.",
            next_step="Set the challenger's method to over.",
        )


def _train(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    kind: str,
    of: Contender,
    seed: int,
    source: Augmenting | Balancing,
    threads: int,
    store: Path,
    key: str,
    advance: Advance,
) -> None:
    base = of.spec()
    assert base is not None, "the majority model is challenged before anything is made from it"
    more: dict[str, Any] = {"from": of.name, "from_key": of.folder.name}
    if isinstance(base, EncoderSpec):
        train_encoder(
            folder,
            rows,
            name=name,
            spec=base,
            seed=seed,
            threads=threads,
            store=store,
            key=key,
            folds=of.folds,
            advance=advance,
            kind=kind,
            material=source,
            more={**more, "made_by": source.spec.model_dump(mode="json")},
        )
    elif isinstance(base, EmbeddingSpec):
        made = {**more, "made_by": source.spec.model_dump(mode="json")}
        train_embedding(
            folder,
            rows,
            name=name,
            spec=base,
            threads=threads,
            store=store,
            advance=advance,
            kind=kind,
            material=source,
            more=made,
        )
    else:
        train_linear(
            folder,
            rows,
            name=name,
            spec=base,
            seed=seed,
            kind=kind,
            augment=source.texts if isinstance(source, Augmenting) else None,
            sample=source.sample if isinstance(source, Balancing) else None,
            facts=lambda: {**more, **source.facts()},
        )
