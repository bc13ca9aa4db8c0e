"""A kind of row change: what makes other training rows out of the champion's, so that it is trained again on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from ratchet.contenders.material import Material
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.recipe.sections import Section

S = TypeVar("S", bound=Section)


class Change(ABC, Generic[S]):
    """One kind of row change. Held-out rows are never changed, and nothing near one may be made.

    Register an instance in `contenders.registry.CHANGES`, or in the entry point group ``ratchet.changes``.
    """

    name: ClassVar[str]
    """The ``kind`` of a challenger in the recipe."""
    spec: ClassVar[type[Section]]
    """Its section in the recipe."""

    def weights(self, spec: S) -> bool:
        """Whether it weights rows, which not every kind of model takes."""
        del spec
        return False

    @abstractmethod
    def material(self, spec: S, rows: PartedRows, seen: Ints, *, held_out: Ints, seed: int) -> Material:
        """What a model is trained on that may see the rows ``seen`` and is to predict ``held_out``.

        ``counts`` of the material say how many rows were made, and how many were rejected for which reason.
        """
