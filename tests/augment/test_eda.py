from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from ratchet.augment.augmenter import Making
from ratchet.augment.eda import Eda
from ratchet.augment.filters import REASONS, Made, Protected, keep, near_to
from ratchet.augment.source import Source
from ratchet.near.copies import normalise
from ratchet.recipe.augment import EdaSpec
from ratchet.text.joined import SEPARATOR

Rows = tuple[list[str], list[str]]


def spec(*operations: str, **more: object) -> EdaSpec:
    return EdaSpec.model_validate({"operations": operations or ("swap", "delete", "insert", "replace"), **more})


def augment(
    texts: Sequence[str], labels: Sequence[str], *, spec: EdaSpec, seed: int, protected: Protected | None = None
) -> Made:
    source = Source(texts=texts, labels=labels, language="en")
    drafts = Eda().drafts(spec, source, Making(seed=seed))
    return keep(drafts, source, filters=spec.filters, protected=protected)


def accounted(found: Made, rows: int, copies: int) -> bool:
    return len(found.texts) + sum(found.rejected.values()) == rows * copies


@pytest.mark.parametrize("copies", [1, 3])
def test_new_rows_keep_their_label_and_name_their_source(copies: int, train_rows: Rows) -> None:
    texts, labels = train_rows
    found = augment(texts, labels, spec=spec(copies=copies), seed=4)
    assert len(found.texts) == len(found.labels) == len(found.parent) > 0.8 * copies * len(texts) - 40
    assert accounted(found, len(texts), copies)
    assert list(found.rejected) == list(REASONS)
    assert found.labels == [labels[row] for row in found.parent]
    train = {normalise(text) for text in texts}
    new = [normalise(text) for text in found.texts]
    assert len(set(new)) == len(new)
    assert not train & set(new)


TEXT = "one two three four five six seven eight nine ten eleven twelve"
SIMILAR = [f"{a} {b} x" for a in "abc" for b in "def"] * 3


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_delete(alpha: float) -> None:
    (text,) = augment([TEXT], ["x"], spec=spec("delete", alpha=alpha), seed=1).texts
    left = iter(TEXT.split())
    assert len(text.split()) == 12 - round(alpha * 12)
    assert all(word in left for word in text.split()), "the other words keep their order"


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_swap(alpha: float) -> None:
    (text,) = augment([TEXT], ["x"], spec=spec("swap", alpha=alpha), seed=1).texts
    assert Counter(text.split()) == Counter(TEXT.split())
    assert sum(a != b for a, b in zip(text.split(), TEXT.split(), strict=True)) == 2 * round(alpha * 12)


def test_insert_and_replace_take_words_of_these_texts() -> None:
    labels = ["y"] * len(SIMILAR)
    known = {word for text in SIMILAR for word in text.split()}
    inserted = augment(SIMILAR, labels, spec=spec("insert"), seed=1)
    replaced = augment(SIMILAR, labels, spec=spec("replace"), seed=1)
    assert inserted.texts
    for text, row in zip(inserted.texts, inserted.parent, strict=True):
        assert len(text.split()) == 4
        assert not Counter(SIMILAR[row].split()) - Counter(text.split())
        assert set(text.split()) <= known
    # Every replacement is another of the nine texts, or one that is made already.
    assert replaced.rejected["copy_of_train"] + replaced.rejected["copy_of_augmented"] + len(replaced.texts) == 27


def test_chinese_words_stay_whole_and_no_spaces_appear() -> None:
    texts = [f"{a}酒店{b}{c}" for a in "好大小" for b in "的了" for c in "吗呢吧"] * 2
    texts += ["".join(np.random.default_rng(i).permutation(list("好大小的了吗呢吧"))) for i in range(99)]
    found = augment(texts, ["x"] * len(texts), spec=spec("swap", "insert", copies=2), seed=1)
    assert found.texts
    assert all(" " not in text and text.count("酒") == text.count("酒店") for text in found.texts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello hello hello", None),
        ("hello", "nothing_to_change"),
        ("", "nothing_to_change"),
        ("?!", "nothing_to_change"),
        ("好", "nothing_to_change"),
        ("a b", None),
    ],
)
@pytest.mark.parametrize("operation", ["swap", "delete"])
def test_short_texts_end(text: str, reason: str | None, operation: str) -> None:
    found = augment([text], ["x"], spec=spec(operation, alpha=0.5), seed=1)
    if text.startswith("hello hello"):
        reason = "unchanged" if operation == "swap" else "length"  # two of three are left out
    assert found.rejected == {name: int(name == reason) for name in REASONS}
    assert len(found.texts) == (reason is None)


def test_an_impossible_operation_gives_way() -> None:
    found = augment(["red apple", "green pear"], ["x", "y"], spec=spec("replace", "delete"), seed=1)
    assert [len(text.split()) for text in found.texts] == [1, 1]


def test_protected_texts_are_not_met() -> None:
    texts = [f"the room number {i} was clean and quiet and we liked it" for i in range(20)]
    free = augment(texts, ["x"] * 20, spec=spec("delete"), seed=1)
    guarded = augment(texts, ["x"] * 20, spec=spec("delete"), seed=1, protected=near_to(free.texts[:3], threshold=0.95))
    assert guarded.texts == free.texts[3:]
    assert guarded.rejected["near_protected"] == 3
    assert guarded.parent.tolist() == free.parent.tolist()[3:]

    none = augment(texts, ["x"] * 20, spec=spec("delete"), seed=1, protected=near_to(texts, threshold=0.3))
    assert none.texts == []
    assert accounted(none, 20, 1)


def test_a_row_draws_by_seed_and_text_alone(train_rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = train_rows
    texts = list(dict.fromkeys(texts))
    labels = labels[: len(texts)]
    first = augment(texts, labels, spec=spec(copies=2), seed=4)
    order = np.random.default_rng(0).permutation(len(texts))
    second = augment([texts[i] for i in order], [labels[i] for i in order], spec=spec(copies=2), seed=4)
    assert set(first.texts) == set(second.texts)
    monkeypatch.setattr("ratchet.augment.eda._BLOCK", 7)
    assert augment(texts, labels, spec=spec(copies=2), seed=4).texts == first.texts
    assert augment(texts, labels, spec=spec(copies=2), seed=5).texts != first.texts


def test_lone_surrogates_and_no_rows() -> None:
    assert augment([], [], spec=spec(), seed=1).texts == []
    found = augment(["card \ud800 lost today", "a b c \udfff"], ["x", "y"], spec=spec("delete"), seed=1)
    assert len(found.texts) == 2


def test_small_classes_get_more_copies_and_half_the_changes() -> None:
    texts = [f"{word} room number {row} was clean and quiet and so on" for row in range(40) for word in ("the", "our")]
    labels = ["large"] * 60 + ["small"] * 15 + ["tiny"] * 5
    source = Source(texts=texts, labels=labels, language="en")
    drafts = Eda().drafts(spec("delete", by_class=True, alpha=0.4), source, Making(seed=1))
    made = Counter(labels[row] for row in drafts.parent.tolist())
    assert made == {"large": 60, "small": 15 * 7, "tiny": 5 * 16}  # 120 rows each, but for at most 16 copies
    left = {
        label: {
            len((text or "").split())
            for text, row in zip(drafts.texts, drafts.parent, strict=True)
            if labels[row] == label
        }
        for label in ("large", "tiny")
    }
    assert left == {"large": {7}, "tiny": {9}}  # of 11 words
    even = Eda().drafts(
        spec("delete", by_class=True), Source(texts=texts, labels=["x"] * 80, language="en"), Making(seed=1)
    )
    assert len(even.texts) == 80


def test_words_stay_in_their_column() -> None:
    first, second = ["red blue green black", "one"], ["1 2 3 4 5 6", "7 8"]
    texts = [f"{one}{SEPARATOR}{other}" for one, other in zip(first, second, strict=True)]
    for operation in ("swap", "delete"):
        spec = EdaSpec(copies=8, operations=(operation,), alpha=0.5)
        source = Source(texts=texts, labels=["a", "b"], language="en")
        made = Eda().drafts(spec, source, Making(seed=3, threads=1))
        assert any(made.texts)
        for text, parent in zip(made.texts, made.parent.tolist(), strict=True):
            if text is None:
                continue
            one, other = text.split(SEPARATOR)
            assert {*one.split()} <= {*first[parent].split()}
            assert {*other.split()} <= {*second[parent].split()}
            assert one
            assert other
