from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from ratchet.augment.requests import Request, requests
from ratchet.augment.source import Source
from ratchet.augment.wording import asking, label_shown
from ratchet.recipe.augment import GenerateSpec
from ratchet.text.joined import joined

COUNT = 60
TEXTS = [f"text number {number}" for number in range(COUNT)]
LABELS = ["a" if number % 3 else "b" for number in range(COUNT)]
GROUPS = np.arange(COUNT) % 5


def source(rows: Any = range(COUNT)) -> Source:
    rows = [*rows]
    return Source(
        texts=[TEXTS[row] for row in rows], labels=[LABELS[row] for row in rows], language="en", group=GROUPS[rows]
    )


def plain(of: Source, spec: GenerateSpec, seed: int = 1) -> list[tuple[tuple[str, ...], int, int]]:
    """What is asked, by the texts that are shown."""
    found: list[Request] = requests(of, spec, seed=seed)
    return [(tuple(of.texts[row] for row in one.rows), one.count, one.again) for one in found]


@pytest.mark.parametrize("mode", ["write", "paraphrase"])
@pytest.mark.parametrize(("copies", "at_once"), [(1, 5), (2, 5), (3, 2), (7, 3)])
def test_as_many_are_needed_as_there_are_copies(mode: str, copies: int, at_once: int) -> None:
    spec = GenerateSpec.model_validate({"mode": mode, "copies": copies, "at_once": at_once})
    of = source()
    found = requests(of, spec, seed=1)
    needed = Counter[str]()
    for one in found:
        needed[one.label] += one.needed
        assert 1 <= one.needed == one.count <= at_once
        assert {of.labels[row] for row in one.rows} == {one.label}
        assert len({int(of.group[row]) for row in one.rows}) == 1
        assert len(set(one.rows)) == len(one.rows) == (1 if mode == "paraphrase" else min(4, one.count * 9))
    assert needed == Counter({label: copies * count for label, count in Counter(LABELS).items()})
    assert len({(one.rows[0], one.again) for one in found}) == len(found)


@pytest.mark.parametrize("mode", ["write", "paraphrase"])
@pytest.mark.parametrize("per_label", [None, 1, 17, 200])
def test_a_fold_asks_for_what_others_asked_for(mode: str, per_label: int | None) -> None:
    """What the model of all rows asks was asked for by those of the folds, so that nothing is paid twice."""
    spec = GenerateSpec.model_validate({"mode": mode, "per_label": per_label})
    whole = set(plain(source(), spec))
    folds = [set(plain(source(np.flatnonzero(fold != GROUPS)), spec)) for fold in range(5)]
    assert whole <= set.union(*folds)
    if per_label is None:
        assert set.union(*folds) == whole
        assert folds[0] | folds[1] == whole
    else:
        assert sum(one.needed for one in requests(source(), spec, seed=1)) >= 2 * per_label


def test_order_is_nothing_and_the_seed_something() -> None:
    spec = GenerateSpec(copies=2)
    dice = np.random.default_rng(3)
    assert plain(source(), spec) == plain(source(dice.permutation(COUNT)), spec)
    assert plain(source(), spec) != plain(source(), spec, seed=2)


def test_a_label_with_one_row_shows_that_row_alone_and_asks_differently_each_time() -> None:
    of = Source(texts=["alone", "x", "y", ""], labels=["rare", "b", "b", "b"], language="en")
    found = [one for one in requests(of, GenerateSpec(copies=12), seed=1) if one.label == "rare"]
    assert [(one.rows, one.count, one.again) for one in found] == [((0,), 5, 0), ((0,), 5, 1), ((0,), 2, 2)]
    prompts = {asking(["alone"], "rare", spec=GenerateSpec(), language="en", count=5, again=n)[0] for n in range(3)}
    assert len(prompts) == 3


def test_the_prompt() -> None:
    spec = GenerateSpec()
    english, around = asking(["a room", "a bed"], "hotel", spec=spec, language="mixed", count=3, again=0)
    assert 'kind "hotel":\n1. a room\n2. a bed\n\nWrite 3 new texts of' in english
    assert "a bed" not in around
    chinese, _ = asking(["房间"], "酒店", spec=spec, language="zh", count=3, again=1)
    assert "“酒店”类的文本：\n1. 房间\n\n请再写3条" in chinese
    assert "第2次" in chinese
    own = GenerateSpec(prompt='{"a": 1} {label}: {examples} ({count}) {other}')
    assert (
        asking(["{label}"], "L", spec=own, language="en", count=2, again=0)[0] == '{"a": 1} L: 1. {label} (2) {other}'
    )
    pair, _ = asking([joined(["t", "b\nc"])], "L", spec=spec, language="en", count=1, again=0, columns=2)
    assert '\n["t", "b\\nc"]\n' in pair
    assert '\n"two\\nlines"\n' in asking(["two\nlines"], "L", spec=spec, language="en", count=1, again=0)[0]


@pytest.mark.parametrize(
    ("cell", "shown"), [("1", "complaint"), ('["1", "2"]', "complaint, 2"), ("[]", "-"), ("4.5", "4.5"), ("", "-")]
)
def test_labels_are_shown_by_their_names(cell: str, shown: str) -> None:
    assert label_shown(cell, {"1": "complaint"}) == shown


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": "write {count}"}, r"prompt must have \{examples\}"),
        ({"source": "scratch"}, "source must be a pretrained generator"),
        ({"endpoint": {"model": "m", "shots": 2}}, "must not have prompt, shots or structured"),
        ({"endpoint": {"model": "m", "temperature": 0.2}}, "must not have a temperature"),
        ({"max_tokens": 64, "max_new_tokens": 60}, "must leave 16 of max_tokens"),
    ],
)
def test_settings_that_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GenerateSpec.model_validate(values)


def test_labels_may_be_written_as_numbers() -> None:
    assert GenerateSpec.model_validate({"labels": {1: "complaint"}}).labels == {"1": "complaint"}
