"""An augmenter as a row change: new texts beside the training rows, fold by fold, and none that is near a held-out row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.filters import Alike, Made, keep, near_to
from ratchet.augment.likeness import VectorLikeness, likeness, require_vectors
from ratchet.augment.source import Source
from ratchet.contenders.change import Change, Changing
from ratchet.contenders.labeller import FOLDS, Labeller
from ratchet.contenders.material import Counts, Material, NothingMade, fold_held_out
from ratchet.contenders.nested import inner_parts
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.sources import section_files
from ratchet.models.model import Destination
from ratchet.recipe.augment import AugmentFilters, AugmentKeys
from ratchet.workspace.workspace import write_atomic, writing

MADE_WITH = "made_with"
"""The fact of a card that holds, for each training, what the augmenter tells: a model, a licence, what was asked and paid."""


class Augmented(Change[AugmentKeys]):
    """The rows, and what one augmenter makes of them."""

    def __init__(self, augmenter: Augmenter[Any]) -> None:
        self.augmenter = augmenter
        self.name = augmenter.name
        self.spec = augmenter.spec
        self.tasks = augmenter.tasks
        self.packages = augmenter.packages
        self.extra = augmenter.extra

    def sends_to(self, spec: AugmentKeys) -> Destination | None:
        """As `Change.sends_to`."""
        return self.augmenter.sends_to(spec)

    def named_by(self, spec: AugmentKeys) -> object:
        """As `Change.named_by`."""
        return self.augmenter.named_by(spec), section_files(spec)

    def remark(self, spec: AugmentKeys) -> str:
        """As `Change.remark`."""
        return self.augmenter.remark(spec)

    def require(self, spec: AugmentKeys, rows: PartedRows) -> None:
        """As `Change.require`: whoever the filters ask is there."""
        require_filters(spec.filters, rows)

    def material(
        self, spec: AugmentKeys, changing: Changing, seen: Ints, *, held_out: Ints, labeller: Labeller | None = None
    ) -> Material:
        """As `Change.material`; ``labeller`` as of `made`."""
        made = self.made(spec, changing, seen, held_out=held_out, labeller=labeller)
        record(changing, held_out, provenance(self.name, made, changing, seen))
        told: list[object] = [dict(made.facts)] if made.facts else []
        counts: Counts = {"augmented": len(made.texts), "rejected": made.rejected, MADE_WITH: told}
        require_some(len(made.texts), made.rejected, about=self.name)
        return Material(
            rows=seen, texts=made.texts, labels=made.labels, made_from=seen[made.parent].tolist(), counts=counts
        )

    def made(
        self, spec: AugmentKeys, changing: Changing, seen: Ints, *, held_out: Ints, labeller: Labeller | None = None
    ) -> Made:
        """What is kept of the texts that are made from the rows ``seen``.

        Args:
            spec: the settings of the augmenter.
            changing: with what.
            seen: the rows that others may be made from.
            held_out: rows that nothing may come near, beside the test part.
            labeller: of the rows ``seen``; absent: one is trained where it is asked.
        """
        rows, filters = changing.rows, spec.filters
        source = source_of(rows, seen)
        making = Making(
            seed=changing.seed,
            cache=changing.cache,
            threads=changing.threads,
            purses=changing.purses,
            advance=changing.advance,
        )
        drafts = self.augmenter.drafts(spec, source, making)
        if filters.label and labeller is None:
            labeller = Labeller(changing, seen)
        return keep(
            drafts,
            source,
            filters=filters,
            about=self.name,
            protected=near_to([*rows.texts(held_out), *rows.texts(rows.parts.test)], **rows.near),
            agrees=labeller.agrees(filters.label) if filters.label and labeller is not None else None,
            alike=_alike(filters, changing) if filters.meaning else None,
        )


def _alike(filters: AugmentFilters, changing: Changing) -> Alike:
    """What measures the meaning: n-grams, or the vectors of an encoder, kept where those of contenders are."""
    if not filters.vectors:
        return likeness
    rows = changing.rows
    assert changing.store is not None, "vectors are kept in the store"
    return VectorLikeness(
        filters,
        language=rows.language,
        store=changing.store,
        threads=changing.threads,
        columns=rows.texts_a_row,
    )


def require_filters(filters: AugmentFilters, rows: PartedRows) -> None:
    """Refuse filters that nobody can answer.

    Raises:
        RatchetError: an encoder that is not there, or rows that cannot be divided.
    """
    if filters.meaning and filters.vectors:
        require_vectors(filters, language=rows.language)
    if filters.label:
        inner_parts(rows, rows.parts.train, count=FOLDS, seed=0, drawn=True)
        nothing = rows.targets.take(np.zeros(0, np.int64)), np.zeros((0, len(rows.labels)))
        rows.task.borne_out(nothing[0], nothing[1], least=filters.label, known=nothing)


def require_some(made: int, rejected: Mapping[str, int], *, about: str) -> None:
    """Refuse to train the champion's settings on nothing new.

    Raises:
        NothingMade: with the counts by reason.
    """
    if not made:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items() if count)
        raise NothingMade(
            f"{about} must make rows that may be trained on but all {sum(rejected.values()):,} were rejected"
            f"{f' ({counts})' if counts else ''}.",
            next_step="Loosen its filters or change its settings.",
        )


def source_of(rows: PartedRows, seen: Ints) -> Source:
    """The rows ``seen`` as augmenters see them."""
    return Source(
        texts=rows.texts(seen),
        labels=rows.names(seen),
        language=rows.language,
        group=rows.whole.parts.fold[seen],
        texts_a_row=rows.texts_a_row,
    )


def provenance(name: str, made: Made, changing: Changing, seen: Ints) -> Iterator[dict[str, object]]:
    """Every new row beside its parent, for people."""
    parents = changing.rows.texts(seen[made.parent])
    places = seen[made.parent].tolist()
    model = {key: made.facts[key] for key in ("model",) if key in made.facts}
    for text, label, place, parent, all_of, operation in zip(
        made.texts, made.labels, places, parents, made.parents, made.operation, strict=True
    ):
        yield {
            "text": text,
            "label": label,
            "parent_row": place,
            "parent": parent,
            **({"parent_rows": seen[[*all_of]].tolist()} if len(all_of) > 1 else {}),
            "augmenter": name,
            "operation": operation,
            "seed": changing.seed,
            **model,
        }


def record(changing: Changing, held_out: Ints, lines: Iterable[Mapping[str, object]]) -> None:
    """Write what was made, for people: one file for each fold, and one for all rows."""
    if changing.folder is None:
        return
    fold = fold_held_out(changing.rows, held_out)
    data = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode("utf-8", "surrogatepass")
    with writing(changing.folder):
        changing.folder.mkdir(parents=True, exist_ok=True)
    write_atomic(changing.folder / ("all.jsonl" if fold is None else f"fold-{fold}.jsonl"), data)


def unrecorded(changing: Changing) -> Changing:
    """The same, without a folder for people: what is made is tried, and not trained on for good."""
    return replace(changing, folder=None)
