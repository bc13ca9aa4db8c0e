"""Delimiters, titles above the header and headers that are none, as files have them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ratchet.errors import DataError
from ratchet.serve.formats import Pass, delimited
from ratchet.serve.rows import Fields
from ratchet.tables.read import RawTable, read_table

ROWS = [(f"这家酒店的第{i}间房很好", "好" if i % 2 else "差") for i in range(8)]


def read(folder: Path, text: str, *, name: str = "t.csv", columns: tuple[str, ...] = ()) -> RawTable:
    (folder / name).write_bytes(text.encode())
    return read_table(folder / name, name=name, columns=columns)


def body(mark: str = ",", *, header: bool = True) -> str:
    rows = [("text", "label"), *ROWS] if header else ROWS
    return "".join(mark.join(row) + "\n" for row in rows)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", "\x01", "^", "~"])
def test_the_mark_that_cuts_all_rows_alike_is_the_delimiter(tmp_path: Path, mark: str) -> None:
    raw = read(tmp_path, body(mark))
    assert raw.table.to_pydict() == {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    assert raw.notes == ()


@pytest.mark.parametrize("mark", ["^", "~", "\x01"])
def test_a_rare_mark_in_few_rows_is_a_part_of_the_text(tmp_path: Path, mark: str) -> None:
    assert read(tmp_path, f"text\na{mark}b\n").table.num_columns == 1
    assert read(tmp_path, f"a{mark}text\nb{mark}c\n").table.num_columns == 1


@pytest.mark.parametrize("mark", ["，", "；", "::"])
def test_a_mark_that_is_none_of_ours_is_named(tmp_path: Path, mark: str) -> None:
    raw = read(tmp_path, body(mark))
    assert raw.table.num_columns == 1
    assert raw.notes[0].startswith(f"t.csv is read as one column, but each of its first 9 lines has as many {mark!r}.")


@pytest.mark.parametrize(
    ("above", "titles"),
    [
        ("酒店评论\n", ("酒店评论",)),
        ("酒店评论\n导出于2024年1月\n", ("酒店评论", "导出于2024年1月")),
        ("酒店评论\n\n", ("酒店评论",)),
        ("酒店评论,\n,\n", ("酒店评论",)),
        ('"酒店\n评论",\n导出,\n\n', ("酒店\n评论", "导出")),
        ("\n\n酒店评论\r\n\r\n", ("酒店评论",)),
    ],
)
def test_titles_above_the_header_are_left_out_and_named(tmp_path: Path, above: str, titles: tuple[str, ...]) -> None:
    raw = read(tmp_path, above + body())
    assert raw.table.to_pydict() == read(tmp_path, body()).table.to_pydict()
    (note,) = raw.notes
    assert f"{len(titles)} lines above" in note if len(titles) > 1 else "the line above" in note
    assert all(title.split("\n")[0] in note for title in titles)


def test_what_may_be_rows_is_not_taken_for_titles(tmp_path: Path) -> None:
    assert read(tmp_path, ",酒店评论\n" + body()).table.column_names == ["column_1", "酒店评论"]
    for above in ("一\n二\n三\n四\n", "酒店评论,,\n"):
        with pytest.raises(DataError, match="cells like the header"):
            read(tmp_path, above + body())


@pytest.mark.parametrize(
    ("text", "columns", "titles"),
    [
        ("Umfrage 2024\nkommentar;preis\nfoo;1,5\nbar;2,5\nbaz;3,5\n", ["kommentar", "preis"], 1),
        ("Umfrage, 2024\ntext;label\na;x\nb;y\nc;x\n", ["text", "label"], 1),
        (
            "Customer Review Survey 2024,,\nRespondent,Feedback,Rank\n1,foo,2\n2,bar,3\n3,baz,1\n",
            ["Respondent", "Feedback", "Rank"],
            1,
        ),
        ("Review report\nKommentar,Note\nfoo,1\nbar,2\nbaz,3\n", ["Kommentar", "Note"], 1),
        (",Demographics,\ntext,age,sex\na,1,f\nb,2,m\nc,3,f\n", ["text", "age", "sex"], 1),
        (",text\n0,good\n1,bad\n2,fine\n", ["column_1", "text"], 0),
    ],
)
def test_titles_and_headers_as_surveys_have_them(tmp_path: Path, text: str, columns: list[str], titles: int) -> None:
    raw = read(tmp_path, text)
    assert raw.table.column_names == columns
    assert raw.table.num_rows == text.count("\n") - 1 - titles
    assert bool(raw.notes) == bool(titles)


def test_texts_with_a_comma_here_and_there_are_no_rows_below_titles(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Row 3 of t.csv .* must have 1 cells like the header but has 2"):
        read(tmp_path, "Kommentare\nsehr gut\nok\ngut, nett\nschlecht, teuer\nok, na ja\n")


@pytest.mark.parametrize("columns", [("text", "text"), ("column_3", "x")])
def test_names_that_are_given_twice_are_refused(tmp_path: Path, columns: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"Column names of t.csv must differ but '(text|column_3)' names columns"):
        read(tmp_path, "a,b,c,d\ne,f,g,h\n", columns=columns)


def test_a_headless_file_with_one_bad_row_is_not_one_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Row 2 of t.csv \(line 2\) must have 2 cells like the first row but has 3"):
        read(tmp_path, "nice hotel,pos\nbad, really bad,neg\nok room,pos\nfine stay,pos\n", columns=("text",))


def test_a_usual_name_above_rows_is_the_header(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cells like the header"):
        read(tmp_path, "text\n" + body(header=False))
    raw = read(tmp_path, "text,\n" + body(header=False))
    assert (raw.table.column_names, raw.table.num_rows) == (["text", "column_2"], len(ROWS))


def test_a_headless_file_of_one_column_is_cut_only_where_a_mark_cuts_all_rows_alike(tmp_path: Path) -> None:
    text = "很好, 不错\n一般\n差; 太贵\n"
    assert read(tmp_path, text, columns=("text",)).table.to_pydict() == {"text": ["很好, 不错", "一般", "差; 太贵"]}
    assert read(tmp_path, body(header=False), columns=("text",)).table.column_names == ["text", "column_2"]
    with pytest.raises(DataError, match=r"Row 3 of t.csv \(line 4\) must have 2 cells like the first row but has 3"):
        read(tmp_path, "a,b\n\nc,d\ne,f,g\n", columns=("text", "label"))


def test_lines_above_the_first_row_are_counted(tmp_path: Path) -> None:
    assert read(tmp_path, "题\n\n" + body()).lines == {"t.csv": 3}
    assert read(tmp_path, '"te\nxt",label\n' + body(header=False)).lines == {"t.csv": 2}
    assert read(tmp_path, body(header=False), columns=("text",)).lines == {"t.csv": 0}
    assert read(tmp_path, "sep=,\n\n" + body(header=False), columns=("text",)).lines == {"t.csv": 2}


def test_rows_without_a_label_are_no_titles(tmp_path: Path) -> None:
    text = "很好,\n不错,\n" + body(header=False) + "一般,\n"
    raw = read(tmp_path, text + body(header=False))
    assert raw.table.num_rows == 2 + 2 * len(ROWS)  # the first row is the header


def test_a_file_of_one_column_says_what_it_took_for_its_name(tmp_path: Path) -> None:
    lines = "".join(f"{text}\n" for text, _ in ROWS)
    (note,) = read(tmp_path, lines, name="t.txt").notes
    assert note == (
        "t.txt has one column, and its first row, '这家酒店的第0间房很好', is taken for the name of it. "
        "If the file has no header, name the column: --columns text"
    )
    raw = read(tmp_path, lines, name="t.txt", columns=("text",))
    assert (raw.table.num_rows, raw.notes) == (len(ROWS), ())
    for header in ("text", "评论内容", "review_text", "label"):
        assert read(tmp_path, f"{header}\n{lines}", name="t.txt").notes == ()


@pytest.mark.parametrize(
    ("first", "odd"),
    [
        ("服务很好。早餐也不错", True),
        ("Great room. We loved it", True),
        ("How satisfied are you with our service?", False),
        ("您对我们的服务满意吗？", False),
        ("text", False),
        ("Q1. Comment", False),
        ("e.g. text", False),
    ],
)
def test_a_header_that_reads_like_a_text_is_doubted(tmp_path: Path, first: str, odd: bool) -> None:
    notes = read(tmp_path, f"{first},label\n{body(header=False)}").notes
    assert [note for note in notes if "reads like a text" in note] == list(notes)
    assert bool(notes) == odd


def test_lines_as_fasttext_reads_them(tmp_path: Path) -> None:
    text = "__label__好 房间很好\n\n__label__差 __label__贵 太贵了\n  __label__好\n没有标签 __label__x\n"
    raw = read(tmp_path, text, name="train.txt")
    assert (raw.format, raw.table.to_pydict()) == (
        "fasttext",
        {"label": ["好", '["差","贵"]', "好", None], "text": ["房间很好", "太贵了", "", "没有标签 __label__x"]},
    )


def test_predictions_find_the_text_column_behind_marks(tmp_path: Path) -> None:
    sink = io.BytesIO()
    work = Pass(
        source=io.BytesIO("标题\n\n\ufefftext^label\n".encode() + body("^", header=False).encode()),
        target=sink,
        name="t.csv",
        encoding="utf-8",
        written="utf-8",
        fields=Fields(texts=("text",)),
        columns={"p": str},
        annotate=lambda rows: [{"p": text} for (text,) in rows],
    )
    delimited(work, delimiter=",")
    lines = sink.getvalue().decode().splitlines()
    assert lines[0].endswith("text^label^p")
    assert lines[1:] == [f"{text}^{label}^{text}" for text, label in ROWS]
