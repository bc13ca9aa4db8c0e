"""Parts in time order: train is earlier than what it is measured on, and nothing that belongs together is divided."""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.near.copies import exact_groups
from ratchet.prepare.parts import seal
from ratchet.prepare.quarantine import restore
from ratchet.prepare.split import split
from ratchet.prepare.split_by_time import Ordered, split_by_time, times
from ratchet.prepare.together import units
from ratchet.recipe.sections import SplitConfig
from ratchet.tables.dataset import Dataset, Roles

CHARACTERS = [chr(0x4E00 + 7 * i) for i in range(700)]
TIME = SplitConfig(order="time")


def dataset(
    texts: Sequence[str],
    labels: Sequence[str],
    times: Sequence[str | None] | None,
    *,
    groups: Sequence[str | None] | None = None,
    name: str = "a.csv",
) -> Dataset:
    columns = {"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())}
    for column, cells in (("日期", times), ("group", groups)):
        if cells is not None:
            columns[column] = pa.array(cells, pa.string())
    return Dataset(
        table=pa.table(columns),
        roles=Roles(
            text="text",
            label="label",
            time="日期" if times is not None else None,
            group="group" if groups is not None else None,
        ),
        files=(name,),
        file_index=np.zeros(len(texts), np.int64),
        origin=np.arange(1, len(texts) + 1),
    )


def sentences(count: int, *, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(CHARACTERS, k=30)) for _ in range(count)]


def days(count: int) -> list[str]:
    return [f"{date(2024, 1, 1) + timedelta(days=day)}" for day in range(count)]


def table_of(count: int = 100, **changed: Sequence[str | None]) -> Dataset:
    given = {"texts": sentences(count), "labels": ["好", "差"] * (count // 2), "times": days(count)} | changed
    return dataset(**given)  # type: ignore[arg-type]


def in_parts(found: Ordered, cells: Sequence[str | None]) -> tuple[list[str], list[str], list[str]]:
    train, valid, test = (
        [str(cells[row]) for row in rows.tolist()] for rows in (found.parts.train, found.parts.valid, found.parts.test)
    )
    return train, valid, test


def test_the_latest_rows_are_test_and_the_latest_of_the_rest_valid() -> None:
    order = np.random.default_rng(1).permutation(100)
    found = split_by_time(table_of().take(order), config=SplitConfig(order="time", test=0.2, folds=4))
    train, valid, test = in_parts(found, found.dataset.column("日期"))
    assert (sorted(train), sorted(valid), sorted(test)) == (days(100)[:60], days(100)[60:80], days(100)[80:])
    assert found.parts.order == "time"
    assert found.parts.compared.tolist() == found.parts.valid.tolist()
    assert len(found.quarantine) == 0
    (note,) = found.parts.notes
    assert (
        "'日期': valid begins at 2024-03-01, test begins at 2024-03-21. Every verdict is made on the valid part" in note
    )


FORMS = [
    lambda day: f"{day:%Y-%m-%d}",
    lambda day: f"{day:%Y/%m/%d} 08:30",
    lambda day: f"{day.year}年{day.month}月{day.day}日",
    lambda day: f"{day:%Y%m%d}".translate({48 + i: 0xFF10 + i for i in range(10)}),
    lambda day: f"{day:%d %b %Y}",
    lambda day: f"{day:%Y-%m-%d}T09:00:00+08:00",
    lambda day: str((day - date(1970, 1, 1)).days * 86400 + 7),
    lambda day: f"{(day - date(1970, 1, 1)).days * 86400 + 7}000",
]


def test_times_are_read_in_every_form_at_once() -> None:
    written = [FORMS[i % len(FORMS)](date(2024, 1, 1) + timedelta(days=2 * i)) for i in range(100)]
    plain = split_by_time(table_of(), config=TIME).parts.fold
    assert split_by_time(table_of(times=written), config=TIME).parts.fold.tolist() == plain.tolist()


@pytest.mark.parametrize("cell", ["昨天", "2024-13-01", "31/31/2024", "0", "2024", "45321"])
def test_a_time_that_can_not_be_read_is_named(cell: str) -> None:
    cells = days(100)
    cells[6] = cell
    with pytest.raises(
        DataError, match=f"time column '日期' must be a date, .* but row 7 of a.csv has '{cell}'"
    ) as caught:
        split_by_time(table_of(times=cells), config=TIME)
    assert "empty it" in caught.value.next_step


def test_a_column_without_times_is_another_column() -> None:
    with pytest.raises(DataError, match=r"row 1 of a\.csv has") as caught:
        split_by_time(table_of(times=sentences(100)), config=TIME)
    assert caught.value.next_step == "Set data.time to another column."
    with pytest.raises(DataError, match="must be random for a draw but is time"):
        split(table_of(), config=TIME, seed=1)


def test_rows_without_a_time_go_to_the_quarantine_and_come_back() -> None:
    cells: list[str | None] = [*days(100)]
    cells[3] = cells[50] = None
    table = table_of(times=cells)
    found = split_by_time(table, config=TIME)
    assert found.quarantine.counts == {"time.missing": 2}
    assert [record.row for record in found.quarantine.records] == [4, 51]
    assert len(found.dataset) == len(found.parts.fold) == 98
    assert restore(found.dataset, found.quarantine).content_hash == table.content_hash


def test_the_earlier_ones_of_rows_that_belong_together_are_purged() -> None:
    texts, groups = sentences(100), [None] * 100
    texts[2] = texts[99][:-1] + "改"  # a near-copy: train and test
    texts[70] = texts[98] + "！"  # the same wording: valid and test
    texts[5] = texts[75][:-1] + "改"  # train and valid
    texts[8] = texts[7][:-1] + "改"  # both in train
    groups[1] = groups[80] = "客户"  # type: ignore[call-overload]
    table = table_of(texts=texts, groups=groups)
    found = split_by_time(table, config=TIME)
    records = {record.row: (record.reason, record.kept_row) for record in found.quarantine.records}
    assert records == {row + 1: ("parts.leak", kept + 1) for row, kept in ((2, 99), (70, 98), (5, 75), (1, 80))}
    assert restore(found.dataset, found.quarantine).content_hash == table.content_hash
    assert found.parts.counts == {"train": 65, "valid": 16, "test": 15}


def test_rows_of_one_time_are_not_divided_and_a_part_far_from_its_share_says_so() -> None:
    cells = ["2024-01-01"] * 30 + ["2024-01-02"] * 30 + ["2024年1月3日"] * 20 + ["2024/01/03"] * 20
    found = split_by_time(table_of(times=cells), config=TIME)
    assert found.parts.counts == {"train": 30, "valid": 30, "test": 40}
    assert "The test part is 40% of the rows instead of 15%: rows of one time are not divided." in found.parts.notes
    with pytest.raises(DataError, match=r"at least 3 different times .* but have 2"):
        split_by_time(table_of(times=["2024-01-01", "2024-01-02"] * 50), config=TIME)


def test_a_label_that_comes_up_later_is_named() -> None:
    labels = ["好", "差"] * 40 + ["退款"] * 20
    with pytest.raises(DataError, match=r"'退款' is only in the later ones \(20 rows, the first is row 81 of a.csv\)"):
        split_by_time(table_of(labels=labels), config=TIME)
    texts = sentences(100)
    texts[:20] = [text[:-1] + "改" for text in texts[80:]]
    labels = ["退款"] * 20 + ["好", "差"] * 30 + ["退款"] * 20
    with pytest.raises(DataError, match=r"\(20 rows, .*; 20 earlier rows of it belong together with later ones\)"):
        split_by_time(table_of(texts=texts, labels=labels), config=TIME)


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        (["好", "差"] * 30 + ["好"] * 40, r"valid part .* all its 17 rows"),
        (["好", "差"] * 40 + ["好"] * 20, r"test part .* all its 15 rows"),
        (["好"] * 100, r"train part .* all its 68 rows"),
    ],
)
def test_a_part_of_one_label_is_an_error(labels: list[str], part: str) -> None:
    with pytest.raises(DataError, match=rf"The {part} are '好'"):
        split_by_time(table_of(labels=labels), config=TIME)


def test_a_label_that_is_gone_is_a_note() -> None:
    found = split_by_time(table_of(labels=["旧"] * 20 + ["好", "差"] * 40), config=TIME)
    assert "1 of 3 labels have no row in the test part: '旧'." in found.parts.notes


def test_nothing_left_in_a_part_is_an_error() -> None:
    groups = [f"客户{i % 5}" for i in range(100)]
    with pytest.raises(DataError, match="stay in the train part but all 68 belong together with later rows"):
        split_by_time(table_of(groups=groups), config=TIME)


def test_given_test_rows_are_the_test_part_whatever_their_times() -> None:
    test = dataset(sentences(3, seed=9), ["好", "差", "好"], ["2024年4月1日", "2024-05-02", None], name="t.csv")
    found = split_by_time(table_of(), config=TIME, test=test)
    assert found.parts.test.tolist() == [100, 101, 102]
    assert found.parts.counts == {"train": 80, "valid": 20, "test": 3}
    assert any(
        "9 of 100 training rows are not earlier than the earliest test row (row 1 of t.csv)" in note
        for note in found.parts.notes
    )
    later = dataset(sentences(1, seed=9), ["好"], ["2025-01-01"], name="t.csv")
    assert not any("not earlier" in note for note in split_by_time(table_of(), config=TIME, test=later).parts.notes)
    timeless = dataset(sentences(1, seed=9), ["好"], [None], name="t.csv")
    assert any(
        "No test row has a time" in note for note in split_by_time(table_of(), config=TIME, test=timeless).parts.notes
    )
    with pytest.raises(DataError, match=r"but '怪' is only in the later ones \(1 rows, the first is row 1 of t.csv\)"):
        split_by_time(table_of(), config=TIME, test=dataset(["别的"], ["怪"], ["2025-01-01"], name="t.csv"))


def test_a_table_without_a_time_column_can_not_be_put_in_order() -> None:
    with pytest.raises(DataError, match=r"a.csv must have a time column"):
        split_by_time(dataset(["一"], ["好"], None), config=TIME)


def test_several_tables_share_one_order_of_day_and_month() -> None:
    one, other = (dataset(["一"], ["好"], [cell]) for cell in ("03/04/2024", "04/13/2024"))
    assert [found[0] for found in times(one, other)] == sorted(found[0] for found in times(one, other))
    assert times(one)[0][0] > times(one, other)[0][0]  # alone it is the 3rd of April


def grams(text: str, n: int) -> set[str]:
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return {plain[i : i + n] for i in range(max(len(plain) - n + 1, 1))}


def alike(one: str, other: str, n: int) -> float:
    left, right = grams(one, n), grams(other, n)
    return len(left & right) / len(left | right)


TABLES = st.lists(
    st.tuples(
        st.integers(0, 11),  # which sentence
        st.sampled_from(["", "改", "改!", "换个", "完全不一样的很长的一段"]),  # and which edit of it
        st.sampled_from("xy"),
        st.sampled_from([None, None, None, "g1", "g2", "g3"]),
        st.one_of(st.none(), st.integers(0, 8), st.integers(0, 400)),  # day
    ),
    max_size=50,
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(TABLES, st.sampled_from([0.3, 0.5, 0.8]), st.sampled_from([0.1, 0.3]), st.integers(0, 9))
def test_neither_time_nor_what_belongs_together_is_ever_divided(
    rows: list[tuple[int, str, str, str | None, int | None]], threshold: float, share: float, seed: int
) -> None:
    told = random.Random(1)
    sentence = ["".join(told.choices(CHARACTERS, k=3 + 2 * i)) for i in range(12)]
    rows = rows + [(i, "", "xy"[i % 2], None, 13 * i) for i in range(12, 42)]  # enough others for parts of two labels
    sentence += sentences(30)
    texts = [sentence[i][: len(edit)] + edit + sentence[i][2 * len(edit) :] for i, edit, *_ in rows]
    day = [None if row[4] is None else date(2024, 1, 1) + timedelta(days=row[4]) for row in rows]
    cells = [None if day[i] is None else (FORMS[0], *FORMS[2:4])[i % 3](day[i]) for i in range(len(rows))]
    table = dataset(texts, [row[2] for row in rows], cells, groups=[row[3] for row in rows])
    config = SplitConfig(order="time", near_threshold=threshold, test=share, folds=3)
    try:
        found = split_by_time(table, config=config)
    except DataError:
        assume(False)
    position = {int(origin) - 1: place for place, origin in enumerate(found.dataset.origin)}
    fold = {row: int(found.parts.fold[place]) for row, place in position.items()}
    loose = units(table.take([i for i in range(len(rows)) if day[i] is not None]), config=config).threshold
    for i, j in itertools.permutations(fold, 2):
        if fold[i] > fold[j]:  # i is in the earlier part
            assert day[i] < day[j]  # type: ignore[operator]
            assert rows[i][3] is None or rows[i][3] != rows[j][3]
            assert alike(texts[i], texts[j], 2) < loose
            assert alike(texts[i], texts[j], 3) < 0.7
    purged = {record.row - 1: record for record in found.quarantine.records}
    assert sorted([*fold, *purged]) == list(range(len(rows)))
    for row, record in purged.items():
        assert (record.reason == "time.missing") == (day[row] is None)
        if record.reason == "parts.leak":
            assert day[row] < day[record.kept_row - 1]  # type: ignore[operator]
            assert record.kept_row - 1 in fold
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    again = split_by_time(table.take(order), config=config)
    assert dict(zip(again.dataset.origin.tolist(), again.parts.fold.tolist(), strict=True)) == {
        row + 1: part for row, part in fold.items()
    }
    assert (again.parts.hash, seal(again.parts, again.dataset)) == (found.parts.hash, seal(found.parts, found.dataset))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=3, max_size=40), st.sampled_from([0.1, 0.25, 0.5]), st.integers(2, 6))
def test_the_cuts_are_as_near_to_the_shares_as_times_allow(when: list[int], share: float, folds: int) -> None:
    assume(len(set(when)) >= 3)
    when = [time for time in when for _ in "xy"]
    table = dataset(
        CHARACTERS[: len(when)],
        ["x", "y"] * (len(when) // 2),
        [str(1_700_000_000 + 60 * t) for t in when],
    )
    parts = split_by_time(table, config=SplitConfig(order="time", test=share, folds=folds)).parts
    assert len(np.unique(exact_groups(table.texts))) == len(when)

    def best(times: list[int], wanted: float, least: int) -> int:
        """Rows before the best cut that leaves ``least`` different times before it."""
        cuts = [sum(t < cut for t in times) for cut in sorted(set(times))[least:]]
        return min(cuts, key=lambda cut: abs(cut - wanted))

    dev = best(when, (1 - share) * len(when), 2)
    train = best(sorted(when)[:dev], (1 - 1 / folds) * dev, 1)
    assert (len(parts.dev), len(parts.train)) == (dev, train)
