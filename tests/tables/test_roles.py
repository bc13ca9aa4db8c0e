"""Roles of columns: told by names in two languages and by contents, never against what was given."""

import random
from collections.abc import Sequence

import pyarrow as pa
import pytest

from ratchet.errors import DataError
from ratchet.tables.dataset import Roles
from ratchet.tables.roles import guess_roles

ROWS = 120
_dice = random.Random(5)
CELLS: dict[str, Sequence[str | None]] = {
    "long": [f"这是第{i}条评论，讲的是房间和服务" * _dice.randint(1, 3) for i in range(ROWS)],
    "english": [f"the order number {i} has not arrived yet" for i in range(ROWS)],
    "two": ["好评" if i < 70 else "差评" for i in range(ROWS)],  # sorted, as files often are
    "cities": [["北京", "上海", "广州"][i % 3] for i in range(ROWS)],
    "users": [f"u{i % 30}" for i in range(ROWS)],
    "dates": [f"2024-01-{1 + i % 28:02d} 10:11:12" for i in range(ROWS)],
    "chinese_dates": [f"2024年{1 + i % 12}月{1 + i % 28}日" for i in range(ROWS)],
    "epochs": [str(1_700_000_000 + 7 * i) for i in range(ROWS)],
    "numbers": [str(i) for i in range(ROWS)],
    "falling": [str(ROWS - i) for i in range(ROWS)],
    "twice": [str(max(i, 1)) for i in range(ROWS)],
    "far": [str((0, 6, -6)[i % 3] * 10**18 + max(i // 3, 1)) for i in range(ROWS)],  # the steps do not fit 64 bits
    "ages": [str(18 + i % 50) for i in range(ROWS)],
    "stars": [str(1 + i % 5) for i in range(ROWS)],
    "decimals": [f"{i / 7:.3f}" for i in range(ROWS)],
    "hashes": [f"{_dice.getrandbits(128):032x}" for i in range(ROWS)],
    "links": [f"https://example.com/a/very/long/path/to/page/number/{i}/of/the/shop?x={i}" for i in range(ROWS)],
    "constant": ["x"] * ROWS,
    "gaps": [None if i % 2 else "y" for i in range(ROWS)],
    "empty": [None] * ROWS,
}


def table(**columns: str) -> pa.Table:
    return pa.table({name: pa.array(CELLS[cells], pa.string()) for name, cells in columns.items()})


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": "long", "label": "two"}, Roles(text="text", label="label")),
        ({"Label": "two", "Text": "english"}, Roles(text="Text", label="Label")),
        ({"类别": "two", "评论内容": "long"}, Roles(text="评论内容", label="类别")),
        ({"a": "two", "b": "long"}, Roles(text="b", label="a")),
        ({"a": "english"}, Roles(text="a")),
        ({"a": "two"}, Roles(text="a")),
        ({"a": "numbers", "b": "english"}, Roles(text="b")),
        ({"review_text": "english", "link": "links", "hash": "hashes"}, Roles(text="review_text")),
        ({"x": "english", "link": "links"}, Roles(text="x")),
        ({"x": "english", "stars": "stars"}, Roles(text="x", label="stars")),
        ({"x": "english", "s": "stars"}, Roles(text="x", label="s")),
        ({"x": "english", "age": "ages"}, Roles(text="x")),
        ({"x": "english", "score": "decimals"}, Roles(text="x")),
        ({"x": "english", "constant": "constant", "gaps": "gaps"}, Roles(text="x")),
        ({"x": "english", "label": "empty"}, Roles(text="x")),
        ({"city": "cities", "x": "english", "kind": "two"}, Roles(text="x", label="kind")),
        ({"x": "english", "user_id": "users"}, Roles(text="x", label=None, group="user_id")),
        ({"x": "english", "用户编号": "users", "编号": "numbers"}, Roles(text="x", group="用户编号", id="编号")),
        ({"x": "english", "user_id": "numbers"}, Roles(text="x", id="user_id")),
        ({"x": "english", "created_at": "dates"}, Roles(text="x", time="created_at")),
        ({"x": "english", "when": "chinese_dates"}, Roles(text="x", time="when")),
        ({"x": "english", "ts": "epochs", "n": "numbers"}, Roles(text="x", time="ts")),
        ({"x": "english", "amount": "epochs"}, Roles(text="x")),
        ({"sentence_id": "numbers", "phrase": "english"}, Roles(text="phrase", id="sentence_id")),
        ({"sentence_id": "falling", "phrase": "english"}, Roles(text="phrase", id="sentence_id")),
        ({"sentence_no": "twice", "phrase": "english"}, Roles(text="phrase")),
        ({"sentence_no": "far", "phrase": "english"}, Roles(text="phrase")),
        ({"text_id": "hashes", "words": "english"}, Roles(text="words", id="text_id")),
        ({"message_type": "cities", "body": "english"}, Roles(text="body", label="message_type")),
    ],
)
def test_roles(columns: dict[str, str], expected: Roles) -> None:
    assert guess_roles(table(**columns), name="t.csv").roles == expected


def test_every_guess_has_its_reason_and_a_doubt_is_noted() -> None:
    found = guess_roles(table(x="long", a="two", b="cities"), name="t.csv")
    assert found.why == {"text": "it has the longest cells", "label": "it has 2 different values"}
    assert found.notes == ("The label could also be 'b' (3 different values).",)


def test_what_is_given_stands() -> None:
    whole = table(text="long", label="two", city="cities", user="users", date="dates")
    given = {"text": None, "label": "city", "group": "", "time": None}
    found = guess_roles(whole, name="t.csv", given=given)
    assert found.roles == Roles(text="text", label="city", time="date")
    assert set(found.why) == {"text", "time"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": "txet"}, r"must have the column 'txet' \(the text\).* Did you mean 'text'\?"),
        ({"group": "nothing_like_it"}, "Name one of them as the group"),
        ({"text": "label", "label": "label"}, "must be two columns but both are 'label'"),
        ({"label": "user", "group": "user"}, "The label and the group must be two columns"),
        ({"text": ""}, "must have a text column"),
    ],
)
def test_a_wrong_name_is_named(given: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        guess_roles(table(text="long", label="two", user="users"), name="t.csv", given=given)


def test_no_rows() -> None:
    whole = table(a="two", b="long").slice(0, 0)
    assert guess_roles(whole, name="t.csv").roles.label is None


@pytest.mark.parametrize("name", ["topics", "Tags", "categories", "intents"])
def test_a_column_of_several_labels_is_the_label_by_its_plural(name: str) -> None:
    cells = [f'["{a}", "{b}"]' for a in "abcdef" for b in "uvwxyz"]
    table = pa.table({"text": [f"this is the text number {row}" for row in range(len(cells))], name: cells})
    assert guess_roles(table, name="t").roles.label == name
