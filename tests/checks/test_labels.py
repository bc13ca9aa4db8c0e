"""Label names, and texts with several labels."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from ratchet.checks import Context
from ratchet.checks.balance import check as balance
from ratchet.checks.labels import check
from ratchet.prepare.labels import one_spelling
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import CheckConfig, DataConfig, PrepareConfig, Recipe


def test_conflicts_see_through_width_case_and_space(table: Any, found: Any) -> None:
    data = table({"text": ["Good room", "ＧＯＯＤ  room", "bad", "bad", None], "label": ["x", "y", "y", "y", "x"]})
    finding = found(check, data)["labels.conflict"]
    assert (finding.severity, finding.rows) == ("error", 2)
    assert finding.examples[0].note == "'x' x 1 and 'y' x 1"
    assert parse_recipe(finding.fix, folder=".").prepare.conflicts == "drop"


def test_few_conflicts_are_a_warning(table: Any, found: Any) -> None:
    texts = [f"text {i}" for i in range(300)] + ["text 0"]
    finding = found(check, table({"text": texts, "label": ["x"] * 300 + ["y"]}))["labels.conflict"]
    assert finding.severity == "warning"
    assert finding.row_numbers["a.csv"].tolist() == [1, 301]


def test_a_missing_label_conflicts_with_nothing(table: Any, found: Any) -> None:
    assert not found(check, table({"text": ["a", "a", "b"], "label": ["x", None, "y"]}))


def test_variants_name_the_most_frequent_spelling_first(table: Any, found: Any) -> None:
    labels = ["Spam"] * 5 + ["spam "] * 2 + ["ＳＰＡＭ"] + ["ham"] * 4
    data = table({"text": [f"t{i}" for i in range(12)], "label": labels})
    finding = found(check, data)["labels.variants"]
    assert (finding.severity, finding.rows) == ("error", 3)
    assert "'Spam' (5) = 'spam ' (2) = 'ＳＰＡＭ' (1)" in finding.message
    assert parse_recipe(finding.fix, folder=".").prepare.labels == {"spam ": "Spam", "ＳＰＡＭ": "Spam"}
    named = Recipe(prepare=PrepareConfig(labels={"Spam": "junk", "ham": "ok"}))
    again = found(check, data, recipe=named)["labels.variants"]
    assert parse_recipe(again.fix, folder=".").prepare.labels == {
        "spam ": "junk",
        "ＳＰＡＭ": "junk",
        "Spam": "junk",
        "ham": "ok",
    }


@pytest.mark.parametrize(("written", "read"), [("gbk", "latin-1"), ("utf-8", "latin-1"), ("utf-8", "gb18030")])
def test_labels_in_mojibake_get_their_names_back(written: str, read: str, table: Any, found: Any) -> None:
    garbled = "好评".encode(written).decode(read)
    data = table({"text": [f"t{i}" for i in range(12)], "label": [garbled] * 4 + ["好评", "naïve café"] * 4})
    finding = found(check, data)["labels.mojibake"]
    assert (finding.severity, finding.rows) == ("error", 4)
    assert parse_recipe(finding.fix, folder=".").prepare.labels == {garbled: "好评"}
    named = Recipe(prepare=PrepareConfig(labels={"好评": "good"}))
    again = found(check, data, recipe=named)["labels.mojibake"]
    assert parse_recipe(again.fix, folder=".").prepare.labels == {garbled: "good", "好评": "good"}
    forced = Recipe(data=DataConfig(encoding="latin-1"))
    assert found(check, data, recipe=forced)["labels.mojibake"].fix == ""


@pytest.mark.parametrize(
    ("rare", "flagged"),
    [
        ("positve", True),
        ("postiive", True),
        ("positivee", True),
        ("poisitivee", False),
        ("positive2", False),
        ("neutral", False),
    ],
)
def test_misspelt_labels(table: Any, found: Any, rare: str, flagged: bool) -> None:
    labels = ["positive"] * 120 + ["negative"] * 120 + [rare]
    data = table({"text": [f"t{i}" for i in range(241)], "label": labels})
    assert ("labels.spelling" in found(check, data)) is flagged


def test_one_class_and_far_too_many(table: Any, found: Any) -> None:
    texts = [f"t{i}" for i in range(60)]
    assert found(check, table({"text": texts, "label": ["x"] * 60}))["labels.single"].severity == "error"
    many = found(check, table({"text": texts, "label": [f"id {i}" for i in range(60)]}))["labels.many"]
    assert "60 different values" in many.message
    assert not found(check, table({"text": texts}))


def test_imbalance(table: Any, found: Any) -> None:
    data = table({"text": [f"t{i}" for i in range(110)], "label": ["ham"] * 100 + ["spam"] * 10})
    finding = found(balance, data)["balance.imbalance"]
    assert (finding.severity, finding.rows, finding.share) == ("warning", 10, pytest.approx(1 / 11))
    assert "10 times" in finding.message
    assert "90.9 %" in finding.message
    assert parse_recipe(finding.fix, folder=".").gate.metrics == ("accuracy", "macro_f1")
    loose = Recipe(check=CheckConfig(imbalance=11))
    assert not found(balance, data, recipe=loose)


def test_rare_classes_are_counted_in_different_texts(table: Any, found: Any) -> None:
    data = table({"text": [f"t{i}" for i in range(20)] + ["same"] * 9, "label": ["x"] * 10 + ["y"] * 10 + ["z"] * 9})
    finding = found(balance, data)["balance.rare"]
    assert (finding.severity, finding.rows) == ("error", 9)
    assert "'z' (1)" in finding.message
    assert Context(dataset=data, recipe=Recipe(), seed=0).labels.values == ("x", "y", "z")


def test_a_million_labels_do_not_stall_the_check(table: Any, found: Any) -> None:
    count = 20_000
    data = table({"text": [f"t{i}" for i in range(count)], "label": [f"l{i}" for i in range(count)]})
    assert "labels.many" in found(check, data)
    assert found(balance, data)["balance.rare"].rows == count


def test_one_number_in_several_spellings_is_one_label(table: Any, found: Any) -> None:
    labels = ["0"] * 6 + ["0.0"] * 3 + ["01"] * 2 + ["1"] * 6 + ["1.50"] * 4 + ["1.5"] * 4 + ["-1"] * 3 + ["+1.00"]
    finding = found(check, table({"text": [f"t{i}" for i in range(len(labels))], "label": labels}))["labels.variants"]
    assert "'0' (6) = '0.0' (3)" in finding.message
    assert "'1' (6) = '01' (2) = '+1.00' (1)" in finding.message
    assert "'1.5' (4) = '1.50' (4)" in finding.message
    assert "'-1'" not in finding.message
    renamed = parse_recipe(finding.fix, folder=".").prepare.labels
    assert renamed == {"0.0": "0", "01": "1", "+1.00": "1", "1.50": "1.5"}


@pytest.mark.parametrize("label", ["1e5", "1.2.3", "v1.0", "1,0", "001a", "２"])
def test_codes_are_no_numbers(label: str) -> None:
    assert one_spelling(label) == one_spelling(f" {label.upper()} ")
    assert one_spelling("0.0") == one_spelling("-0") == "0"
    assert one_spelling("1") != one_spelling("-1")


@pytest.mark.parametrize(
    "form", [lambda names: json.dumps(names, ensure_ascii=False), lambda names: str(names), lambda names: f" {names} "]
)
def test_labels_that_are_lists(table: Any, found: Any, form: Any) -> None:
    names = [["正面"], ["负面"], ["正面", "负面"], []]
    data = table({"text": [f"t{i}" for i in range(40)], "label": [form(names[i % 4]) for i in range(40)]})
    finding = found(check, data)["labels.lists"]
    assert (finding.severity, finding.rows) == ("error", 40)
    assert "lists of 2 names: 10 rows have several labels, 10 none" in finding.message


def test_a_name_in_brackets_is_no_list(table: Any, found: Any) -> None:
    data = table({"text": [f"t{i}" for i in range(40)], "label": ["[deleted]", "[ok, fine]"] * 20})
    assert "labels.lists" not in found(check, data)


@pytest.mark.parametrize(
    ("names", "several"),
    [
        (["a;b", "b;c", "a;c;b", "a"], 30),
        (["好 | 快", "快|贵", "贵|好", "好|贵|快"], 40),
        (["物流、服务", "服务", "物流、价格", "价格、服务"], 30),
        (["Toys, games", "Books, music", "Home, garden", "Sports"], 0),  # no name is in a second label
        (["1", "1,5", "2,5", "2,1"], 0),  # decimal commas
        (["Smith, John", "Smith, Anna", "Miller, John", "Miller, Anna"], 0),
        (["a,b", "b,c", "a", "c,a"], 0),  # too few of them alone
        (["a;b", "b;a", "a", "b"], 0),  # two lists could be chance
        (["a;;b", "b;c", "a;c", "c"], 0),
    ],
)
def test_labels_with_a_mark_between_them(table: Any, found: Any, names: list[str], several: int) -> None:
    data = table({"text": [f"t{i % 7}" for i in range(40)], "label": [names[i % 4] for i in range(40)]})
    finding = found(check, data).get("labels.lists")
    assert (finding.rows if finding else 0) == several
    assert finding is None or finding.severity == "warning"


def test_long_labels_are_not_compared_letter_by_letter(table: Any, found: Any) -> None:
    names = [f"{letter * 20_000}" for letter in "abcdefghij"]
    tracemalloc.start()
    found(check, table({"text": [f"t{i}" for i in range(20)], "label": names * 2}))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20
    short = ["positive"] * 100 + ["positve", "negative"]
    assert "labels.spelling" in found(check, table({"text": [f"t{i}" for i in range(102)], "label": short}))


def test_texts_that_differ_in_punctuation_only_and_carry_two_labels(table: Any, found: Any) -> None:
    texts = ["很好！", "很好！", "很好。", "good, room", "Good room", "same!", "same!", "!!!", "???", "other"]
    labels = ["x", "x", "y", "x", "y", "x", "y", "x", "y", "x"]
    finding = found(check, table({"text": texts, "label": labels}))["labels.wording"]
    assert (finding.severity, finding.rows) == ("warning", 5)
    assert "2 wordings carry two labels or more" in finding.message
    assert [(example.row, example.note) for example in finding.examples[:2]] == [
        (1, "labelled 'x'"),
        (3, "labelled 'y'"),
    ]
