"""All kinds of contender, and all row changes that make a contender from the champion; one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ratchet.augment.registry import augmenters
from ratchet.contenders.answers import AnswersFromFile
from ratchet.contenders.augmented import Augmented
from ratchet.contenders.balance import Balance
from ratchet.contenders.base import Contender
from ratchet.contenders.change import Change
from ratchet.contenders.decoder import Decoder
from ratchet.contenders.embedding import Embedding
from ratchet.contenders.encoder import Encoder
from ratchet.contenders.endpoint import Endpoint
from ratchet.contenders.kind import Kind
from ratchet.contenders.linear import Blend, Linear
from ratchet.contenders.nearest import Nearest
from ratchet.contenders.policies import Policies
from ratchet.contenders.prompt import Prompt
from ratchet.contenders.pseudo import Pseudo
from ratchet.contenders.tune import Tune
from ratchet.plugins import chosen, registered
from ratchet.recipe.sections import Section

KINDS_GROUP, CHANGES_GROUP = "ratchet.contenders", "ratchet.changes"
KINDS: tuple[Kind[Any], ...] = (
    Linear(),
    Blend(),
    Embedding(),
    Encoder(),
    Nearest(),
    Tune(),
    Prompt(),
    Decoder(),
    Endpoint(),
    AnswersFromFile(),
)
CHANGES: tuple[Change[Any], ...] = (Balance(), Pseudo(), Policies())
AUGMENTING = (Pseudo.name, Policies.name)
"""Row changes that make rows and are no augmenters."""


def kinds() -> dict[str, Kind[Any]]:
    """Kinds of contender by name, with those of other installed packages.

    Raises:
        RatchetError: one of them cannot be loaded.
    """
    return registered(KINDS, group=KINDS_GROUP, base=Kind)


def changes() -> dict[str, Change[Any]]:
    """Row changes by name, with those of other installed packages.

    Raises:
        RatchetError: one of them cannot be loaded.
    """
    made = tuple(Augmented(one) for one in augmenters().values())
    return registered((*made, *CHANGES), group=CHANGES_GROUP, base=Change)


def sections() -> tuple[type[Section], ...]:
    """The recipe's sections of everything that may challenge."""
    return (*(kind.spec for kind in kinds().values()), *(change.spec for change in changes().values()))


def augmenting() -> tuple[type[Section], ...]:
    """The recipe's sections of everything that makes more rows."""
    known = changes()
    return tuple(known[name].spec for name in (*augmenters(), *AUGMENTING))


def tasks_of(name: str) -> tuple[str, ...]:
    """The tasks that a challenger of this kind is for.

    Raises:
        RatchetError: no such kind is installed.
    """
    known: dict[str, Kind[Any] | Change[Any]] = {**kinds(), **changes()}
    return chosen(name, known, noun="The kind of a challenger").tasks


def kind_of(of: Contender) -> tuple[Kind[Any], Section]:
    """The kind of a contender that learns, and the settings it was trained with.

    Raises:
        RatchetError: no such kind is installed.
    """
    settings = of.card["spec"]
    kind = chosen(str(settings.get("kind")), kinds(), noun="The kind of a contender")
    return kind, kind.spec.model_validate(settings)


def runs_here(of: Contender) -> bool:
    """Whether its model runs on this machine: no endpoint is asked, and no file of answers is read."""
    return not of.learns or kind_of(of)[0].trained


def change_of(settings: Mapping[str, object]) -> tuple[Change[Any], Section]:
    """A row change and its settings, as a contender's card has them.

    Raises:
        RatchetError: no such row change is installed.
    """
    change = chosen(str(settings.get("kind")), changes(), noun="A row change")
    return change, change.spec.model_validate(settings)
