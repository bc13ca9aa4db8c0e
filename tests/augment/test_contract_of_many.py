"""What every augmenter that makes texts out of several rows must keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.augment.conftest import writes
from tests.augment.test_contract import KEYS
from tests.endpoint.conftest import Server

from ratchet.augment import Augmenter, Drafts, Making, Source, augmenters, keep
from ratchet.recipe.augment import AugmentKeys
from ratchet.text.language import Language

SETTINGS: dict[str, Callable[[Server], dict[str, object]]] = {
    "eda": lambda server: {"alpha": 0.3},
    "generate": lambda server: {"endpoint": {"url": server.url, "model": "m", "timeout": 5}, "at_once": 2, "shots": 2},
}
"""By name: settings that need no network but the loopback server."""
EDGES = ["hello hello hello", "one", "👍👍", "", "?", "word"]
ENGLISH = [
    "the room was clean and quiet",
    "the staff were rude to me",
    "my card has not arrived yet",
    "what is the rate",
]
CHINESE = ["房间很干净，服务也很好", "前台态度很差，等了很久", "我的卡还没有寄到，请查一下", "今天的汇率是多少"]


@pytest.fixture(params=sorted(SETTINGS))
def made(request: pytest.FixtureRequest, server: Server) -> tuple[Augmenter[Any], AugmentKeys]:
    server.play = writes
    augmenter = augmenters()[request.param]
    return augmenter, augmenter.spec.model_validate({**SETTINGS[request.param](server), "copies": 2})


def source(texts: list[str], language: Language = "en", order: list[int] | None = None) -> Source:
    rows = order or [*range(len(texts))]
    return Source(
        texts=[texts[row] for row in rows],
        labels=[f"label {row % 2}" for row in rows],
        language=language,
        group=np.array([row // 2 % 2 for row in rows], np.int64),
    )


def told(drafts: Drafts, of: Source) -> list[tuple[str | None, str, str]]:
    rows = zip(drafts.texts, drafts.parent.tolist(), drafts.operation, strict=True)
    return sorted(((text, of.texts[row], done) for text, row, done in rows), key=str)


def test_every_augmenter_is_here() -> None:
    own = {name for name, one in augmenters().items() if type(one).__module__.startswith("ratchet.")}
    assert {*SETTINGS, *KEYS} == own


@pytest.mark.parametrize(("texts", "language"), [(EDGES, "en"), (ENGLISH, "en"), (CHINESE, "zh")])
def test_seed_and_rows_decide_not_their_order(
    made: tuple[Augmenter[Any], AugmentKeys], texts: list[str], language: Language
) -> None:
    augmenter, spec = made
    of = source(texts, language)
    drafts = augmenter.drafts(spec, of, Making(seed=5))
    assert len(drafts.texts) == len(drafts.parent) == len(drafts.operation)
    assert set(drafts.failed) <= {place for place, text in enumerate(drafts.texts) if text is None}
    assert told(drafts, of) == told(augmenter.drafts(spec, of, Making(seed=5)), of)
    back = source(texts, language, order=[*range(len(texts))][::-1])
    assert told(drafts, of) == told(augmenter.drafts(spec, back, Making(seed=5)), back)


def test_parents_are_of_one_label_and_group(made: tuple[Augmenter[Any], AugmentKeys]) -> None:
    augmenter, spec = made
    of = source(ENGLISH + EDGES)
    drafts = augmenter.drafts(spec, of, Making(seed=5))
    for place, parent in enumerate(drafts.parent.tolist()):
        parents = [parent] if drafts.parents is None else drafts.parents[place]
        assert parents[0] == parent
        assert {of.group[row] for row in parents} == {of.group[parent]}
        if drafts.labels is None:
            assert {of.labels[row] for row in parents} == {of.labels[parent]}


def test_every_draft_is_kept_or_has_a_reason(made: tuple[Augmenter[Any], AugmentKeys]) -> None:
    augmenter, spec = made
    of = source(ENGLISH + EDGES)
    drafts = augmenter.drafts(spec, of, Making(seed=5))
    found = keep(drafts, of, filters=spec.filters)
    assert found.texts
    assert len(found.texts) + sum(found.rejected.values()) == len(drafts.texts)
    assert set(drafts.parent.tolist()) <= set(range(len(of.texts)))


def test_no_rows_and_one_row(made: tuple[Augmenter[Any], AugmentKeys]) -> None:
    augmenter, spec = made
    assert not augmenter.drafts(spec, source([]), Making(seed=5)).texts
    assert len(augmenter.drafts(spec, source(["a single row of its label"]), Making(seed=5)).texts) == spec.copies
