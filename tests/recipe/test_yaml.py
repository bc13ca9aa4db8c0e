from __future__ import annotations

import math
from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import RecipeError
from ratchet.recipe.yaml import Place, read_yaml, write_yaml

TRICKY = [
    "no",
    "yes",
    "on",
    "off",
    "y",
    "n",
    "Y",
    "N",
    "No",
    "NO",
    "True",
    "TRUE",
    "true",
    "tRue",
    "false",
    "null",
    "Null",
    "NULL",
    "~",
    "nil",
    "none",
    "None",
    "NaN",
    "nan",
    ".nan",
    ".NaN",
    ".inf",
    "-.inf",
    "+.INF",
    "1_000",
    "0x1F",
    "0X1F",
    "0o17",
    "0o8",
    "017",
    "09",
    "007",
    "1e3",
    "1E+5",
    "1e",
    "1.",
    ".5",
    ".",
    "..",
    "...",
    "---",
    "-",
    "--",
    "5-",
    "+5",
    "-5",
    "+",
    "12:30",
    "1:30:45",
    "190:20:30",
    "2001-12-14",
    "2001-12-14T21:59:43Z",
    "0b1010",
    "0.1.2",
    "1,000",
    "=",
    "<<",
    "*",
    "&",
    "!",
    "%",
    "@",
    "`",
    "#",
    "#a",
    "a#b",
    "a:",
    ":a",
    "a:b",
    "?",
    "?a",
    "|",
    ">",
    "[",
    "]",
    "{",
    "}",
    ",",
    "[]",
    "{}",
    "''",
    '""',
    "'",
    '"',
    "\\",
    "\\n",
]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[
            (word, word)
            for word in [
                "no",
                "yes",
                "on",
                "off",
                "y",
                "n",
                "Y",
                "N",
                "NO",
                "Off",
                "nil",
                "none",
                "NaN",
                "nan",
                "tRue",
                "nULL",
                "1_000",
                "0b1",
                "0X1F",
                "12:30",
            ]
        ],
        *[
            (word, word)
            for word in [
                "2001-12-14",
                "2001-12-14T21:59:43Z",
                "1e",
                "+e5",
                "-.nan",
                "0o8",
                "<<",
                "=",
                "1.2.3",
                "0x",
                "5-",
                "٣",
            ]
        ],
        *[(word, None) for word in ("null", "Null", "NULL", "~", "")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[("5", 5), ("+5", 5), ("-5", -5), ("007", 7), ("09", 9), ("0o17", 15), ("0x1F", 31), ("0", 0), ("-0", 0)],
        *[
            ("3e-4", 3e-4),
            ("1e5", 1e5),
            ("1E+5", 1e5),
            (".5", 0.5),
            ("1.", 1.0),
            ("-1.5e3", -1500.0),
            ("1e999", math.inf),
        ],
        *[(".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf)],
        *[
            ('"no"', "no"),
            ("'5'", "5"),
            ("!!str 5", "5"),
            ('!!int "5"', 5),
            ("!!float 5", 5.0),
            ("!!null ''", None),
        ],
        *[
            ("[no, 1e3, ~]", ["no", 1e3, None]),
            ("{no: yes}", {"no": "yes"}),
            ("{1: a, null: b}", {"1": "a", "null": "b"}),
        ],
        *[('"\\ud83d\\ude00"', "😀"), ("😀", "😀"), ("评论", "评论"), ("# nothing", None)],
        *[("|\n no\n", "no\n"), (">-\n a\n b\n", "a b"), ("&a [1]", [1]), ("[&a [1], *a]", [[1], [1]])],
    ],
)
def test_scalars_of_the_core_schema(written: str, value: object) -> None:
    found = read_yaml(written, name="f").value
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(read_yaml(".nan", name="f").value)


def test_aliases_are_copies() -> None:
    value = read_yaml("a: &x {k: [1]}\nb: *x\n", name="f").value
    value["a"]["k"].append(2)
    assert value["b"] == {"k": [1]}


def test_places() -> None:
    places = read_yaml("a: 007\nb:\n  - x\n  -   {c: yes}\n", name="f").places
    assert places[("a",)] == Place(line=1, column=1, source="007")
    assert places[("b",)] == Place(line=2, column=1)
    assert places[("b", 0)] == Place(line=3, column=5, source="x")
    assert places[("b", 1, "c")] == Place(line=4, column=8, source="yes")


BILLION = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"^a \(f, line 3\) must stand once but stands on line 1 too\. Remove one"),
        ("a: {b: 1, c: [{d: 1,\n d: 2}]}", r"^a\.c\.0\.d \(f, line 2\) must stand once but stands on line 1 too"),
        ('no: 1\n"no": 2', r"^no \(f, line 2\) must stand once"),
        ("a:\n\tb: 1", r"^f must be indented with spaces but got a tab \(line 2, column 1\)\.$"),
        ("a: b: c", r"must be valid YAML but got: mapping values are not allowed here \(line 1, column 5\)\. Put"),
        ("a: [1", r"must be valid YAML but got: expected ',' or '\]'"),
        ("a: 'x", r"unexpected end of stream \(line 1, column 6\)\. Close the quotes"),
        ("a: @b", r"Put a text that begins with @ in quotes"),
        ("a: *b", r"undefined alias 'b' \(line 1, column 4\)"),
        ("a: 1\n---\nb: 1", r"another document \(line 2, column 1\)\. Keep one document"),
        ("a: 1\n b: 2", r"\(line 2, column 3\)"),
        ("? [a]\n: b", r"must have text for keys but got a list or a mapping \(line 1, column 3\)"),
        ("a: !!python/name:os.system x", r"got the tag 'python/name:os\.system' \(line 1, column 4\)"),
        ("a: !mine x", r"got the tag '!mine'"),
        ("a: !!set {x}", r"got the tag 'set'"),
        ("a: !!omap [x: 1]", r"got the tag 'omap'"),
        ("a: !!binary aGk=", r"got the tag 'binary'"),
        ("a: !!timestamp 2001-12-14", r"got the tag 'timestamp'"),
        ("a: !!int x", r"a value that fits the tag 'int' but got 'x'"),
        ("a: !!bool yes", r"a value that fits the tag 'bool' but got 'yes'"),
        (f"a: {'1' * 5000}", r"shorter numbers but got one of 5,000 digits"),
        ('a: "\\ud800"', r"half a surrogate pair \(line 1, column 4\)"),
        ('a: "\\Uffffffff"', r"an escape that is no character"),
        ('a: "\\q"', r"unknown escape character 'q'"),
        ("a: 1\nb: x\0y", r"the control character 0x0 \(line 2, column 5\)"),
        ("a: &a [*a]", r"at most 40 levels"),
        (f"a: {'[' * 50}{']' * 50}", r"at most 40 levels"),
        ("[" * 20_000, r"at most 40 levels"),
        ("{a: " * 20_000, r"at most 40 levels"),
        (BILLION, r"at most 20,000 values"),
        ("x" * 1_000_001, r"at most 1,000,000 characters but got 1,000,001"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        read_yaml(text, name="f")
    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet=st.sampled_from(list("ab01 \n\t:-[]{},#&*!|>'\"\\%@`?~.=<\0\x85\u2028\ufeff评")), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(RecipeError):
        read_yaml(text, name="f")


TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(TRICKY), st.from_regex(r"[-+0-9._eExo:~]{1,8}", fullmatch=True))
VALUES = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(VALUES, st.booleans())
def test_what_is_written_reads_back_equal(value: object, flow: bool) -> None:
    text = write_yaml({"x": value}, flow=flow)
    assert read_yaml(text, name="f").value == {"x": value}


@pytest.mark.parametrize("text", TRICKY)
def test_tricky_texts_stay_text_here_and_in_yaml_1_1(text: str) -> None:
    written = write_yaml([text], flow=True)
    assert read_yaml(written, name="f").value == [text]
    assert yaml.safe_load(written) == [text]
    alone = write_yaml(text, flow=True)
    assert read_yaml(alone, name="f").value == text
    assert "\n" not in alone


@pytest.mark.parametrize(
    "text", ["word", "中文", "a/b.csv", "/home/x/a.csv", ".ratchet", "../a", "tfidf-lr", "package", "n1"]
)
def test_plain_words_stay_plain(text: str) -> None:
    assert write_yaml(text, flow=True) == text


def test_a_tuple_is_a_list_and_nothing_is_an_alias() -> None:
    shared = ["a"]
    assert write_yaml({"x": (shared, shared)}) == "x:\n- - a\n- - a\n"
