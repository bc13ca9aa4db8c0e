"""What every augmenter must keep, also one that makes texts out of several rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.augment.conftest import KEYS, Asked

from ratchet.augment import Drafts, Making, Source, augmenters, keep
from ratchet.recipe.augment import AugmentFilters
from ratchet.text.language import Language

EDGES = ["hello hello hello", "one", "👍👍", "", "?", "word"]
ENGLISH = ["the room was clean", "the hotel was dirty", "the food was bad", "the bed was good", "the bed was clean"]
CHINESE = ["这个房间真干净", "这个酒店真很脏", "这个食物真不错", "这个床真很差", "这个床真干净"]
Make = Callable[[Source], Drafts]


@pytest.fixture(params=sorted(KEYS))
def made(request: pytest.FixtureRequest, asked: Asked) -> Make:
    def make(of: Source) -> Drafts:
        augmenter, spec = asked(request.param, chinese=of.language == "zh")
        return augmenter.drafts(spec, of, Making(seed=5, threads=1))

    return make


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
    assert {*KEYS} == own


@pytest.mark.parametrize(("texts", "language"), [(EDGES, "en"), (ENGLISH, "en"), (CHINESE, "zh")])
def test_seed_and_rows_decide_not_their_order(made: Make, texts: list[str], language: Language) -> None:
    of = source(texts, language)
    drafts = made(of)
    assert len(drafts.texts) == len(drafts.parent) == len(drafts.operation)
    assert set(drafts.failed) <= {place for place, text in enumerate(drafts.texts) if text is None}
    assert told(drafts, of) == told(made(of), of)
    back = source(texts, language, order=[*range(len(texts))][::-1])
    assert told(drafts, of) == told(made(back), back)


def test_parents_are_of_one_label_and_group(made: Make) -> None:
    of = source(ENGLISH + EDGES)
    drafts = made(of)
    for place, parent in enumerate(drafts.parent.tolist()):
        parents = [parent] if drafts.parents is None else drafts.parents[place]
        assert parents[0] == parent
        assert {of.group[row] for row in parents} == {of.group[parent]}
        if drafts.labels is None:
            assert {of.labels[row] for row in parents} == {of.labels[parent]}


def test_every_draft_is_kept_or_has_a_reason(made: Make) -> None:
    of = source(ENGLISH + EDGES)
    drafts = made(of)
    found = keep(drafts, of, filters=AugmentFilters())
    assert found.texts
    assert len(found.texts) + sum(found.rejected.values()) == len(drafts.texts)
    assert set(drafts.parent.tolist()) <= set(range(len(of.texts)))


def test_no_rows_and_one_row(made: Make) -> None:
    assert not made(source([])).texts
    assert len(made(source(["the room was a single one"])).texts) == 2
