"""More training rows: the keys that all augmenters share, and those of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, WithJsonSchema

from ratchet.recipe.metric import MetricName
from ratchet.recipe.section import Name, Section


class AugmentFilters(Section):
    """Which new texts are kept. Copies, and whatever is near a valid or a test row, never are."""

    longer: float = Field(default=3.0, gt=1)
    """A new text is at most this many times as long as its parent, or as short; of parents under 8 characters any length."""
    language: bool = True
    """The new text is in its parent's language."""
    near: float | None = Field(default=None, gt=0, le=1)
    """It is less alike than this to any other row of its own part (Jaccard of character 3-grams); absent: not a copy."""
    label: float = Field(default=0.0, ge=0, le=1)
    """A model that never saw the parent must give its label at least this probability, and of several labels say yes or no to
    each so surely; a number must be no further off than 90 % of its errors. 0: nobody is asked."""
    meaning: float = Field(default=0.0, ge=0, le=1)
    """Least likeness to the parent (cosine of character n-grams, or of vectors); 0: not asked."""
    vectors: str = ""
    """Where the vectors come from: a directory, ``package:NAME`` or a hub id of an encoder; empty: character n-grams."""


class AugmentKeys(Section):
    """The keys of every augmenter."""

    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    copies: int = Field(default=1, ge=1, le=64)
    """New texts that are tried from each row."""
    filters: AugmentFilters = AugmentFilters()
    """What is kept of them."""


class EdaSpec(AugmentKeys):
    """The champion's own model, trained on the train part plus easy data augmentation."""

    kind: Literal["eda"] = "eda"
    """Which kind of model this is."""
    alpha: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the words (characters in Chinese) that each operation changes."""
    operations: tuple[Literal["swap", "delete", "insert", "replace"], ...] = Field(
        default=("swap", "delete", "insert", "replace"), min_length=1
    )
    """Random swaps, deletions, insertions and replacements."""


class PseudoSpec(Section):
    """The champion's own model, trained on the train part plus rows of ``data.unlabelled`` that it labels surely itself."""

    kind: Literal["pseudo"] = "pseudo"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    confidence: float = Field(default=0.9, gt=0, le=1)
    """A row is taken when the label is at least so probable, at the temperature that rows out of fold have."""
    cap: float | None = Field(default=1.0, gt=0)
    """New rows of a label at most, for each training row that it has; the surest are taken. null: no limit."""
    filters: AugmentFilters = AugmentFilters()
    """What is kept of them; a row without a parent is only compared with other rows: ``near``."""


def _policy(value: object) -> object:
    """The section of an augmenter's values: which there are is known to the registry.

    Raises:
        ValueError: there is no such augmenter.
    """
    from ratchet.recipe.registered import augmenter

    return augmenter(value)


_POLICY_SCHEMA = {"type": "object", "required": ["kind"], "description": "A section of an augmenter."}
Policy = Annotated[SerializeAsAny[AugmentKeys], BeforeValidator(_policy), WithJsonSchema(_POLICY_SCHEMA)]


class PolicySpec(Section):
    """The best of several ways to make more rows, chosen on folds of the training rows, never on rows that it is judged on."""

    kind: Literal["augment"] = "augment"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    of: tuple[str, ...] = Field(default=("eda",), min_length=1)
    """The augmenters whose operations, ``alpha`` and copies are drawn, where ``policies`` names none."""
    policies: tuple[Policy, ...] = ()
    """The very settings to choose from, such as ``[{kind: eda, alpha: 0.05}, {kind: eda, copies: 4}]``; empty: drawn."""
    trials: int = Field(default=8, ge=2, le=256)
    """Policies that are drawn."""
    folds: int = Field(default=4, ge=2, le=20)
    """Folds of the training rows: all policies are scored on one, the better half on two, the better half of these on four."""
    metric: MetricName | None = None
    """What the best policy is best in; absent: the first metric of the gate."""
    filters: AugmentFilters = AugmentFilters()
    """What is kept of the rows that drawn policies make."""
