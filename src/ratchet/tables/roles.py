"""Which column is the text, the label, the group, the time and the id: guessed from names and contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.errors import DataError, no_such_column
from ratchet.forms import HAN, characters
from ratchet.tables.dataset import Roles
from ratchet.text.columns import picked
from ratchet.text.date_forms import is_date_column
from ratchet.text.dates import is_moment

ROLES = ("text", "label", "group", "time", "id")
_SAMPLE = 2_000
_TEXT = (
    *("text", "review", "content", "comment", "sentence", "message", "question", "query", "prompt", "instruction"),
    *("utterance", "body", "document", "article", "abstract", "description", "tweet", "post", "sms", "title", "input"),
    *("文本", "评论", "内容", "正文", "评价", "短信", "消息", "问题", "留言", "句子", "文章", "摘要", "描述", "标题"),
)
_LABEL = (
    *("label", "labels", "category", "class", "target", "sentiment", "intent", "topic", "polarity", "tag", "y"),
    *("topics", "tags", "categories", "intents"),
    *("rating", "stars", "score", "标签", "类别", "分类", "情感", "意图", "类型", "评分", "星级", "等级"),
)
_GROUP = (
    *("group", "user", "customer", "client", "author", "account", "member", "patient", "speaker", "session"),
    *(
        "conversation",
        "dialog",
        "dialogue",
        "thread",
        "doc",
        "document",
        "分组",
        "用户",
        "客户",
        "会员",
        "作者",
        "会话",
    ),
    *("文档", "对话"),
)
_TIME = (
    *("time", "date", "datetime", "timestamp", "created", "day", "published", "updated", "ts"),
    *("时间", "日期", "年月日"),
)
ANSWERS = ("answer", "response", "output", "completion", "回答", "答案", "回复", "输出", "chosen")
"""What the answer to a prompt is usually called."""
IDS = ("id", "uid", "uuid", "guid", "index", "idx", "key", "no", "编号", "序号", "主键", "流水号")
_NOT_TEXT = frozenset(
    ("id", "date", "time", "count", "len", "length", "type", "lang", "language", "url", "score", "label")
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[" + characters(HAN) + "]+")
_NUMBER = re.compile(r"[-+]?\d+(?P<point>[.,]\d+)?")
_EPOCH = re.compile(r"1[0-9]{9}(?:[0-9]{3})?(?:\.\d+)?")
_NO_WORDS = re.compile(r"(?:https?://|www\.)\S+|[0-9A-Fa-f-]{16,}")
_LONGEST_LABEL = 40
_BESIDE_CHARACTERS, _BESIDE_SHARE = 8, 0.2
_SEVERAL = re.compile(r"(?:\S+\s+){2,}\S.*|.*(?:[" + characters(HAN) + r"]\W?){6}.*", re.DOTALL)
_MOST_LABELS = 1_000
_MOST_NUMBERS = 10


@dataclass(frozen=True, kw_only=True)
class Guess:
    """The roles of a table's columns; ``why`` holds, by role, the reason for a column that was not named.

    ``notes`` name columns that could have had a role too.
    """

    roles: Roles
    why: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def answer_column(table: pa.Table, *, text: str) -> str | None:
    """The column beside the text that is called as answers usually are, whatever it holds: numbers and texts too."""
    folded = {name.strip().casefold(): name for name in reversed(table.column_names) if name != text}
    return next((folded[name] for name in (*_LABEL, *ANSWERS) if name in folded), None)


def guess_roles(table: pa.Table, *, name: str, given: Mapping[str, str | None] | None = None) -> Guess:
    """Give the columns their roles.

    A column has a role by a usual name (English or Chinese) that its cells do not contradict; else the text is the column
    with the longest cells and the label one with few different values. Group, time and id are taken from names and
    contents together, or left empty.

    Args:
        table: strings, null where a cell is missing.
        name: what messages call the table.
        given: roles that were named: a column, or the empty text for "no such column"; absent or ``None``: guess.

    Raises:
        DataError: a given column is not there, or text and label are one.
    """
    named = {role: column for role, column in (given or {}).items() if column is not None}
    _require(named, table.column_names, name=name)
    chosen: dict[str, str | None] = {role: column or None for role, column in named.items()}
    columns = [_Column(column, table.column(column)) for column in table.column_names]
    why = {"label": "as you said"} if named.get("label") == "" else dict[str, str]()
    notes: list[str] = []
    finders: dict[str, Callable[[list[_Column]], tuple[str, str] | None]] = {
        "text": _text,
        "label": lambda open_: _label(open_, notes),
        "time": _time,
        "id": _id,
        "group": _group,
    }
    for role, find in finders.items():
        if role in chosen:
            continue
        found = find([column for column in columns if column.name not in chosen.values()])
        chosen[role] = found[0] if found else None
        if found:
            why[role] = found[1]
    text = chosen.pop("text") or table.column_names[0]
    label, group, time, id = (chosen[role] for role in ROLES[1:])
    return Guess(roles=Roles(text=text, label=label, group=group, time=time, id=id), why=why, notes=tuple(notes))


def texts_beside(table: pa.Table, *, roles: Roles) -> list[tuple[str, float, float]]:
    """Columns without a role that hold texts too: name, mean characters of a cell, and those of the text column.

    Cells are several words, or as many Chinese characters, mostly different ones, and not far shorter than the text's.
    """
    own = _Column(roles.text, table.column(roles.text)).length
    found = []
    for name in table.column_names:
        if name in roles.used:
            continue
        column = _Column(name, table.column(name))
        if (
            column.length >= max(_BESIDE_CHARACTERS, _BESIDE_SHARE * own)
            and column.says_something
            and column.share(_SEVERAL) > 0.5
            and 2 * len(set(column.cells)) > len(column.cells)
        ):
            found.append((name, column.length, own))
    return sorted(found, key=lambda one: -one[1])


def _require(named: Mapping[str, str], names: Sequence[str], *, name: str) -> None:
    for role, column in named.items():
        if column and column not in names:
            raise no_such_column(
                column, names, table=name, role=f"the {role}", otherwise=f"Name one of them as the {role}."
            )
    if named.get("text") == "":
        raise DataError(
            f"{name} must have a text column but none was named.", next_step="Name the column, or leave the option out."
        )
    taken: dict[str, str] = {}
    for role in ("text", "label", "group"):
        column = named.get(role) or ""
        if column and column in taken:
            raise DataError(
                f"The {taken[column]} and the {role} must be two columns but both are {column!r}.",
                next_step=f"Name another column as the {role}.",
            )
        taken[column] = role


class _Column:
    """A column as far as the guess looks at it: a sample of its cells from top to bottom, since files come sorted."""

    def __init__(self, name: str, column: pa.ChunkedArray) -> None:
        self.name = name
        self.words = tuple(word.casefold() for word in _WORDS.findall(name))
        self._column = column
        places = np.unique(np.linspace(0, max(len(column) - 1, 0), _SAMPLE).astype(np.int64))
        cells = picked(column, places).to_pylist() if len(column) else []
        self.cells: list[str] = [cell.strip() for cell in cells if cell and cell.strip()]

    @cached_property
    def filled(self) -> int:
        """Cells that are not missing."""
        return len(self._column) - int(self._column.null_count)

    @cached_property
    def complete(self) -> bool:
        """Whether every cell is filled, and there is one."""
        return self.filled == len(self._column) > 0

    @cached_property
    def distinct(self) -> int:
        """Different filled cells, in the whole column."""
        return int(pc.count_distinct(self._column, mode="only_valid").as_py())

    @cached_property
    def is_key(self) -> bool:
        """Whether every cell is filled and no value comes twice."""
        if not self.complete or self.filled < 2:
            return False
        try:
            numbers = pc.cast(self._column, pa.int64()).to_numpy()
            if (numbers[1:] > numbers[:-1]).all():  # as most keys are, and quick to see
                return True
        except pa.ArrowInvalid:
            pass  # no numbers
        return self.distinct == self.filled

    @cached_property
    def length(self) -> float:
        """Mean characters of a filled cell."""
        return fmean(map(len, self.cells)) if self.cells else 0.0

    def share(self, pattern: re.Pattern[str]) -> float:
        """Sampled cells that are wholly of this form, as a share."""
        return fmean(pattern.fullmatch(cell) is not None for cell in self.cells) if self.cells else 0.0

    @cached_property
    def is_number(self) -> bool:
        """Whether most cells are numbers."""
        return self.share(_NUMBER) > 0.9

    @cached_property
    def is_decimal(self) -> bool:
        """Whether cells are numbers with a fraction."""
        found = [match for match in map(_NUMBER.fullmatch, self.cells) if match]
        return self.is_number and any(match["point"] and match["point"].strip(".,0") for match in found)

    @cached_property
    def is_date(self) -> bool:
        """Whether most cells are dates."""
        return bool(self.cells) and is_date_column(self.name, fmean(map(is_moment, self.cells)))

    @cached_property
    def says_something(self) -> bool:
        """Whether the cells can be texts: no numbers, dates, links or hashes."""
        return bool(self.cells) and not (self.is_number or self.is_date or self.share(_NO_WORDS) > 0.8)

    def is_called(self, usual: Iterable[str], *, exactly: bool) -> bool:
        """Whether one of these is the name, or a word of it."""
        plain = self.name.strip().casefold()
        if exactly:
            return plain in usual
        return any(word in self.words or (not word.isascii() and word in plain) for word in usual)


def is_usual(name: str, *, exactly: bool = False) -> bool:
    """Whether a column that holds a text or a label is usually called so, or by one of such words unless ``exactly``.

    >>> is_usual("review_text"), is_usual("这家酒店很好")
    (True, False)
    """
    plain, usual = name.strip().casefold(), {*_TEXT, *_LABEL}
    if exactly:
        return plain in usual
    words = {word.casefold() for word in _WORDS.findall(name)}
    spoken = any(not word.isascii() and word in plain for word in usual)  # Chinese words have no spaces between them
    return (
        plain in usual or (len(plain) <= 30 and len(words) <= 3 and bool(words & usual)) or (spoken and len(plain) <= 6)
    )


def _by_name(columns: Iterable[_Column], usual: Sequence[str]) -> _Column | None:
    """The column called by the most usual name; a whole name goes before a word of a name."""
    listed = list(columns)
    for exactly in (True, False):
        for word in usual:
            for column in listed:
                if column.is_called((word,), exactly=exactly):
                    return column
    return None


def _text(columns: list[_Column]) -> tuple[str, str] | None:
    speaking = [column for column in columns if column.says_something]
    longest = max((column.length for column in speaking), default=0.0)
    called = [column for column in speaking if column.is_called(_TEXT, exactly=True)]
    called += [c for c in speaking if not _NOT_TEXT & set(c.words) and 2 * c.length >= longest and c not in called]
    if (found := _by_name(called, _TEXT)) is not None:
        return found.name, "by its name"
    best = max(speaking or columns, key=lambda column: column.length, default=None)
    return (best.name, "it has the longest cells") if best else None


def _label(columns: list[_Column], notes: list[str]) -> tuple[str, str] | None:
    named = [column for column in columns if column.cells and not (column.is_date or column.is_decimal)]
    if (found := _by_name(named, _LABEL)) is not None:
        return found.name, "by its name"
    few = sorted((column for column in columns if _is_labelling(column)), key=lambda column: column.distinct)
    if not few:
        return None
    if len(few) > 1:
        others = ", ".join(f"{column.name!r} ({column.distinct:,} different values)" for column in few[1:4])
        notes.append(f"The label could also be {others}.")
    return few[0].name, f"it has {few[0].distinct:,} different values"


def _is_labelling(column: _Column) -> bool:
    """Whether the cells can be labels: short, few different ones, each more than once."""
    most = min(_MOST_LABELS, max(20, column.filled // 20), column.filled // 2)
    if column.is_number:
        most = min(most, _MOST_NUMBERS)
    short = 0 < column.length <= _LONGEST_LABEL
    return short and not (column.is_date or column.is_decimal) and 2 <= column.distinct <= most


def _time(columns: list[_Column]) -> tuple[str, str] | None:
    named = [c for c in columns if c.is_date or (c.share(_EPOCH) > 0.9 and c.is_called(_TIME, exactly=False))]
    if (found := _by_name(named, _TIME)) is not None:
        return found.name, "by its name"
    dated = next((column for column in columns if column.is_date), None)
    return (dated.name, "its cells are dates") if dated else None


def _id(columns: list[_Column]) -> tuple[str, str] | None:
    called = [column for column in columns if column.is_called(IDS, exactly=False) and not column.is_decimal]
    found = _by_name([column for column in called if column.is_key], IDS)
    return (found.name, "by its name, and no value comes twice") if found else None


def _group(columns: list[_Column]) -> tuple[str, str] | None:
    called = [column for column in columns if column.is_called(_GROUP, exactly=False) and not column.is_decimal]
    short = [column for column in called if column.length <= 2 * _LONGEST_LABEL]
    found = _by_name([column for column in short if 2 <= column.distinct < 0.95 * column.filled], _GROUP)
    return (found.name, f"by its name; {found.distinct:,} different values") if found else None
