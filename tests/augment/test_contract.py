"""What every augmenter must do, whatever it makes new texts of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.augment.conftest import KEYS, Asked

from ratchet.augment.augmenter import Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.source import Source

Rows = Callable[..., Source]
ODD = ["hello hello hello", "room", "☺☺☺", "", "   ", "12", "a\ud83d", "\0", "the room\nwas bad"]
ENGLISH = [f"the {noun} was {mood}" for noun in ("room", "hotel", "food", "bed") for mood in ("clean", "dirty", "bad")]
CHINESE = [f"这个{noun}真{mood}" for noun in ("房间", "酒店", "食物", "床") for mood in ("干净", "很脏", "不错")]


@pytest.fixture
def made(asked: Asked, source: Rows) -> Callable[..., Drafts]:
    """New texts of an augmenter, by its name."""

    def make(name: str, texts: list[str], *, seed: int = 1, chinese: bool = False, **more: object) -> Drafts:
        augmenter, spec = asked(name, chinese=chinese, **more)
        return augmenter.drafts(
            spec, source(texts, [str(len(text) % 2) for text in texts]), Making(seed=seed, threads=1)
        )

    return make


Make = Callable[..., Drafts]
every = pytest.mark.parametrize("name", [name for name in KEYS if name != "generate"])
"""All but the one whose rows are made from several, and none from an empty one: see `test_contract_of_many`."""


@every
@pytest.mark.parametrize("chinese", [False, True])
def test_no_row_is_lost_and_the_seed_decides(made: Make, name: str, chinese: bool) -> None:
    texts = [*(CHINESE if chinese else ENGLISH), *ODD]
    first, again, other = (made(name, texts, seed=seed, chinese=chinese) for seed in (1, 1, 2))
    assert len(first.texts) == len(first.parent) == len(first.operation) == 2 * len(texts)
    assert sorted(first.parent.tolist()) == sorted([*range(len(texts))] * 2)
    assert [*first.texts] == [*again.texts] != [*other.texts]
    assert all(text is None for place, text in enumerate(first.texts) if place in first.failed)
    assert sum(text is not None for text in first.texts) > len(texts) / 2


@every
def test_the_order_of_the_rows_has_no_say(made: Make, name: str) -> None:
    texts = [*ENGLISH, *ODD]
    there, back = made(name, texts), made(name, texts[::-1])

    def by_text(drafts: Drafts, rows: list[str]) -> set[tuple[str, str | None]]:
        return {(rows[parent], text) for text, parent in zip(drafts.texts, drafts.parent.tolist(), strict=True)}

    assert by_text(there, texts) == by_text(back, texts[::-1])


@every
@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_alone_comes_to_an_end(made: Make, name: str, text: str) -> None:
    drafts = made(name, [text])
    assert len(drafts.texts) == 2
