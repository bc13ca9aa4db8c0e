"""Bounds: small files that would take the whole machine get one line instead."""

from __future__ import annotations

import gzip
import json
import os
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet import bounds
from ratchet.bounds import json_value, unpacks_too_far, usable_cores
from ratchet.errors import DataError
from ratchet.tables.read import read_table
from ratchet.tables.sources import locate
from ratchet.workspace.finished import load_json

HEAD = '<row><c t="inlineStr"><is><t>text</t></is></c><c t="inlineStr"><is><t>label</t></is></c></row>'
ROW = '<row><c t="str"><v>good</v></c><c t="str"><v>pos</v></c></row>'


def book(path: Path, sheet: Iterable[str], *, strings: Iterable[str] = (), after: str = "") -> Path:
    """A workbook of one sheet with these rows, or of what else stands in its place."""
    relation = '<Relationship Id="{}" Type="x/{}" Target="{}"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        top = relation.format("r", "officeDocument", "xl/workbook.xml")
        package.writestr("_rels/.rels", f"<Relationships>{top}</Relationships>")
        package.writestr("xl/workbook.xml", '<workbook><sheets><sheet name="One" id="s"/></sheets></workbook>')
        parts = relation.format("s", "worksheet", "s.xml") + relation.format("t", "sharedStrings", "t.xml")
        package.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{parts}</Relationships>")
        for name, open_, content, close in (
            ("xl/s.xml", "<worksheet><sheetData>", sheet, f"</sheetData>{after}</worksheet>"),
            ("xl/t.xml", "<sst>", strings, "</sst>"),
        ):
            with package.open(name, "w") as part:
                for piece in (open_, *content, close):
                    part.write(piece.encode())
    return path


def problem_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path, name=path.name)
    assert caught.value.next_step
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_cell_of_many_values_takes_time_in_proportion(tmp_path: Path) -> None:
    # 3 million pieces: in quadratic time this would take an hour.
    path = book(tmp_path / "a.xlsx", [HEAD, ROW, '<row><c t="str">', *["<v>a</v>" * 10_000] * 300, "</c></row>"])
    with pytest.raises(DataError, match="must have at most 1,000,000 bytes per cell"):
        read_table(path)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["<row>", *["<c><v>1</v></c>" * 10_000] * 300, "</row>"], "row 2 has more than 16,384 cells"),
        (['<row><c r="XFE1"><v>1</v></c></row>'], "row 2 has more than 16,384 cells"),
        (["<row>" + "<c><v>1</v></c>" * 6_000 + "</row>"], "must have at most 5,000 columns but has 6,000"),
        (
            ["<row>" + "<c><v>1</v></c>" * 4_900 + "</row>", *["<row><c><v>1</v></c></row>" * 1_000] * 11],
            "must have at most 50,000,000 cells",
        ),
        (["<row><c><v>1</v></c></row>" * 10_000] * 700, "bytes would become"),
        (['<row><c t="inlineStr"><is><t>', *["a" * 1_000_000] * 200, "</t></is></c></row>"], "bytes would become"),
    ],
)
def test_workbooks_that_would_fill_the_memory(tmp_path: Path, rows: list[str], why: str) -> None:
    assert why in problem_of(book(tmp_path / "a.xlsx", [HEAD, *rows]))


def test_shared_strings_count_towards_what_is_unpacked(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [HEAD, ROW], strings=["<si><t>a</t></si>" * 100_000] * 100)
    assert "bytes would become" in problem_of(path)


def test_merged_cells_are_counted_not_kept(tmp_path: Path) -> None:
    many = '<mergeCell ref="A5:B6"/>' * 100_000
    path = book(tmp_path / "a.xlsx", [HEAD, ROW], after=f"<mergeCells>{many}</mergeCells>")
    assert "100,000 merged cells (such as A5:B6)" in read_table(path).notes[-1]


def test_cells_far_apart_are_rows_with_gaps(tmp_path: Path) -> None:
    rows = [f'<row r="{i}"><c r="{"ABCDE"[i % 5]}{i}" t="str"><v>v{i}</v></c></row>' for i in range(2, 20_002)]
    table = read_table(book(tmp_path / "a.xlsx", [HEAD, *rows])).table
    assert (table.num_rows, table.num_columns) == (20_000, 5)
    assert sum(len(column) - column.null_count for column in table.columns) == 20_000
    assert table.column("column_5").to_pylist()[:7] == [None, None, "v4", None, None, None, None]
    assert table.column("text")[19_998].as_py() == "v20000"


@pytest.mark.parametrize("count", [5_001, 100_000])
def test_wide_tables_of_every_format(tmp_path: Path, count: int) -> None:
    names = ["text", "label", *(f"c{i}" for i in range(count - 2))]
    (tmp_path / "a.csv").write_text(f"{','.join(names)}\n{','.join('x' for _ in names)}\n")
    row = dict.fromkeys(names, "x")
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "a.json").write_text(json.dumps([row]))
    for name in ("a.csv", "a.jsonl", "a.json"):
        assert f"{name} must have at most 5,000 columns but has" in problem_of(tmp_path / name)
    if count < 10_000:
        table = pa.table({name: ["x"] for name in names})
        pq.write_table(table, tmp_path / "a.parquet")
        with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        for name in ("a.parquet", "a.arrow"):
            assert "must have at most 5,000 columns but has 5,001" in problem_of(tmp_path / name)


def test_keys_that_differ_from_row_to_row(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a", **{f"k{i}_{j}": 1 for j in range(100)}}) for i in range(60)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert "must have at most 5,000 columns" in problem_of(tmp_path / "a.jsonl")


def test_packed_tables_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "UNPACKED_BYTES", 1 << 20)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,label\n" + b"a,b\n" * (1 << 22)))
    same = pa.array(["x" * 100_000]).dictionary_encode().take(pa.array([0] * 500))
    table = pa.table({"text": same, "label": ["a"] * 500}).cast(
        pa.schema([("text", pa.string()), ("label", pa.string())])
    )
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=100)
    for name in ("a.csv.gz", "a.parquet", "a.arrow"):
        assert "must unpack to a table but" in problem_of(tmp_path / name), name
    ordinary = "".join(f"{i * 7919 % 104_729},{i}\n" for i in range(150_000))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(f"text,label\n{ordinary}".encode()))
    assert read_table(tmp_path / "b.csv.gz").table.num_rows == 150_000


def test_what_is_packed() -> None:
    assert unpacks_too_far(2 << 30, 1 << 20)
    assert not unpacks_too_far(2 << 30, 100 << 20)
    assert not unpacks_too_far(1 << 20, 1)
    assert unpacks_too_far(1 << 28, 1 << 20, book=True)


def test_long_rows_are_read_in_small_batches(tmp_path: Path) -> None:
    texts = [f"{i} " + "x" * 90_000 for i in range(300)]
    pq.write_table(pa.table({"text": texts, "label": ["a", "b"] * 150}), tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet").table
    assert read.column("text").to_pylist() == texts


def test_no_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    monkeypatch.setattr("ratchet.tables.read.from_csv", full)
    assert "a.csv needs more memory than there is" in problem_of(tmp_path / "a.csv")


def test_json_that_python_can_not_read(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(ValueError, match="nested too deeply"):
        json_value(deep)
    (tmp_path / "deep.json").write_text(f'[{{"text": {deep}}}]')
    (tmp_path / "deep.jsonl").write_text(f'{{"text": "a", "label": {deep}}}\n')
    for name in ("deep.json", "deep.jsonl"):
        assert "nested too deeply" in problem_of(tmp_path / name)
    with pytest.raises(Exception, match="must be readable JSON but is not"):
        load_json(tmp_path / "deep.json")


def test_numbers_of_many_digits_stay_as_they_are_written(tmp_path: Path) -> None:
    long = "9" * (sys.int_info.default_max_str_digits + 700)
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "label": {long}}}\n{{"text": "b", "label": [1{long}, 2]}}\n')
    (tmp_path / "a.json").write_text(f'[{{"text": "a", "label": {long}}}, {{"text": "b", "label": [1{long}, 2]}}]')
    for name in ("a.jsonl", "a.json"):
        assert read_table(tmp_path / name).table.column("label").to_pylist() == [long, f'["1{long}",2]']


def test_aliases_in_the_readme_of_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("text,label\na,b\n")
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    (tmp_path / "README.md").write_text("---\n" + "\n".join(lines) + "\nconfigs: *i\n---\n")
    assert read_table(tmp_path).table.num_rows == 1


def test_pipes_and_devices_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert "must be a file but is a pipe" in problem_of(tmp_path / "a.csv")
    with pytest.raises(DataError, match="is a device"):
        locate(Path("/dev/null"), name="/dev/null")


def test_a_file_that_grows_while_it_is_read_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,b\n")
    whole = Path.read_bytes

    def grows(self: Path) -> bytes:
        data = whole(self)
        with path.open("a") as file:
            file.write("c,d\n")
        return data

    monkeypatch.setattr(Path, "read_bytes", grows)
    assert read_table(path).table.to_pylist() == [{"text": "a", "label": "b"}]


@pytest.mark.parametrize("cell", ["=A1+1", "['a', 'b']", "😀", ""])
def test_a_table_whose_every_cell_is_the_same(tmp_path: Path, cell: str) -> None:
    quoted = f'"{cell}"'
    (tmp_path / "a.csv").write_text("text,label\n" + f"{quoted},{quoted}\n" * 50)
    table = read_table(tmp_path / "a.csv").table
    assert table.num_rows == 50
    assert set(table.column("text").to_pylist()) == {cell}


@pytest.mark.parametrize(
    ("quota", "most"),
    [
        ("max 100000", 999),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("150000 100000", 2),
        ("damaged", 999),
        ("1 0", 999),
    ],
)
def test_cores_are_those_of_the_container(tmp_path: Path, quota: str, most: int) -> None:
    (tmp_path / "cpu.max").write_text(quota, encoding="ascii")
    all_ = usable_cores(tmp_path / "none")
    assert usable_cores(tmp_path / "cpu.max") == min(most, all_)
