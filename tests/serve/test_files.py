"""Predictions for whole files: every format, every encoding, bounded blocks, whole or absent."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.errors import BundleError, DataError
from ratchet.serve import formats, predict_file
from ratchet.tables.read import read_table

Model = Any  # the Lengths of conftest.py


def rows_of(path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as reader:
        return list(csv.DictReader(reader, delimiter=delimiter))


def test_csv_keeps_its_columns_and_gets_two(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "reviews.csv"
    source.write_text('id,评论,备注\n1,好的,"a, ""b"""\n2,,空\n3,  ,\n4,"两\n行",x\n', encoding="utf-8")
    done = predict_file(bundle.path, source, model=model)
    assert done.target == tmp_path / "reviews.predictions.csv"
    assert (done.format, done.rows, done.without_text) == ("csv", 4, 2)
    found = rows_of(done.target)
    assert [row["备注"] for row in found] == ['a, "b"', "空", "", "x"]
    assert [row["prediction"] for row in found] == ["坏", "", "", "好"]
    assert float(found[0]["probability"]) == pytest.approx(0.416667)
    assert found[1]["probability"] == ""
    assert done.counts == {"坏": 1, "好": 1}
    assert model.seen == [["好的", "两\n行"]]


def test_each_label_has_its_column_on_request(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv"
    source.write_text("评论\nab\n", encoding="utf-8")
    done = predict_file(bundle, source, tmp_path / "y.csv", model=model, each_label=True)
    row = rows_of(done.target)[0]
    assert list(row) == ["评论", "prediction", "probability", "probability_坏", "probability_好", "probability_mixed"]
    assert sum(float(row[name]) for name in list(row)[3:]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_the_encoding_is_found_and_kept(
    tmp_path: Path, bundle: Bundle, model: Model, encoding: str, written: str
) -> None:
    source = tmp_path / "x.csv"
    source.write_bytes("评论\n物流很快😀\n".encode(encoding))
    done = predict_file(bundle, source, model=model)
    assert done.target.read_bytes().decode(written).startswith("评论,prediction,probability\n物流很快😀,坏,")
    assert model.seen == [["物流很快😀"]]


def test_a_national_encoding_becomes_utf8(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv"
    source.write_bytes("text\ncafé\n".encode("latin-1"))
    done = predict_file(bundle, source, model=model, encoding="latin-1", text="text")
    assert rows_of(done.target)[0]["text"] == "café"


def test_gzip_in_and_out(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv.gz"
    source.write_bytes(gzip.compress("评论\n好\n".encode("gb18030")))
    shares: list[float | None] = []
    done = predict_file(bundle, source, model=model, progress=lambda _, share: shares.append(share))
    assert done.target.name == "x.predictions.csv.gz"
    assert gzip.decompress(done.target.read_bytes()).decode("gb18030").splitlines()[1].startswith("好,坏,")
    assert shares == [None]
    plain = predict_file(bundle, source, tmp_path / "y.csv", model=model)
    assert plain.target.read_bytes() == gzip.decompress(done.target.read_bytes())


def test_standard_input_to_standard_output(bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeff好\n不错\n".encode())))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out))
    done = predict_file(bundle, "-", model=model)
    assert str(done.target) == "-"
    assert [line.split("\t")[:2] for line in out.getvalue().decode().splitlines()] == [
        ["text", "prediction"],
        ["好", "坏"],
        ["不错", "坏"],
    ]


def test_standard_input_in_another_format(
    tmp_path: Path, bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO('{"评论": "好"}\n'.encode())))
    done = predict_file(bundle, "-", tmp_path / "y.jsonl", format="jsonl", model=model)
    assert json.loads(done.target.read_text(encoding="utf-8"))["prediction"] == "坏"


def test_a_five_megabyte_cell(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv"
    source.write_text("评论\n" + "长" * 1_700_000 + "\n", encoding="utf-8")
    assert predict_file(bundle, source, model=model).rows == 1
    assert csv.field_size_limit() == 131072  # as it was


BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": ("x.csv", b"", "must have a header line but is empty"),
    "no such column": (
        "x.csv",
        "评论s,b\n1,2\n".encode(),
        "column '评论' \\(the text; see --text\\) but has '评论s', 'b'. Did you mean '评论s'",
    ),
    "nothing near": (
        "x.csv",
        b"a,b\n1,2\n",
        "must have the column '评论' \\(the text; see --text\\) but has 'a', 'b'. Name",
    ),
    "twice": ("x.csv", "评论,评论\n1,2\n".encode(), "one column '评论' but has several"),
    "taken": ("x.csv", "评论,prediction\n1,2\n".encode(), "must not have a column 'prediction'"),
    "too wide": ("x.csv", "评论\nok\n1,2\n".encode(), "Row 2 of .* must have 1 cells like the header but has 2"),
    "too short": ("x.csv", "评论,b\n\nok\n".encode(), "Row 1 of .* must have 2 cells like the header but has 1"),
    "open quote": ("x.csv", '评论,b\nok,1\n"x,2\ny,3\n'.encode(), "quotes in pairs but near line 4 has not"),
    "lone quote": ("x.csv", '评论,b\n"x"y,2\n'.encode(), "quotes in pairs but near line 2 has not"),
    "giant cell": (
        "x.csv",
        ('评论,b\n"' + "x\n" * 40_000 + '",1').encode(),
        "near line .*field larger than field limit",
    ),
    "binary": ("x.csv", b"\x81\xff\x00\xfe", "x.csv must be UTF-8 but line 1 is not: byte 0x81 .*--encoding"),
    "latin-1": ("x.csv", "text\ncafé au lait à la crème\n".encode("latin-1"), "must be UTF-8 but line 2 is not"),
    "mixed": ("x.csv", "评论\n好评\n".encode() * 9 + "好评".encode("gb18030"), "must be in one encoding but line 19"),
    "not gzip": ("x.csv.gz", b"text", "must be a whole gzip file"),
    "cut gzip": ("x.csv.gz", gzip.compress(b"text" * 100)[:-12], "must be a whole gzip file"),
    "not JSON": ("x.jsonl", '{"评论": "a"}\n{"评论"\n'.encode(), "Line 2 of .* must be one JSON object"),
    "a list": ("x.jsonl", b"[1]\n", "Line 1 of .* must be a JSON object but is list"),
    "key twice": ("x.jsonl", '{"评论": "a", "评论": "b"}\n'.encode(), "Line 1 of .* the key '评论' occurs twice"),
    "spaced key": ("x.jsonl", '{" 评论": "a"}\n'.encode(), "column '评论' \\(the text; see --text\\) but has ' 评论'"),
    "no such field": ("x.jsonl", b'\n{"a": 3}\n', "column '评论' \\(the text; see --text\\) but has 'a'"),
    "taken field": ("x.jsonl", '{"评论": "a", "probability": 1}'.encode(), "must not have a column 'probability'"),
    "not Parquet": ("x.parquet", b"PAR1", "must be a whole Parquet file"),
    "endless line": ("x.txt", b"x" * 70_000, "Line 1 of .* must have fewer than 65536 characters"),
    "strange suffix": ("x.docx", b"", "must end in one of .csv, .tsv"),
}


@pytest.mark.parametrize("case", BAD)
def test_unusable_sources_leave_nothing(
    tmp_path: Path, bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(formats, "LINE_CHARACTERS", 65_536)
    name, data, message = BAD[case]
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        predict_file(bundle, folder / name, model=model)
    assert [path.name for path in folder.iterdir()] == [name]


def test_jsonl_is_read_as_check_and_run_read_it(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.jsonl"
    lines = ['{"a": 1}', '{"评论": 1.10, "a": 2}', '{"评论": true}', '{"评论": null}', '{"评论": ["b", 1]}']
    source.write_text("\n".join(lines), encoding="utf-8")
    done = predict_file(bundle, source, model=model)
    assert (done.rows, done.without_text) == (5, 2)
    assert model.seen == [["1.10", "true", '["b",1]']]
    assert [line.split(', "prediction"')[0] for line in done.target.read_text("utf-8").splitlines()] == [
        line[:-1] for line in lines
    ]
    read = read_table(source).table.column("评论").to_pylist()
    assert [text for text in read if text is not None] == model.seen[0]


@pytest.mark.parametrize("kind", ["json", "arrow"])
def test_a_table_of_one_column_keeps_its_empty_rows(tmp_path: Path, bundle: Bundle, model: Model, kind: str) -> None:
    source = tmp_path / f"x.{kind}"
    if kind == "json":
        source.write_text('[{"评论": "a"}, {"评论": null}, {"评论": "b"}]', encoding="utf-8")
    else:
        table = pa.table({"评论": ["a", None, "b"]})
        with pa.ipc.new_file(source, table.schema) as writer:
            writer.write_table(table)
    done = predict_file(bundle, source, model=model)
    assert (done.rows, done.without_text) == (3, 1)
    assert [row["评论"] for row in rows_of(done.target)] == ["a", "", "b"]


def test_a_damaged_page_is_a_fault_of_the_source(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.parquet"
    pq.write_table(pa.table({"评论": [f"好的{i}" for i in range(3000)]}), source, use_dictionary=False)
    data = bytearray(source.read_bytes())
    data[60:2000] = bytes(1940)
    source.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.parquet must be a whole Parquet file but is not"):
        predict_file(bundle, source, model=model)
    ends = pa.py_buffer(np.array([0, 2], np.int32))
    pq.write_table(
        pa.table({"评论": pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(b"\xff\xfe")])}), source
    )
    with pytest.raises(DataError, match=r"'评论' of .* must be text but is damaged UTF-8"):
        predict_file(bundle, source, model=model)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["x.parquet"]


def test_what_a_killed_process_left_of_a_result_goes(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source, left = tmp_path / "x.csv", tmp_path / ".y.csv.new-0a1b2c3d"
    source.write_text("评论\na\n", encoding="utf-8")
    left.write_text("half", encoding="utf-8")
    predict_file(bundle, source, tmp_path / "y.csv", model=model)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"x.csv", "y.csv"}


def test_what_of_a_folder_was_not_read_is_told(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.csv").write_text("评论\na\n", encoding="utf-8")
    (tmp_path / "d" / "notes.md").write_text("not a table", encoding="utf-8")
    assert "notes.md" in " ".join(predict_file(bundle, tmp_path / "d", model=model).notes)


def test_missing_file_and_unwritable_target(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        predict_file(bundle, tmp_path / "none.csv", model=model)
    source = tmp_path / "x.txt"
    source.write_text("a", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written: No such file"):
        predict_file(bundle, source, tmp_path / "no" / "y.tsv", model=model)


def test_a_model_that_fails_leaves_the_old_result(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.txt"
    source.write_text("a\n", encoding="utf-8")
    target = tmp_path / "x.predictions.tsv"
    target.write_text("old", encoding="utf-8")
    model.labels = ("one", "two")
    with pytest.raises(BundleError, match="must answer with shape"):
        predict_file(bundle, source, model=model)
    assert target.read_text(encoding="utf-8") == "old"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["new.json", "new.arrow", "new.arrow#", "folder"])
def test_tables_that_are_read_whole_become_csv(bundle: Bundle, model: Model, tmp_path: Path, name: str) -> None:
    table = pa.table({"id": ["1", "2"], "text": ["好的", None]})
    if name == "new.json":
        (tmp_path / name).write_text('[{"id": 1, "text": "好的"}, {"id": 2, "text": null}]', encoding="utf-8")
    elif name == "folder":
        (tmp_path / name).mkdir()
        pq.write_table(table, tmp_path / name / "a.parquet")
    else:
        name = name.rstrip("#")
        with pa.ipc.new_file(tmp_path / name, table.schema) as writer:
            writer.write_table(table)
    done = predict_file(bundle, tmp_path / name, model=model, text="text")
    assert done.target == tmp_path / f"{Path(name).stem}.predictions.csv"
    assert (done.rows, done.without_text) == (2, 1)
    with done.target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == ["好的", ""]
    assert rows[0]["prediction"]
    assert rows[1]["prediction"] == ""


TABLES = {
    "semicolons": ("a.csv", "评论;价格\n好;1,5\n坏;2,5\n"),
    "a line that names them": ("a.csv", "sep=;\n评论;备注\n好,好;1\n坏;2\n"),
    "a title": ("a.csv", "2024年导出,,\n评论,编号,备注\n好,1,x\n坏,2,y\n好坏,3,z\n"),
    "bars in .txt": ("a.txt", "编号|评论\n1|好\n2|坏\n"),
    "tabs in .txt": ("a.txt", "编号\t评论\n1\t好\n2\t坏\n"),
    "JSON lines in .txt": ("a.txt", '{"评论": "好"}\n{"评论": "坏"}\n'),
    "a document in .txt": ("a.txt", '[{"评论": "好"}, {"评论": "坏"}]'),
    ".tab": ("a.tab", "评论\t编号\n好\t1\n坏\t2\n"),
    ".json": ("a.json", '[{"评论": "好"}, {"评论": "坏"}]'),
    "blank lines": ("a.csv", "\n\n评论,备注\n好,1\n\n坏,2\n"),
}


@pytest.mark.parametrize("case", TABLES)
def test_what_check_and_run_read_is_read(tmp_path: Path, bundle: Bundle, model: Model, case: str) -> None:
    name, content = TABLES[case]
    (tmp_path / name).write_text(content, encoding="utf-8")
    texts = read_table(tmp_path / name).table.column("评论").to_pylist()
    done = predict_file(bundle, tmp_path / name, model=model)
    assert model.seen == [texts]
    assert read_table(done.target).table.column("评论").to_pylist() == texts


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_readers_give_the_same_texts(tmp_path: Path, bundle: Bundle, data: st.DataObject) -> None:
    cell = st.text(st.sampled_from("a好,;\t|\"' \n\r0."), max_size=6)
    width = data.draw(st.integers(1, 3))
    rows = data.draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=6))
    name, mark = data.draw(st.sampled_from([("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.txt", "|")]))
    above = data.draw(st.sampled_from(["", "", "表\n", "表\n\n", f"sep={mark}\n"]))
    columns = data.draw(st.sampled_from([(), ("评论",), ("评论", "b")]))[:width]
    how = data.draw(st.sampled_from(["all", "minimal", "raw"]))
    header = [] if columns else [["评论", "b", "c"][:width]]
    with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
        file.write("" if columns else above)
        if how == "raw":  # as who knows nothing of quotes
            file.writelines(mark.join(row) + "\n" for row in [*header, *rows])
        else:
            out = csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL if how == "all" else csv.QUOTE_MINIMAL)
            out.writerows([*header, *rows])
    seen: list[str] = []

    class Heard:
        labels = ("x", "y")

        def predict(self, texts: list[str]) -> np.ndarray:
            seen.extend(texts)
            return np.full((len(texts), 2), 0.5, np.float32)

    source, target = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    form: Any = "csv" if name == "a.txt" and not columns else None  # what has no column of that name is lines
    try:
        whole = read_table(source, columns=columns).table.column("评论").to_pylist()
    except DataError as problem:
        empty = "must have rows but has only a header", "must have a header and rows but is empty"
        if any(words in str(problem) for words in empty) or any("\0" in text for row in rows for text in row):
            return
        with pytest.raises(DataError):
            predict_file(bundle, source, target, columns=columns, format=form, model=Heard())
        return
    except KeyError:  # such as a cell that is the separator in a table of one column: no reader can tell
        return
    predict_file(bundle, source, target, columns=columns, format=form, model=Heard())
    assert seen == [text for text in whole if text and text.strip()]


def test_one_column_without_a_header_becomes_a_table_that_others_read(
    tmp_path: Path, bundle: Bundle, model: Model
) -> None:
    source = tmp_path / "x.csv"
    source.write_text("foo, x\nbar\n", encoding="utf-8")
    done = predict_file(bundle, source, columns=("评论",), model=model)
    assert [row["评论"] for row in rows_of(done.target)] == ["foo, x", "bar"]


def test_standard_output_under_its_own_name_is_written_on(tmp_path: Path) -> None:
    code = "import pathlib, ratchet.workspace.workspace as w; w.write_named(pathlib.Path('/dev/stdout'), b'new')"
    with (tmp_path / "log").open("wb") as log:
        log.write(b"old ")
        log.flush()
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
        log.write(b" end")
    assert (tmp_path / "log").read_bytes() == b"old new end"


def test_a_table_without_a_header_gets_one(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    (tmp_path / "a.csv").write_text("好,1,x\n坏,2,y\n", encoding="utf-8")
    done = predict_file(bundle, tmp_path / "a.csv", model=model, columns=("评论",))
    assert [list(row)[:3] for row in rows_of(done.target)] == [["评论", "column_2", "column_3"]] * 2
    assert model.seen == [["好", "坏"]]
    with pytest.raises(DataError, match="must have a cell for each of the 4 names but has 3"):
        predict_file(bundle, tmp_path / "a.csv", model=model, columns=("a", "b", "c", "d"))


@pytest.mark.parametrize("which", ["stdin", "stdout"])
def test_a_closed_stream_is_one_line(bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("好\n".encode())))
    monkeypatch.setattr(sys, which, None)
    with pytest.raises(DataError, match="must be open but is closed"):
        predict_file(bundle, "-", model=model)


def test_a_folder_that_takes_no_files_is_one_line(
    tmp_path: Path, bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("评论\n好\n", encoding="utf-8")

    def refused(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr("ratchet.workspace.workspace._claim_file", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(DataError, match=r"y\.csv cannot be written: Read-only file system"):
        predict_file(bundle, tmp_path / "a.csv", tmp_path / "y.csv", model=model)


class Said:
    """One answer a text: what the text says, and nothing to a question mark."""

    labels = ("answer",)

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.object_]:
        return np.array([[None if text == "?" else text] for text in texts], object)


def written(bundle: Bundle, folder: Path, **how: Any) -> Bundle:
    return write_bundle(
        folder / "other",
        model_folder=bundle.path / "model",
        name="other",
        created="2026-11-24T08:00:00Z",
        kind="linear",
        text_column="text",
        **how,
    )


@pytest.mark.parametrize(("wrong", "blank"), [(1, 0), (0, 2), (7, 9)])
def test_rows_without_an_answer_are_counted_once_and_named(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, wrong: int, blank: int
) -> None:
    monkeypatch.setattr(formats, "BLOCK_ROWS", 4)
    made = written(bundle, tmp_path, labels=("answer",), task="generation")
    source = tmp_path / "x.csv"
    rows = ["text", "a", *["?"] * wrong, *['" "'] * blank, "b"]
    source.write_text("\n".join(rows), encoding="utf-8")
    done = predict_file(made, source, model=Said())
    assert (done.answered, done.without_text, done.without_answer, done.abstained) == (2, blank, wrong, None)
    assert done.rows == 2 + blank + wrong
    assert done.counts == {}
    expected = {
        (1, 0): "2 answered, 1 without an answer (row 2)",
        (0, 2): "2 answered, 2 without a text (rows 2, 3)",
        (7, 9): "2 answered, 9 without a text (rows 9, 10, 11, 12, 13 and 4 more), "
        "7 without an answer (rows 2, 3, 4, 5, 6 and 2 more)",
    }
    assert done.line == f"{done.rows} rows to {done.target}: {expected[wrong, blank]}"


def test_a_row_that_is_left_to_people_is_counted_once(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    promise = {"below": 0.5, "error": 0.1, "confidence": 0.95, "answered": 0.5, "judged_rows": 9, "tested_rows": 9}
    made = written(bundle, tmp_path, labels=bundle.labels, model={"abstain": promise})
    source = tmp_path / "x.csv"
    source.write_text("text\n" + "\n".join("a" * size for size in range(1, 9)) + '\n" "\n', encoding="utf-8")
    done = predict_file(made, source, model=model)
    left = [row["abstain"] for row in rows_of(done.target)].count("true")
    assert 0 < left < 8
    assert (done.rows, done.answered, done.abstained, done.without_text) == (9, 8 - left, left, 1)
    assert sum(done.counts.values()) == done.answered
    counts = ", ".join(f"{label}: {count}" for label, count in done.counts.items())
    assert done.line.endswith(f": {8 - left} answered ({counts}), {left} left to people, 1 without a text (row 9)")
