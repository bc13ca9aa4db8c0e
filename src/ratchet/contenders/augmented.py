"""An augmenter as a row change: new texts beside the training rows, fold by fold, and none that is near a held-out row."""

from __future__ import annotations

import json
from typing import Any

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.filters import Made, keep, near_to
from ratchet.augment.source import Source
from ratchet.contenders.change import Change, Changing
from ratchet.contenders.material import Counts, Material
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.models.model import Destination
from ratchet.recipe.augment import AugmentKeys
from ratchet.workspace.workspace import write_atomic, writing


class Augmented(Change[AugmentKeys]):
    """The rows, and what one augmenter makes of them."""

    def __init__(self, augmenter: Augmenter[Any]) -> None:
        self.augmenter = augmenter
        self.name = augmenter.name  # type: ignore[misc]
        self.spec = augmenter.spec  # type: ignore[misc]
        self.tasks = augmenter.tasks  # type: ignore[misc]
        self.packages = augmenter.packages  # type: ignore[misc]
        self.extra = augmenter.extra  # type: ignore[misc]

    def sends_to(self, spec: AugmentKeys) -> Destination | None:
        """As `Change.sends_to`."""
        return self.augmenter.sends_to(spec)

    def named_by(self, spec: AugmentKeys) -> object:
        """As `Change.named_by`."""
        return self.augmenter.named_by(spec)

    def material(self, spec: AugmentKeys, changing: Changing, seen: Ints, *, held_out: Ints) -> Material:
        """As `Change.material`."""
        rows = changing.rows
        source = source_of(rows, seen)
        making = Making(
            seed=changing.seed,
            cache=changing.cache,
            threads=changing.threads,
            purses=changing.purses,
            advance=changing.advance,
        )
        made = keep(
            self.augmenter.drafts(spec, source, making),
            source,
            filters=spec.filters,
            about=f"{self.name}",
            protected=near_to([*rows.texts(held_out), *rows.texts(rows.parts.test)]),
        )
        _record(changing, made, source, seen, held_out, name=self.name)
        counts: Counts = {"augmented": len(made.texts), "rejected": made.rejected}
        return Material(
            rows=seen, texts=made.texts, labels=made.labels, made_from=seen[made.parent].tolist(), counts=counts
        )


def source_of(rows: PartedRows, seen: Ints) -> Source:
    """The rows ``seen`` as augmenters see them."""
    return Source(
        texts=rows.texts(seen),
        labels=rows.names(seen),
        language=rows.language,
        group=rows.parts.fold[seen],
        texts_a_row=rows.texts_a_row,
    )


def _record(changing: Changing, made: Made, source: Source, seen: Ints, held_out: Ints, *, name: str) -> None:
    """Write every new row beside its parent, for people: one file for each fold, and one for all rows."""
    if changing.folder is None:
        return
    fold = int(changing.rows.parts.fold[held_out[0]]) if len(held_out) else None
    lines = (
        json.dumps(
            {
                "text": text,
                "label": label,
                "parent_row": int(seen[parent]),
                "parent": source.texts[parent],
                **({"parent_rows": seen[[*parents]].tolist()} if len(parents) > 1 else {}),
                "augmenter": name,
                "operation": operation,
                "seed": changing.seed,
                **{key: made.facts[key] for key in ("model",) if key in made.facts},
            },
            ensure_ascii=False,
        )
        for text, label, parent, parents, operation in zip(
            made.texts, made.labels, made.parent.tolist(), made.parents, made.operation, strict=True
        )
    )
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    with writing(changing.folder):
        changing.folder.mkdir(parents=True, exist_ok=True)
    write_atomic(changing.folder / ("all.jsonl" if fold is None else f"fold-{fold}.jsonl"), data)
