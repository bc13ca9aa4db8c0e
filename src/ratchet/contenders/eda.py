"""Easy data augmentation as a row change: augmented texts beside the training rows."""

from __future__ import annotations

from ratchet.contenders.change import Change
from ratchet.contenders.material import Counts, Material
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.models.inputs import parted
from ratchet.recipe.sections import EdaSpec


class Eda(Change[EdaSpec]):
    """Variants of the training texts; none is near a held-out or a test text."""

    name, spec = "eda", EdaSpec
    tasks = ("classification", "multilabel", "regression")

    def material(self, spec: EdaSpec, rows: PartedRows, seen: Ints, *, held_out: Ints, seed: int) -> Material:
        """As `Change.material`."""
        from ratchet.augment import augment, near_to

        protected = near_to([*rows.texts(held_out), *rows.texts(rows.parts.test)])
        made = augment(rows.texts(seen), rows.names(seen), spec=spec, seed=seed, protected=protected)
        whole = [place for place, text in enumerate(made.texts) if len(parted(text)) == rows.texts_a_row]
        whole = whole if rows.texts_a_row > 1 else [*range(len(made.texts))]
        rejected = {**made.rejected, "texts_run_together": len(made.texts) - len(whole)}
        counts: Counts = {
            "augmented": len(whole),
            "rejected": rejected if rows.texts_a_row > 1 else made.rejected,
        }
        return Material(
            rows=seen,
            texts=[made.texts[place] for place in whole],
            labels=[made.labels[place] for place in whole],
            made_from=seen[made.source_row[whole]].tolist(),
            counts=counts,
        )
