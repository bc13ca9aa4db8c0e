"""A kind of row change: what makes other training rows out of the champion's, so that it is trained again on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar

from ratchet.augment.augmenter import silent
from ratchet.contenders.base import Contender
from ratchet.contenders.material import Material
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.sources import section_files
from ratchet.endpoint.purse import Purse
from ratchet.models.model import Destination
from ratchet.recipe.sections import Section
from ratchet.screen import Advance

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, kw_only=True, eq=False)
class Changing:
    """What rows are changed with, beside the settings."""

    rows: PartedRows
    seed: int
    threads: int = 1
    champion: Contender | None = None
    """Whose settings are trained on the changed rows; its models of folds may be asked."""
    folder: Path | None = None
    """Where what was made is kept for people and for a training that is begun again."""
    cache: Path | None = None
    """Where answers lie that took long or were paid for."""
    purses: dict[str, Purse] = field(default_factory=dict)
    """What may still be spent at an endpoint while one contender is trained, all of its folds together, by its section."""
    store: Path | None = None
    """Folder of all contenders, and of the encoders whose vectors are asked for."""
    advance: Advance = silent


class Change(ABC, Generic[S]):
    """One kind of row change. Held-out rows are never changed, and nothing near one may be made.

    Register an instance in `contenders.registry.CHANGES`, or in the entry point group ``ratchet.changes``.
    """

    name: str
    """The ``kind`` of a challenger in the recipe."""
    spec: type[Section]
    """Its section in the recipe."""

    tasks: tuple[str, ...] = ("classification",)
    """The tasks whose rows it can change."""
    packages: tuple[str, ...] = ()
    """What must be installed to make them."""
    extra: str = "train"
    """The extra that installs them."""

    def weights(self, spec: S) -> bool:
        """Whether it weights rows, which not every kind of model takes."""
        del spec
        return False

    def missing(self) -> str | None:
        """The first package that must be installed and is not."""
        return next((package for package in self.packages if find_spec(package) is None), None)

    def sends_to(self, spec: S) -> Destination | None:
        """Where the texts of the rows are sent while others are made of them; ``None``: nowhere."""
        del spec
        return None

    def named_by(self, spec: S) -> object:
        """What makes it another challenger: its settings but those that change no row, and the files that they name."""
        return spec, section_files(spec)

    def remark(self, spec: S) -> str:
        """What people are told before rows are made; empty: nothing."""
        del spec
        return ""

    def require(self, spec: S, rows: PartedRows) -> None:
        """Refuse, before anything is trained, settings that cannot be carried out with these rows.

        Raises:
            RatchetError: it names the key.
        """
        del spec, rows

    def depends_on(self, spec: S, rows: PartedRows) -> object:
        """What names the challenger beside its settings, the rows and the version of Ratchet: files that it reads."""
        del spec, rows
        return None

    @abstractmethod
    def material(self, spec: S, changing: Changing, seen: Ints, *, held_out: Ints) -> Material:
        """What a model is trained on that may see the rows ``seen`` and is to predict ``held_out``.

        ``counts`` of the material say how many rows were made, and how many were rejected for which reason.

        Raises:
            NothingMade: there would be no new row.
        """
