from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet.errors import DataError
from ratchet.recipe.sections import DataConfig
from ratchet.tables.dataset import Dataset
from ratchet.tables.read import CELL_BYTES, read_dataset, read_table


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def read(folder: Path, *names: str, **config: object) -> Dataset:
    return read_dataset([Path(name) for name in names], config=DataConfig(**config), base=folder)  # type: ignore[arg-type]


def test_json_numbers_keep_their_digits_and_nested_values_become_json(tmp_path: Path) -> None:
    line = '{"a": 1.10, "b": 12345678901234567890, "c": true, "d": null, "e": {"x": [1, 2.50, "好"]}, "f": NaN}\n{"g": "x"}\n'
    table = read_table(write(tmp_path, "a.ndjson", line)).table.to_pydict()
    assert table["a"] == ["1.10", None]
    assert table["b"] == ["12345678901234567890", None]
    assert (table["c"], table["d"], table["f"], table["g"]) == (
        ["true", None],
        [None, None],
        ["NaN", None],
        [None, "x"],
    )
    assert table["e"] == ['{"x":[1,2.5,"好"]}', None]


def test_parquet_values_become_text(tmp_path: Path) -> None:
    columns = {
        "int": pa.array([2**62, None]),
        "float": pa.array([0.1, 2.0]),
        "bool": pa.array([True, False]),
        "date": pa.array([datetime.date(2024, 2, 29), None]),
        "time": pa.array([datetime.datetime(2024, 2, 29, 1, 2, 3), None], pa.timestamp("s")),
        "decimal": pa.array([Decimal("1.10"), None]),
        "category": pa.array(["x", "y"]).dictionary_encode(),
        "list": pa.array([["a", "好"], None]),
        "nothing": pa.nulls(2),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").table.to_pydict() == {
        "int": [str(2**62), None],
        "float": ["0.1", "2"],
        "bool": ["true", "false"],
        "date": ["2024-02-29", None],
        "time": ["2024-02-29 01:02:03", None],
        "decimal": ["1.10", None],
        "category": ["x", "y"],
        "list": ['["a","好"]', None],
        "nothing": [None, None],
    }


def test_literal_quotes_inside_a_cell_are_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\na 5" screen,x\nthe 6" one,"y"\n')
    assert read_table(path).table.column("text").to_pylist() == ['a 5" screen', 'the 6" one']
    path = write(tmp_path, "a.tsv", 'text\tlabel\n"Never closed\tx\nplain\ty\n')
    assert read_table(path).table.column("text").to_pylist() == ['"Never closed', "plain"]


def test_a_row_longer_than_a_block_is_read(tmp_path: Path) -> None:
    wide = ",".join(f"c{i}" for i in range(30))
    row = ",".join(["x" * (CELL_BYTES - 1)] * 30)
    assert read_table(write(tmp_path, "a.csv", f"{wide}\n{row}\n")).table.num_rows == 1


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ('{"a": 1}', "must be a list of JSON objects but is an object"),
        ("[1, 2]", "Row 1 of a.json must be a JSON object but is a text or number"),
        ('"x"', "must be a list of JSON objects but is a text or number"),
        ('[{"text": "a"},', "must be a JSON document but is not"),
        ("[" * 100_000, "is nested too deeply"),
        ("[]", "must have rows"),
    ],
)
def test_json_that_is_no_table(tmp_path: Path, data: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read_table(write(tmp_path, "a.json", data))


def test_a_json_document_and_json_lines_give_the_same_cells(tmp_path: Path) -> None:
    line = '{"a": 1.10, "b": 12345678901234567890, "c": true, "d": null, "e": {"x": [1, 2.50, "好"]}, "f": [1, "2"]}'
    lines, document = write(tmp_path, "a.jsonl", line + "\n"), write(tmp_path, "a.json", f"[{line}]")
    assert read_table(lines).table.to_pydict() == read_table(document).table.to_pydict()
    with pytest.raises(DataError, match="the key 'a' occurs twice"):
        read_table(write(tmp_path, "b.json", '[{"a": 1, "a": 2}]'))


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ('{"columns": ["text", "text"], "data": [["a", "b"]]}', "'text' is there twice"),
        (
            '{"columns": ["text", "label"], "data": [["a", "b"], ["a", "b", "c"]]}',
            "Row 2 of .*t.json must have 2 cells",
        ),
        (
            '{"columns": ["text", "label"], "data": [["a"]]}',
            "Row 1 of .*t.json must have 2 cells like 'columns' but has 1",
        ),
    ],
)
def test_no_cell_of_a_table_as_pandas_splits_it_is_lost(tmp_path: Path, document: str, problem: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(document)
    with pytest.raises(DataError, match=problem):
        read_table(path)


def test_nested_values_that_can_not_be_written_are_named_by_row(tmp_path: Path) -> None:
    bad_text = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 3], np.int32)), pa.py_buffer(b"a\xff\xfe")]
    )
    far = pa.array([[0], [2**62]], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("s")))
    nowhere = pa.array([[0], [1]], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("s", tz="Nowhere/City")))
    twice = pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    cases = {
        "utf8": pa.ListArray.from_arrays(pa.array([0, 1, 2]), bad_text),
        "far": far,
        "nowhere": nowhere,
        "twice": twice,
        "long": pa.array([[1], [0] * 1_000_001], pa.list_(pa.int8())),
    }
    for name, column in cases.items():
        with (tmp_path / "x.arrow").open("wb") as raw, pa.ipc.new_file(raw, pa.schema([(name, column.type)])) as writer:
            writer.write_table(pa.table({name: column}))
        with pytest.raises(
            DataError, match=r"must have a value that can be written as text|must be a whole Arrow file"
        ) as caught:
            read_table(tmp_path / "x.arrow", name="x.arrow")
        assert str(caught.value).startswith(("Row 1 of x.arrow", "Row 2 of x.arrow", "x.arrow must be a whole")), name


@pytest.mark.parametrize(
    "column",
    [
        pa.nulls(300_000_000),
        pa.LargeListArray.from_arrays(pa.array([0, 300_000_000], pa.int64()), pa.nulls(300_000_000)),
    ],
    ids=["null", "list of null"],
)
def test_values_that_take_no_bytes_do_not_fill_the_memory(tmp_path: Path, column: pa.Array) -> None:
    table = pa.table({"text": column})
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match=r"x\.arrow must unpack to a table but .* bytes become more than"):
        read_table(tmp_path / "x.arrow", name="x.arrow")


def test_nested_values_are_read_as_ever(tmp_path: Path) -> None:
    cells = [None if i % 7 == 0 else {"role": "用户", "n": [i, None]} for i in range(1000)]
    pq.write_table(pa.table({"m": cells}), tmp_path / "x.parquet")
    read = read_table(tmp_path / "x.parquet").table.column("m").to_pylist()
    assert read == [
        None if cell is None else json.dumps(cell, ensure_ascii=False, separators=(",", ":")) for cell in cells
    ]


def test_json_that_is_too_deep_or_too_wide_is_one_line(tmp_path: Path) -> None:
    found = {}
    for depth in (10, 984, 100_000):  # at 984 Python may read it and be unable to write it
        (tmp_path / "deep.jsonl").write_text('{"a": ' + "[" * depth + "]" * depth + "}", encoding="utf-8")
        try:
            found[depth] = read_table(tmp_path / "deep.jsonl").table.column("a")[0].as_py()
        except DataError as problem:
            found[depth] = str(problem)
    refused = "Line 1 of deep.jsonl must be one JSON object but is not: it is nested too deeply"
    assert found[10] == "[" * 10 + "]" * 10
    assert found[984] == "[" * 984 + "]" * 984 or found[984].startswith(refused)
    assert found[100_000].startswith(refused)
    wide = json.dumps({"columns": [f"c{i % 39_000}" for i in range(40_000)], "data": []})
    (tmp_path / "wide.json").write_text(wide, encoding="utf-8")
    with pytest.raises(DataError, match="must have at most 5,000 columns but has 40,000"):
        read_table(tmp_path / "wide.json")
