"""An augmenter: makes new texts out of training rows. What may be kept of them is decided by `filters`, the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from ratchet.augment.drafts import Drafts
from ratchet.augment.source import Source
from ratchet.endpoint.purse import Purse
from ratchet.models.model import Destination
from ratchet.recipe.augment import AugmentKeys
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.screen import Advance

S = TypeVar("S", bound=AugmentKeys)


def silent(done: int, total: int, about: str) -> None:
    """Tells nobody."""
    del done, total, about


@dataclass(frozen=True, kw_only=True)
class Making:
    """What new texts are made with, beside the settings."""

    seed: int
    cache: Path | None = None
    """Folder of answers that took long or were paid for, shared by all folds and runs of a workspace; ``None``: nothing is
    kept."""
    threads: int = 1
    purses: dict[str, Purse] = field(default_factory=dict)
    """What may still be spent, by the section of an endpoint; given again for each fold of one contender."""
    advance: Advance = silent

    def purse(self, asked: EndpointSpec) -> Purse:
        """What may still be spent at an endpoint: another section has a limit of its own, at the same address too."""
        return self.purses.setdefault(asked.model_dump_json(), Purse(asked.limit))


class Augmenter(ABC, Generic[S]):
    """One way to make new texts.

    Register an instance in `augment.registry.AUGMENTERS`, or in the entry point group ``ratchet.augmenters``. Its ``name`` is
    a ``kind`` of challenger: the champion's own settings, trained on the train part and on what is kept of the new texts.
    """

    name: ClassVar[str]
    """The ``kind`` of a challenger in the recipe."""
    spec: ClassVar[type[AugmentKeys]]
    """Its section in the recipe."""
    tasks: ClassVar[tuple[str, ...]] = ("classification", "multilabel", "regression")
    """The tasks whose rows it can make more of."""
    packages: ClassVar[tuple[str, ...]] = ()
    """What must be installed."""
    extra: ClassVar[str] = "train"
    """The extra that installs them."""

    def sends_to(self, spec: S) -> Destination | None:
        """Where texts of rows are sent while others are made of them: the endpoint of the settings; ``None``: nowhere."""
        asked = _endpoint(spec)
        return None if asked is None else Destination(address=asked.url, key=asked.key)

    def named_by(self, spec: S) -> object:
        """What makes it another challenger beside the files that it names: its settings but those that change no text.

        How fast, and for how much at most, an endpoint is asked changes none.
        """
        asked = _endpoint(spec)
        return spec if asked is None else spec.model_copy(update={"endpoint": asked.asked()})

    def remark(self, spec: S) -> str:
        """What people are told before texts are made; empty: nothing."""
        del spec
        return ""

    @abstractmethod
    def drafts(self, spec: S, source: Source, making: Making) -> Drafts:
        """New texts; what becomes of a row depends on the seed and on the row's text, never on the order of the rows.

        Raises:
            RatchetError: nothing can be made at all: a model, a command or an address that does not answer.
        """


def _endpoint(spec: AugmentKeys) -> EndpointSpec | None:
    asked = getattr(spec, "endpoint", None)
    return asked if isinstance(asked, EndpointSpec) else None
