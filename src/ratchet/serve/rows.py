"""What a model is told of a row: its texts and the features beside them, by the names of their columns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ratchet.bundle.bundle import Manifest
from ratchet.errors import BundleError, DataError, no_such_column
from ratchet.forms import is_broken
from ratchet.models.inputs import Inputs, joined
from ratchet.tasks.generation import PROMPT, prompt_of

Cells = tuple[str | None, ...]
"""The cells of a row in the order of `Fields.names`; ``None`` where missing."""

_SHOWN = 8
_NAME = 80


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The columns that a model is told of."""

    texts: tuple[str, ...]
    features: tuple[str, ...] = ()
    conversations: bool = False
    """Whether the text may be a conversation, of which the model is told what stands before the answer."""

    @classmethod
    def of(cls, manifest: Manifest) -> Fields:
        """Those that the manifest of a bundle names.

        Raises:
            BundleError: it names one twice.
        """
        found = cls(texts=manifest.text_columns or (manifest.text_column,), features=tuple(manifest.features))
        if len(set(found.names)) < len(found.names):
            raise BundleError(
                f"The columns of the bundle {manifest.name!r} must have a name each but are {listed(found.names)}.",
                next_step="Export the bundle again.",
            )
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, the texts first."""
        return (*self.texts, *self.features)

    @property
    def plain(self) -> bool:
        """Whether a row is one text and nothing else."""
        return len(self.names) == 1

    def called(self, text: str) -> Fields:
        """The same, where the column of the only text has another name; for prompts, also one with conversations.

        Raises:
            DataError: there are several texts.
        """
        if len(self.texts) > 1:
            raise DataError(
                f"The text must be the columns {listed(self.texts)}, as in training, but got --text {text!r}.",
                next_step="Leave --text out, and name the columns of the table as in training.",
            )
        return replace(self, texts=(text,), conversations=self.texts == (PROMPT,) and text != PROMPT)

    def is_blank(self, row: Cells) -> bool:
        """Whether there is nothing to predict: every text is missing or white space."""
        return not any(cell and not cell.isspace() for cell in self._texts(row))

    def broken(self, row: Cells) -> str | None:
        """The first column with half a surrogate pair, which no model can read: in its cell, or in a turn of a conversation."""
        spoken = self.conversations or self.texts == (PROMPT,)
        for name, cell in zip(self.names, row, strict=True):
            if cell and (is_broken(cell) or (spoken and name in self.texts and is_broken(prompt_of(cell) or ""))):
                return name
        return None

    def inputs(self, rows: Sequence[Cells]) -> Sequence[str]:
        """What the model is asked: texts, with the features where there are any."""
        count = len(self.texts)
        texts = [joined(row[:count]) if count > 1 else self._texts(row)[0] or "" for row in rows]
        if not self.features:
            return texts
        return Inputs(texts, {name: [row[count + place] for row in rows] for place, name in enumerate(self.features)})

    def _texts(self, row: Cells) -> Cells:
        if self.conversations:
            return (None if row[0] is None else prompt_of(row[0]),)
        return row[: len(self.texts)]

    def missing(self, names: Sequence[str], *, table: str) -> DataError:
        """The error of a table that has only these columns."""
        lacking = [name for name in self.names if name not in names]
        if len(lacking) == 1:
            role, step = "a feature of the model", "Add it; its cells may be empty."
            if lacking[0] in self.texts:
                several = len(self.texts) > 1
                role = "a text of the model" if several else "the text; see --text"
                step = "Add it, or rename a column." if several else "Name one of them with --text."
            return no_such_column(lacking[0], names, table=table, role=role, otherwise=step)
        near = nearest(lacking, names)
        return DataError(
            f"{table} must have the columns {listed(lacking)}, as the table of the training had, but has {listed(names)}.",
            next_step=f"Did you mean {listed(near)}?" if near else "Add them; the cells of features may be empty.",
        )


def listed(names: Sequence[str]) -> str:
    """Names for people, the first few of them."""
    shown = [repr(name if len(name) <= _NAME else f"{name[:_NAME]}...") for name in names[:_SHOWN]]
    more = len(names) - _SHOWN
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def nearest(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    """Of the names, the one nearest to each of the first few that are wanted."""
    folded = {name[:_NAME].casefold(): name for name in names[:1_000]}
    near = [difflib.get_close_matches(name[:_NAME].casefold(), folded, n=1, cutoff=0.5) for name in wanted[:_SHOWN]]
    return [*dict.fromkeys(folded[one] for found in near for one in found)]
