from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.augment.augmenter import Making
from ratchet.augment.confusions import KEYBOARD, SCAN, SHAPES, SOUNDS, read_sounds
from ratchet.augment.filters import keep
from ratchet.augment.noise import ABOUT, OPERATIONS, Noise, noisy
from ratchet.augment.source import Source
from ratchet.contenders.augmented import Augmented
from ratchet.errors import DataError, RatchetError
from ratchet.recipe.augment import NoiseSpec

ENGLISH = "The modern room was quiet, and 10 lights burn!"
CHINESE = "房间很干净，服务也很好。价格在100元左右"


def one(text: str, operation: str, alpha: float = 0.05) -> str | None:
    return noisy([text], operation, alpha=alpha, seed=1)[0]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("text", [ENGLISH, CHINESE, "hello hello hello", "x", "☺☺☺", "", "a\ud83d\u2029\0b"])
def test_a_variant_is_another_text_or_none(text: str, operation: str) -> None:
    for seed in range(20):
        found = noisy([text], operation, alpha=0.1, seed=seed)[0]
        assert found is None or (found != text and found.count("\u2029") == text.count("\u2029"))
    assert operation in ABOUT


@pytest.mark.parametrize(
    ("operation", "english", "chinese"),
    [
        ("keyboard", True, False),
        ("scan", True, True),
        ("sound", False, True),
        ("shape", False, True),
        ("width", True, True),
        ("case", True, False),
        ("punctuation", True, True),
        ("drop", True, True),
        ("double", True, True),
        ("space", True, True),
    ],
)
def test_what_each_language_can_bear(operation: str, english: bool, chinese: bool) -> None:
    assert (one(ENGLISH, operation) is not None, one(CHINESE, operation) is not None) == (english, chinese)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5])
def test_alpha_is_the_share_of_the_characters(alpha: float) -> None:
    text = "abcdefghijklmnopqrstuvwxyz" * 4
    dropped, typed = one(text, "drop", alpha), one(text, "keyboard", alpha)
    assert dropped is not None
    assert typed is not None
    assert len(text) - len(dropped) == round(alpha * len(text))
    assert sum(a != b for a, b in zip(text, typed, strict=True)) == round(alpha * len(text))


def test_every_change_is_of_its_table() -> None:
    for name, table, text in (("keyboard", KEYBOARD, ENGLISH), ("sound", SOUNDS, CHINESE), ("shape", SHAPES, CHINESE)):
        for seed in range(30):
            found = noisy([text], name, alpha=0.2, seed=seed)[0]
            assert found is not None
            pairs = [(a, b) for a, b in zip(text, found, strict=True) if a != b]
            assert pairs
            assert all(b in table[a] for a, b in pairs)
    assert {noisy(["rn"], "scan", alpha=0.1, seed=seed)[0] for seed in range(30)} == {"m", "rr"}
    assert one("m", "scan") == "rn"
    assert set(KEYBOARD["g"]) == set("fhtyvb")
    assert all(other and one not in other for one, other in SCAN.items() if other)


def test_tables_are_two_way() -> None:
    for table in (SOUNDS, SHAPES):
        assert len(table) > 100
        assert all(one in table[other] for one, others in table.items() for other in others)


def test_a_row_draws_by_its_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{ENGLISH} {row}" for row in range(50)] + [f"{CHINESE}{row}" for row in range(50)]
    order = np.random.default_rng(0).permutation(len(texts))
    source = Source(texts=texts, labels=["x"] * 100, language="mixed")
    first = Noise().drafts(NoiseSpec(copies=2), source, Making(seed=3))
    assert len({*first.operation}) == len(NoiseSpec().operations)
    shuffled = Source(texts=[texts[row] for row in order], labels=["x"] * 100, language="mixed")
    assert {*Noise().drafts(NoiseSpec(copies=2), shuffled, Making(seed=3)).texts} == {*first.texts}
    monkeypatch.setattr("ratchet.augment.noise._BLOCK", 7)
    assert Noise().drafts(NoiseSpec(copies=2), source, Making(seed=3)).texts == first.texts
    kept = keep(first, source, filters=NoiseSpec().filters)
    assert len(kept.texts) + sum(kept.rejected.values()) == 200
    assert len(kept.texts) > 150


def test_case_and_width_alone_are_no_new_text(source: Callable[..., Source]) -> None:
    rows = source([ENGLISH])
    for operation in ("case", "width"):
        drafts = Noise().drafts(NoiseSpec.model_validate({"operations": [operation]}), rows, Making(seed=1))
        assert keep(drafts, rows, filters=NoiseSpec().filters).rejected["unchanged"] == 1


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_sounds_of_the_users_own(tmp_path: Path, encoding: str, source: Callable[..., Source]) -> None:
    path = tmp_path / "sounds.txt"
    path.write_bytes("# 声音\n服 福\n务\t物\n".encode(encoding))
    assert read_sounds(path) == {"服": "福", "福": "服", "务": "物", "物": "务"}
    spec = NoiseSpec.model_validate({"operations": ["sound"], "sounds": str(path), "alpha": 0.5})
    assert [*Noise().drafts(spec, source(["这里服务好"]), Making(seed=1)).texts] == ["这里福物好"]
    named = Augmented(Noise()).named_by(spec)
    path.write_bytes("服 复\n".encode(encoding))
    assert Augmented(Noise()).named_by(spec) != named


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match=r"operation must be one of keyboard, .* but got 'typo'"):
        noisy(["a"], "typo", alpha=0.1, seed=1)
    (tmp_path / "empty.txt").write_text("一\n")
    with pytest.raises(DataError, match="sounds must name a file with two characters"):
        read_sounds(tmp_path / "empty.txt")
    with pytest.raises(DataError, match="sounds must name a file that can be read"):
        read_sounds(tmp_path / "none.txt")


def test_a_long_text_costs_little() -> None:
    start = time.process_time()
    assert one("word " * 100_000, "drop") is not None
    assert time.process_time() - start < 5
