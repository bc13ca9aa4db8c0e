from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.augment.augmenter import Making
from ratchet.augment.eda import Eda
from ratchet.augment.source import Source
from ratchet.augment.wordnet import WordNet, find_wordnet
from ratchet.errors import RatchetError
from ratchet.recipe.augment import EdaSpec

SYNSETS = {
    "noun": [["film", "movie", "moving_picture"], ["room", "way"], ["room", "chamber"]],
    "verb": [["film", "shoot"]],
    "adj": [["large", "big(ip)"]],
    "adv": [["Fast", "tight"]],
}


def write(folder: Path, synsets: dict[str, list[list[str]]]) -> Path:
    """These synsets in the format of wndb(5WN), the first sense of a word the most frequent."""
    folder.mkdir()
    for part, groups in synsets.items():
        data, index = "  1 This is the licence.\n", dict[str, list[str]]()
        for words in groups:
            offset = f"{len(data):08}"
            for word in words:
                index.setdefault(word.partition("(")[0].lower(), []).append(offset)
            named = " ".join(f"{word} 0" for word in words)
            data += f"{offset} 03 {part[0]} {len(words):02x} {named} 000 | a gloss; of words  \n"
        lines = [
            "  1 This is the licence.",
            *(f"{word} {part[0]} {len(at)} 1 @ {len(at)} 0 {' '.join(at)}  " for word, at in sorted(index.items())),
        ]
        (folder / f"data.{part}").write_text(data)
        (folder / f"index.{part}").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = write(tmp_path / "dict", SYNSETS)
    monkeypatch.setenv("WNSEARCHDIR", str(found))
    return found


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("film", ("movie", "shoot")),
        ("room", ("way", "chamber")),
        ("big", ("large",)),
        ("tight", ("fast",)),
        ("moving", ()),
        ("fil", ()),
        ("films", ()),
        ("房间", ()),
        ("", ()),
        ("a b", ()),
    ],
)
def test_synonyms_are_those_of_the_first_senses(folder: Path, word: str, others: tuple[str, ...]) -> None:
    assert WordNet(folder).synonyms(word) == others


def test_auto_uses_it_in_english_and_says_its_licence(folder: Path) -> None:
    spec = EdaSpec.model_validate({"operations": ["replace"], "synonyms": "auto", "alpha": 0.5})
    source = Source(texts=["big thing", "cold thing"], labels=["x", "y"], language="en")
    drafts = Eda().drafts(spec, source, Making(seed=1))
    assert [*drafts.texts] == ["large thing", None]
    assert drafts.facts["licence"] == "WordNet 3.0 licence, Princeton University"
    assert drafts.facts["table"] == WordNet(folder).hash
    assert Eda().remark(spec) == ""
    named = Eda().named_by(spec)
    write(folder.parent / "other", {**SYNSETS, "adv": [["soon", "shortly"]]}).rename(folder.parent / "new")
    for path in (folder.parent / "new").iterdir():
        path.replace(folder / path.name)
    assert Eda().named_by(spec) != named


def test_without_it_people_are_told_and_words_come_from_the_texts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ratchet.augment.wordnet._PLACES", (str(tmp_path),))
    monkeypatch.delenv("WNSEARCHDIR", raising=False)
    monkeypatch.delenv("WNHOME", raising=False)
    assert find_wordnet() is None
    texts = [f"{a} {b} x" for a in "abc" for b in "def"] * 3
    source = Source(texts=texts, labels=["y"] * 27, language="en")
    auto, usual = (EdaSpec(synonyms=words) for words in ("auto", "context"))
    assert "apt-get install wordnet-base" in Eda().remark(auto)
    assert Eda().remark(usual) == ""
    first, second = (Eda().drafts(spec, source, Making(seed=1)) for spec in (auto, usual))
    assert [*first.texts] == [*second.texts]
    assert first.facts == {"synonyms": "context"}


@pytest.mark.parametrize(("name", "text"), [("index.adj", "big a x y\n"), ("data.adj", "00000000 00 a 02\n")])
def test_a_damaged_file_is_named(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(RatchetError, match=f"{name} must be in WordNet's format"):
        WordNet(folder).synonyms("big")


@pytest.mark.skipif(find_wordnet() is None, reason="WordNet is not installed")
def test_the_real_one() -> None:
    place = find_wordnet()
    assert place is not None
    found = WordNet(place)
    assert "film" in found.synonyms("movie")
    assert {*found.synonyms("quickly")} & {"rapidly", "speedily", "promptly"}
