from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.augment.augmenter import Making
from ratchet.augment.eda import Eda
from ratchet.augment.source import Source
from ratchet.augment.synonyms import read_synonyms, worded
from ratchet.contenders.augmented import Augmented
from ratchet.errors import DataError
from ratchet.recipe.augment import EdaSpec

TABLE = "Aa01= movie film picture\nglad happy  # a remark\nwalk stroll\n房间 屋子 客房\n好\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text(TABLE, "utf-8")
    return path


def made(texts: list[str], *, seed: int = 1, **keys: object) -> list[str | None]:
    spec = EdaSpec.model_validate({"operations": ["replace"], "alpha": 0.5, **keys})
    source = Source(texts=texts, labels=["x"] * len(texts), language="en")
    return [*Eda().drafts(spec, source, Making(seed=seed)).texts]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_table_is_read_in_both_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(TABLE.encode(encoding))
    found = read_synonyms(path)
    assert found["movie"] == ("film", "picture")
    assert found["屋子"] == ("房间", "客房")
    assert found["happy"] == ("glad",)
    assert "好" not in found
    assert "Aa01=" not in found


def test_lines_of_cilin_without_synonyms_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "cilin.txt"
    path.write_text(
        "Aa01A01= 人 士\nAa01C04@ 酒店\nAa01C05@ 旅店 客栈\nAa01D01# 良民 顺民\nC@ words\n", encoding="utf-8"
    )
    assert read_synonyms(path) == {"人": ("士",), "士": ("人",), "c@": ("words",), "words": ("c@",)}


def test_words_are_replaced_by_the_tables(table: Path) -> None:
    assert made(["The movie"], synonyms=str(table))[0] in ("The film", "The picture")
    assert made(["Happy ends"], synonyms=str(table)) == ["glad ends"]
    assert made(["nothing here"], synonyms=str(table)) == [None]


def test_chinese_words_of_the_table_stay_whole(table: Path) -> None:
    found = {made([f"这{n}个房间"], synonyms=str(table), seed=seed)[0] for seed in range(9) for n in "一二"}
    assert found == {f"这{n}个{word}" for n in "一二" for word in ("屋子", "客房")}


def test_a_form_is_kept_where_the_texts_have_it(table: Path) -> None:
    texts = ["we walked home", "they strolled along"]
    assert made(texts, synonyms=str(table)) == ["we strolled home", "they walked along"]
    assert made(["we walked home", "we are here"], synonyms=str(table)) == [None, None]


def test_none_gives_way(table: Path) -> None:
    texts = ["red apple pie"] * 9
    assert made(texts, synonyms="none") == [None] * 9
    assert made(["red apple pie"], synonyms="none", operations=["replace", "delete"])[0] is not None
    facts = worded(texts, ["x"] * 9, language="en", synonyms="none").facts
    assert facts == {"synonyms": "none"}


def test_a_changed_table_is_another_challenger(table: Path) -> None:
    spec = EdaSpec(synonyms=str(table))
    first = Augmented(Eda()).named_by(spec)
    table.write_text("big large\n", "utf-8")
    assert Augmented(Eda()).named_by(spec) != first
    assert Eda().named_by(EdaSpec()) == EdaSpec()


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="synonyms must name a file that can be read"):
        made(["a b"], synonyms=str(tmp_path / "none"))
    (tmp_path / "lone").write_text("one\n")
    with pytest.raises(DataError, match="two words or more in a line"):
        made(["a b"], synonyms=str(tmp_path / "lone"))
