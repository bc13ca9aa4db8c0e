"""Easy data augmentation as a row change: augmented texts beside the training rows."""

from __future__ import annotations

from ratchet.contenders.change import Change
from ratchet.contenders.material import Counts, Material
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.recipe.sections import EdaSpec


class Eda(Change[EdaSpec]):
    """Variants of the training texts; none is near a held-out or a test text."""

    name, spec = "eda", EdaSpec

    def material(self, spec: EdaSpec, rows: PartedRows, seen: Ints, *, held_out: Ints, seed: int) -> Material:
        """As `Change.material`."""
        from ratchet.augment import augment, near_to

        protected = near_to([*rows.texts(held_out), *rows.texts(rows.parts.test)])
        made = augment(rows.texts(seen), rows.names(seen), spec=spec, seed=seed, protected=protected)
        counts: Counts = {"augmented": len(made.texts), "rejected": made.rejected}
        return Material(rows=seen, texts=made.texts, labels=made.labels, counts=counts)
