"""What a model is asked about: the texts of rows, and features beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.text.joined import SEPARATOR, joined, parted

__all__ = ["SEPARATOR", "Inputs", "joined", "parted"]

Cells = tuple[str | None, ...]


class Inputs(Sequence[str]):
    """The texts of n rows, which it is a sequence of, with the cells of further columns; a plain list of texts has none.

    Args:
        texts: n texts.
        features: n cells of each column, as they stand in the table; ``None`` where missing.

    >>> rows = Inputs(["good", "bad"], {"price": ["12", None]})
    >>> rows[1], rows[1:].features
    ('bad', {'price': (None,)})
    """

    def __init__(self, texts: Sequence[str], features: Mapping[str, Sequence[str | None]] | None = None) -> None:
        self.texts: Sequence[str] = texts.texts if isinstance(texts, Inputs) else texts
        self.features: Mapping[str, Cells] = {name: tuple(cells) for name, cells in (features or {}).items()}
        for name, cells in self.features.items():
            if len(cells) != len(texts):
                raise DataError(
                    f"The column {name!r} must have {len(texts):,} cells, as the texts, but has {len(cells):,}."
                )

    @classmethod
    def of(cls, texts: Sequence[str]) -> Inputs:
        """The same, without features where these are plain texts."""
        return texts if isinstance(texts, Inputs) else cls(texts)

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, place: int, /) -> str: ...

    @overload
    def __getitem__(self, place: slice, /) -> Inputs: ...

    def __getitem__(self, place: int | slice, /) -> str | Inputs:
        if isinstance(place, slice):
            return Inputs(self.texts[place], {name: cells[place] for name, cells in self.features.items()})
        return self.texts[place]

    def take(self, rows: npt.NDArray[np.int64]) -> Inputs:
        """The given rows, in that order."""
        places = rows.tolist()
        features = {name: [cells[row] for row in places] for name, cells in self.features.items()}
        return Inputs([self.texts[row] for row in places], features)

    def followed_by(self, other: Inputs) -> Inputs:
        """The rows of both; where ``other`` has rows it has the same features."""
        if not len(other):
            return self
        features = {name: (*cells, *other.features[name]) for name, cells in self.features.items()}
        return Inputs([*self.texts, *other.texts], features)

    def with_texts(self, texts: Sequence[str]) -> Inputs:
        """The same features beside other texts."""
        return Inputs(texts, self.features)
