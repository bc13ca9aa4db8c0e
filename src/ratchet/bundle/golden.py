"""Golden rows: a few that a bundle brings with what its model answered, so that a server can see that it still does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratchet.bounds import json_value
from ratchet.bundle.bundle import GOLDEN, Bundle
from ratchet.errors import BundleError, DataError
from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers, Predictor
from ratchet.recipe.sections import Section
from ratchet.text.personal import mask

LONGEST = 2000
"""Characters of a golden text."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """n rows and their (n, k) answers."""

    rows: Inputs
    answers: Answers

    @classmethod
    def made(cls, rows: Sequence[str], model: Predictor, *, most: int) -> Golden:
        """Golden rows from those of a table, and what a model answers to them.

        They are of all lengths that the table has. What looks like personal data is masked in their texts.

        Args:
            rows: of the table.
            model: that which is exported.
            most: golden rows, at most.
        """
        whole = Inputs.of(rows)
        order = sorted(
            dict(zip(whole.texts, range(len(whole)), strict=True)).items(), key=lambda one: (len(one[0]), one[0])
        )
        places = np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)
        chosen = whole.take(np.array([order[place][1] for place in places.tolist()], dtype=np.int64))
        found = chosen.with_texts([mask(text)[:LONGEST] for text in chosen.texts])
        return cls(rows=found, answers=np.asarray(model.predict(found)))

    @classmethod
    def of(cls, bundle: Bundle) -> Golden | None:
        """Those of a bundle that has some.

        Raises:
            BundleError: they are damaged.
        """
        path = bundle.path / GOLDEN
        if not any(entry.path == GOLDEN for entry in bundle.manifest.files):
            return None
        try:
            kept = _Kept.model_validate(json_value(path.read_bytes()))
            texts = all(isinstance(cell, str | None) for row in kept.answers for cell in row)
            answers = np.array(kept.answers, dtype=object if texts else np.dtype(kept.numbers))
            if answers.shape != (len(kept.texts), len(bundle.labels)):
                raise ValueError(f"its answers have the shape {answers.shape}")
            return cls(rows=Inputs(kept.texts, kept.features), answers=answers)
        except (ValueError, TypeError, DataError) as error:
            raise BundleError(
                f"{path} must hold golden rows of the model but does not: {str(error).splitlines()[0]}.",
                next_step="Export the bundle again.",
            ) from error

    def to_json(self) -> bytes:
        """As a bundle keeps them."""
        kept = _Kept(
            texts=tuple(self.rows.texts),
            features=dict(self.rows.features),
            numbers=self.answers.dtype.str if self.answers.dtype != object else "",
            answers=tuple(tuple(row) for row in self.answers.tolist()),
        )
        return (json.dumps(kept.model_dump(), ensure_ascii=False, indent=1) + "\n").encode()


class _Kept(Section):
    texts: tuple[str, ...]
    features: dict[str, tuple[str | None, ...]]
    numbers: str
    answers: tuple[tuple[Any, ...], ...]
