"""Reading: what a sound file becomes, and the one line that each ugly file gets."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet.errors import DataError
from ratchet.recipe.sections import DataConfig
from ratchet.tables.dataset import Dataset
from ratchet.tables.read import read_dataset, read_table, require_apart
from ratchet.text.columns import taken

ROWS = {"text": ["你好，世界", 'say "hi", twice', "two\nlines"], "label": ["好", "b", "b"]}
LINES = '"text"@label\n"你好，世界"@好\r\n\n"say ""hi"", twice"@b\n"two\nlines"@b\n'
CSV, SEMICOLONS, TABS = (LINES.replace("@", mark) for mark in (",", ";", "\t"))
JSONL = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in zip(*ROWS.values(), strict=True))


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def read(folder: Path, *names: str, **config: object) -> Dataset:
    return read_dataset([Path(name) for name in names], config=DataConfig(**config), base=folder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "data", "encoding"),
    [
        ("a.csv", CSV.encode(), "utf-8"),
        ("a.CSV", CSV.encode("utf-8-sig"), "utf-8"),
        ("a.csv", CSV.encode("gb18030"), "gb18030"),
        ("a.csv", CSV.encode("utf-16"), "utf-16"),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0), "utf-8"),
        ("a.csv", SEMICOLONS.encode(), "utf-8"),
        ("a.csv", TABS.encode(), "utf-8"),
        ("a.csv", SEMICOLONS.replace(";", "|").encode(), "utf-8"),
        ("a.tsv", TABS.encode(), "utf-8"),
        ("a.jsonl", JSONL.encode(), "utf-8"),
        ("a.ndjson", JSONL.encode("gb18030"), "utf-8"),
    ],
)
def test_every_format_and_encoding_gives_the_same_rows(tmp_path: Path, name: str, data: bytes, encoding: str) -> None:
    raw = read_table(write(tmp_path, name, data))
    assert raw.table.to_pydict() == ROWS
    assert raw.encoding == encoding


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table(ROWS), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").table.to_pydict() == ROWS


def test_latin_1_only_when_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\ncafé au lait,é\n".encode("latin-1"))
    assert read_table(path, encoding="latin-1").table.to_pydict() == {"text": ["café au lait"], "label": ["é"]}
    with pytest.raises(DataError, match=r"UTF-8 but line 2 is not: byte 0xE9 at position 4 .*reads like windows-1252"):
        read_table(path)


def test_missing_cells_become_null_and_other_cells_stay_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "text,label,note\n a ,x,\u3000\nb,NA,none of it\n未知,x, NULL \n")
    table = read(tmp_path, "a.csv").table.to_pydict()
    assert table == {"text": [" a ", "b", None], "label": ["x", "NA", "x"], "note": [None, "none of it", None]}
    assert read(tmp_path, "a.csv", missing=["b"]).column("text") == [" a ", None, "未知"]


def test_several_files_are_one_table_and_every_row_knows_where_it_came_from(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "text,label\na,1\nb,2\n")
    write(tmp_path, "b.jsonl", '{"label": 3, "text": "c"}\n')
    dataset = read(tmp_path, "a.csv", "b.jsonl")
    assert dataset.table.to_pydict() == {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}
    assert [dataset.place(i) for i in range(3)] == ["row 1 of a.csv", "row 2 of a.csv", "row 1 of b.jsonl"]
    assert dataset.take([2]).place(0) == "row 1 of b.jsonl"


def test_a_column_without_a_name_gets_its_number(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "a.csv", ", text ,label\n0,a,x\n")).table.column_names == [
        "column_1",
        "text",
        "label",
    ]


UTF8_LINES = "text,label\n" + "我喜欢这本书,好\n" * 5
BAD_FILES = [
    ("empty.csv", b"", "empty.csv must have a header and rows but is empty."),
    ("blank.csv", b" \n\n", "blank.csv must have a header and rows but is empty."),
    ("empty.jsonl", b"", "empty.jsonl must have a header and rows but is empty."),
    ("header.csv", b"text,label\n", "header.csv must have rows but has only a header."),
    ("a.doc", b"text,label\na,b\n", "a.doc must end in .csv"),
    ("twice.csv", b"text,label,text\na,b,c\n", "Column names of twice.csv must differ but 'text' names columns 1 and 3."),
    ("long.csv", b"text,label\na,b\n\nc,d,e\n", "Row 2 of long.csv (line 4) must have 2 cells like the header but has 3."),
    ("short.csv", b"text,label\na\n", "Row 1 of short.csv (line 2) must have 2 cells like the header but has 1."),
    ("quote.csv", b'text,label\na,b\n"c,d\ne,f\ng,h\n', "Row 2 of quote.csv (line 3) must have its quotes in pairs"),
    ("joined.csv", b'text,label\n"a,b\nc,d\n"e",f\n', "Row 1 of joined.csv (line 2) must have its quotes in pairs"),
    ("after.csv", b'text,label\n"a" b,c\n', "Row 1 of after.csv (line 2) must have its quotes in pairs"),
    ("head.csv", b'text,"label\n', "The header of head.csv must have its quotes in pairs"),
    ("nul.csv", b"text,label\na,b\nc\x00c,d\n", "Row 2 of nul.csv must be text but holds a NUL byte."),
    ("nulhead.csv", b"text,la\x00bel\na,b\n", "The header of nulhead.csv must be text but holds a NUL byte."),
    ("nul.jsonl", b'{"text": "a\\u0000"}\n', "Row 1 of nul.jsonl must be text but holds a NUL byte."),
    ("cell.csv", b"text,label\na,b\n" + b"x" * 5_000_000 + b",b\n",
     "Row 2 of cell.csv must have at most 1,000,000 bytes per cell but 'text' has 5,000,000."),
    ("giant.csv", b'text,label\n"' + b"x,\n" * 9_000_000 + b'",b\n',
     "Row 1 of giant.csv must have at most 1,000,000 bytes per cell but 'text' has 27,000,000."),
    ("mixed.csv", UTF8_LINES.encode() + "我也喜欢,好\n".encode("gb18030") + UTF8_LINES.encode(),
     "mixed.csv must be in one encoding but line 7 is not UTF-8 like most of the file: byte 0xCE at position 1"),
    ("mixed2.csv", UTF8_LINES.encode("gb18030") + "a 我也喜欢,好\n".encode() + UTF8_LINES.encode("gb18030"),
     "mixed2.csv must be in one encoding but line 7 is not GB18030 like most of the file: byte 0xE6 at position 3"),
    ("utf16.csv", UTF8_LINES.encode("utf-16-le"), "utf16.csv must be text but every other byte is NUL"),
    ("cut.csv", UTF8_LINES.encode()[:-2], "cut.csv must be in one encoding but line 6 is not UTF-8"),
    ("russian.csv", ("text,label\n" + "хорошая книга,да\n" * 9).encode("cp1251"), "russian.csv must be UTF-8 but line 2"),
    ("binary.csv", b"PK\x03\x04\xff\xfe\x81 ,\n", "binary.csv must be UTF-8 but line 1 is not: byte 0xFF at position 5"),
    ("a.csv.gz", b"no gzip", "a.csv.gz cannot be read"),
    ("b.csv.gz", gzip.compress(CSV.encode(), mtime=0)[:-12], "b.csv.gz must be a whole gzip file but is cut off."),
    ("a.parquet", b"no parquet", "a.parquet must be a Parquet file but is not"),
    ("list.jsonl", b'{"a": 1}\n[1]\n', "Line 2 of list.jsonl must be a JSON object but is list."),
    ("comma.jsonl", b'{"a": 1},\n', "Line 1 of comma.jsonl must be one JSON object but is not"),
    ("key.jsonl", b'{"a": 1, "a": 2}\n', "the key 'a' occurs twice"),
    ("deep.jsonl", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
     "Line 1 of deep.jsonl must be one JSON object but is not: it is nested too deeply."),
    ("half.jsonl", b'{"a": "x"}\n{"a": "\\ud83d"}\n', "Row 2 of half.jsonl must be text but 'a' holds half a surrogate pair."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "problem"), BAD_FILES, ids=[name for name, _, _ in BAD_FILES])
def test_an_ugly_file_gets_one_line_that_names_the_place_and_the_next_step(
    tmp_path: Path, name: str, data: bytes, problem: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_table(write(tmp_path, name, data))
    assert problem in caught.value.problem
    assert caught.value.next_step
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", CSV)
    with pytest.raises(DataError, match=r"review\.csv does not exist\. Did you mean 'reviews\.csv'"):
        read_table(tmp_path / "review.csv")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"text": "txt"}, r"must have the column 'txt' \(data\.text\) but has 'text', 'label'\. Did you mean 'text'\?"),
        ({"label": "LABEL"}, r"'LABEL' \(data\.label\).*Did you mean 'label'\?"),
        ({"group": "customer"}, r"'customer' \(data\.group\).*Set data\.group to one of them"),
        ({"label": "text"}, r"data\.text and data\.label must be two columns but both are 'text'"),
        ({"group": "label"}, r"data\.group and data\.label must be two columns"),
        ({"encoding": "utf-7"}, r"data\.encoding must be one of auto, .* but got 'utf-7'"),
        ({"encoding": "gb18030"}, r"a\.csv must be GB18030 but line 2 is not"),
    ],
)
def test_a_wrong_recipe_is_named(tmp_path: Path, config: dict[str, object], problem: str) -> None:
    write(tmp_path, "a.csv", "text,label\n我喜欢这本书啊,好\n")
    with pytest.raises(DataError, match=problem):
        read(tmp_path, "a.csv", **config)


def test_files_of_one_table_have_the_same_columns_and_come_once(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "text,label\na,1\n")
    write(tmp_path, "b.csv", "text,label,more\na,1,2\n")
    (tmp_path / "link.csv").symlink_to("a.csv")
    with pytest.raises(DataError, match=r"b\.csv and a\.csv differ in 'more'"):
        read(tmp_path, "a.csv", "b.csv")
    with pytest.raises(DataError, match=r"link\.csv is given twice \(as a\.csv\)"):
        read(tmp_path, "a.csv", "link.csv")
    with pytest.raises(DataError, match="must name at least one file"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"a\.csv is given twice"):
        require_apart([Path("a.csv")], [Path("b.csv"), Path("a.csv")], base=tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("sms", b'ham\t"Oh, k"\t\t\nspam\tWIN "now"!\t\t\n', ("Oh, k", 'WIN "now"!')),
        ("sms.tsv", b"ham\tOh, k\t\t\nspam\tWIN!\t\t\n", ("Oh, k", "WIN!")),
        ("sms.csv", b'ham,"Oh, k",,\nspam,WIN!,,\n', ("Oh, k", "WIN!")),
        ("sms.txt", "ham;早;;\nspam;中奖;;\n".encode("gb18030"), ("早", "中奖")),
    ],
)
def test_a_file_without_a_header(tmp_path: Path, name: str, data: bytes, expected: tuple[str, str]) -> None:
    (tmp_path / name).write_bytes(data)
    if b'"now"' in data:  # quotes that are not in order: most such files are written without quoting
        expected = ('"Oh, k"', expected[1])
    table = read_table(tmp_path / name, columns=("label", "text")).table
    assert table.column_names == ["label", "text", "column_3", "column_4"]
    assert table.column("text").to_pylist() == list(expected)
    assert table.column("label").to_pylist() == ["ham", "spam"]


def test_more_names_than_cells_and_names_for_a_file_with_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n", encoding="utf-8")
    with pytest.raises(DataError, match="each of the 3 names but has 2"):
        read_table(tmp_path / "a.csv", columns=("a", "b", "c"))
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="has its own"):
        read_table(tmp_path / "a.jsonl", columns=("a",))


@pytest.mark.parametrize("word", ["none", "None", "NA", "N/A", "无", "未知"])
def test_a_class_may_have_a_name_that_means_nothing(tmp_path: Path, word: str) -> None:
    write(tmp_path, "a.csv", f"text,label,note\na,{word},{word}\nb,hate,x\nc,nan,x\nd,,x\n")
    table = read(tmp_path, "a.csv").table.to_pydict()
    assert table["label"] == [word, "hate", None, None]
    assert table["note"] == [None, "x", "x", "x"]
    assert read(tmp_path, "a.csv", no_label=[word]).column("label") == [None, "hate", None, None]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", "sep=;\ntext;label\n好,的;x\n"),
        ("a.csv", '"sep=;"\r\ntext;label\r\n好,的;x\r\n'),
        ("a.csv", "SEP=\t\ntext\tlabel\n好,的\tx\n"),
        ("a.csv", "text;label\n好,的;x\n"),
        ("a.csv", "text|label\n好,的|x\n"),
        ("a.tab", "text\tlabel\n好,的\tx\n"),
        ("a.txt", "text\tlabel\n好,的\tx\n"),
        ("a.txt", 'text,label\n"好,的",x\n'),
        ("a.txt", '{"text": "好,的", "label": "x"}\n'),
        ("a.json", '[{"text": "好,的", "label": "x"}]'),
        ("a.json", '{"version": 1, "data": [{"text": "好,的", "label": "x"}]}'),
        ("a.json", '{"text": {"0": "好,的"}, "label": {"0": "x"}}'),
        ("a.json", '{"0": {"text": "好,的", "label": "x"}}'),
        ("a.json", '{"columns": ["text", "label"], "index": [0], "data": [["好,的", "x"]]}'),
        ("a.json", '{"text": ["好,的"], "label": ["x"]}'),
        ("a.json", '{"text": "好,的", "label": "x"}\n{"text": "好,的", "label": "x"}\n'),
        ("a.csv", "销售评论导出 2024,\ntext,label\n好的,x\n坏,y\n中,x\n"),
        ("a.csv", "\n评论\ntext,label\n好的,x\n坏,y\n中,x\n"),
    ],
)
def test_tables_as_people_have_them(tmp_path: Path, name: str, data: str) -> None:
    table = read_table(write(tmp_path, name, data)).table.to_pydict()
    assert list(table) == ["text", "label"]
    assert (table["text"][0], table["label"][0]) in (("好,的", "x"), ("好的", "x"))


def test_a_mark_in_a_column_name_does_not_cut_the_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "评论(原文,未清洗);label\n" + "很好，推荐;a\n不好,差;b\n" * 5)
    assert read_table(path).table.column_names == ["评论(原文,未清洗)", "label"]


@pytest.mark.parametrize(
    "data", ["text\na\nb\nc\nd\n", "text,label\na,x\n,\nb,\n", "a,\nb,x\n", "only\n", "text,label\na,x\n"]
)
def test_a_header_is_no_title(tmp_path: Path, data: str) -> None:
    table = read_table(write(tmp_path, "a.csv", data + ("z\n" if data == "only\n" else ""))).table
    assert table.column_names[0] == data.split("\n")[0].split(",")[0]


def test_a_first_row_that_is_no_header_is_told(tmp_path: Path) -> None:
    rows = [f"{'体育财经'[i % 2 * 2 : i % 2 * 2 + 2]}\t第{i}条\n" for i in range(20)]
    (note,) = read_table(write(tmp_path, "a.tsv", "".join(rows))).notes
    assert "'体育' is also a value of that column (9 rows)" in note
    assert "--columns" in note
    assert read_table(write(tmp_path, "b.tsv", "".join(rows)), columns=["label", "text"]).notes == ()
    (note,) = read_table(write(tmp_path, "c.csv", "text,label\na,x\ntext,label\nb,y\n")).notes
    assert "repeats its header as row 2" in note


@pytest.mark.parametrize("encoding", ["big5", "windows-1252", "cp950", "ansi"])
def test_other_encodings_when_they_are_named(tmp_path: Path, encoding: str) -> None:
    text = "這家飯店的服務很好" if "5" in encoding and "1252" not in encoding else "“café” — naïve"
    codec = {"big5": "big5", "cp950": "big5"}.get(encoding, "cp1252")
    path = write(tmp_path, "a.csv", f"text,label\n{text},x\n".encode(codec))
    assert read_table(path, encoding=encoding).table.column("text").to_pylist() == [text]


def test_big5_is_named_where_it_reads_well(tmp_path: Path) -> None:
    rows = "這家飯店的服務很好，房間也乾淨，下次還會來住。不過早餐有點貴。,x\n" * 20
    with pytest.raises(DataError, match=r"reads like big5: if it is, say so with --set data\.encoding=big5"):
        read_table(write(tmp_path, "a.csv", f"text,label\n{rows}".encode("big5")))


def test_one_bad_byte_does_not_judge_a_whole_file(tmp_path: Path) -> None:
    data = ("text,label\n" + "".join(f"这台机器的价格{i}还行,{i % 2}\n" for i in range(100))).encode("gbk")
    place = data.index("价格5".encode("gbk")) + 4
    with pytest.raises(DataError, match="must be GB18030 but line 7 is not: byte 0x80"):
        read_table(write(tmp_path, "a.csv", data[:place] + b"\x80" + data[place:]))


@pytest.mark.parametrize("name", ["GBK", "cp936", "gb2312", "GB18030"])
def test_encodings_have_several_names(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "a.csv", "text,label\n好,x\n".encode("gb18030"))
    assert read_table(path, encoding=name).table.column("text").to_pylist() == ["好"]


def test_features_of_another_shape_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    with pa.ipc.new_stream(tmp_path / "d" / "data-00000-of-00001.arrow", table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (tmp_path / "d" / "dataset_info.json").write_text('{"features": ["text", "label"]}')
    assert read_table(tmp_path / "d").table.column("label").to_pylist() == ["0", "1"]


def test_rows_are_taken_in_pieces_that_fit_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.text.columns._TAKEN", 3)
    monkeypatch.setattr("ratchet.text.columns._SMALL", 20)
    column = pa.chunked_array([["abc", None, "房间"], ["d" * 30, "e"], ["f"]])
    rows = np.array([5, 0, 3, 3, 2, 1, 4])
    assert taken(column, rows).to_pylist() == [column[row].as_py() for row in rows.tolist()]
    assert taken(column, rows).type == column.type
    assert taken(column, rows[:0]).to_pylist() == []
