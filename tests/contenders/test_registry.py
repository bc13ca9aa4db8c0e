"""The registry: kinds and changes by name, for which tasks, and from a card back to settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ratchet.augment.registry import augmenters
from ratchet.bundle.runtimes import RUNTIMES
from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Linear
from ratchet.contenders.registry import CHANGES, KINDS, change_of, changes, kind_of, kinds, sections, tasks_of
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError
from ratchet.recipe.sections import LinearFeatures, LinearSpec
from ratchet.tasks.registry import TASKS


def test_every_kind_has_a_section_a_runtime_and_tasks() -> None:
    assert [*kinds()] == [kind.name for kind in KINDS]
    assert [*changes()] == [*augmenters(), *(change.name for change in CHANGES)]
    assert len(sections()) == len({section.model_fields["kind"].default for section in sections()})
    known = {task.name for task in TASKS}
    for kind in KINDS:
        assert kind.runtime in {"none", *(runtime.name for runtime in RUNTIMES)}
        assert set(tasks_of(kind.name)) <= known
    for change in CHANGES:
        assert set(tasks_of(change.name)) <= known


def test_every_task_has_a_kind_that_costs_seconds() -> None:
    for task in TASKS:
        assert any(kind.cheap and task.name in kind.tasks for kind in KINDS), task.name


def test_a_card_leads_back_to_its_settings(
    parted: Callable[..., PartedRows], training: Callable[..., Training]
) -> None:
    spec = LinearSpec(features=(LinearFeatures(unit="word", high=1),), C=3)
    made = training(parted())
    Linear().train(made.store / "mine", spec, made)
    kind, again = kind_of(Contender.load(made.store / "mine"))
    assert isinstance(kind, Linear)
    assert again == spec


def test_a_row_change_by_its_settings() -> None:
    change, settings = change_of({"kind": "eda", "name": "x"})
    assert change.name == "eda"
    assert settings == change.spec.model_validate({"kind": "eda", "name": "x"})


def test_what_is_not_installed_is_one_sentence() -> None:
    with pytest.raises(RatchetError, match=r"The kind of a challenger must be one of linear, .* but got 'linaer'"):
        tasks_of("linaer")
    with pytest.raises(RatchetError, match=r"A row change must be one of eda, .*balance.* but got 'None'"):
        change_of({})
