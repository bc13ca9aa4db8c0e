"""Workbooks: what each kind of cell becomes, and the one line that each unusable file gets."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest
from tests.tables.workbook import HEADER, ROW, STRINGS, STYLES, book, one, packed, relations, table_of

from ratchet.errors import DataError
from ratchet.tables.read import read_table
from ratchet.tables.xlsx import from_xlsx


def test_a_workbook_that_starts_in_1904() -> None:
    assert one('<c r="B2" s="1"><v>43889</v></c>', styles=STYLES, year='date1904="1"') == "2024-02-29"


def test_a_table_anywhere_in_the_sheet_with_empty_rows_and_a_nameless_column() -> None:
    rows = (
        '<row r="1"/><row r="3"><c r="C3" t="inlineStr"><is><t> text </t></is></c><c r="D3"/>'
        '<c r="F3" t="inlineStr"><is><t>label</t></is></c></row>'
        '<row r="4"><c r="C4"><v>1</v></c></row><row r="5"><c r="C5" t="inlineStr"><is><t> </t></is></c></row>'
        '<row r="6"><c r="D6"><v>2</v></c></row>'
    )
    assert table_of(book(rows)) == {"text": ["1", None], "column_4": [None, "2"], "label": [None, None]}


def test_sheets_are_chosen_by_name_and_hidden_ones_only_so(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(book("", HEADER + ROW, HEADER + ROW * 2, states=("hidden", "visible", "visible")))
    raw = read_table(path)
    assert (raw.table.num_rows, raw.format) == (1, "xlsx")
    assert raw.notes == (
        "Of a.xlsx the sheet 'Two' is read, not 'One', 'Three'; a sheet is chosen by its name behind a #, as in a.xlsx#One.",
    )
    three = read_table(tmp_path / "a.xlsx#three", name="a.xlsx#three")
    assert (three.table.num_rows, three.name, three.notes) == (2, "a.xlsx#three", ())
    with pytest.raises(DataError, match=r"must have the sheet 'Four' but has 'One', 'Two', 'Three'"):
        read_table(tmp_path / "a.xlsx#Four")


def test_merged_cells_below_the_header_are_told() -> None:
    after = '<mergeCells><mergeCell ref="A2:A9"/></mergeCells>'
    _, notes = from_xlsx(book(HEADER + ROW, after=after), name="a.xlsx")
    assert notes == (
        "In the sheet 'One' of a.xlsx 1 merged cells (such as A2:A9) have their value in the first cell only; the others are "
        "missing.",
    )


DOCTYPE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
LAUGH = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]>'
SHEET = "xl/worksheets/sheet1.xml"
BAD = [
    (b"", "must be a whole XLSX workbook but is damaged or cut off"),
    (b"text,label\n", "must be a whole XLSX workbook but is damaged or cut off"),
    (book(HEADER + ROW)[:-30], "must be a whole XLSX workbook but is damaged or cut off"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted with a password"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "in the format of Excel 97 (.xls)"),
    (packed({"mimetype": "application/vnd.oasis", "content.xml": ""}), "but is an OpenDocument file"),
    (packed({"a.csv": "text"}), "but is another kind of zip file"),
    (packed({"_rels/.rels": relations(a="officeDocument|xl/workbook.bin")}), "but is a binary workbook (.xlsb)"),
    (packed({"_rels/.rels": relations(a="officeDocument|word/document.xml")}), "but is another kind of Office file"),
    (packed({"_rels/.rels": relations(a="officeDocument|xl/workbook.xml")}), "damaged: xl/workbook.xml is missing"),
    (book(), "must have a sheet with cells but has none"),
    (book(""), "The sheet 'One' of a.xlsx must have a header and rows but is empty."),
    (book(HEADER.replace("label", "text") + ROW), "'text' names A and B"),
    (book(HEADER + ROW, after='<mergeCells><mergeCell ref="A1:B1"/></mergeCells>'), "but A1:B1 is one merged cell"),
    (
        book(HEADER + '<row r="2"><c r="A2"><f>1+1</f></c></row>'),
        "Cell A2 of the sheet 'One' of a.xlsx must have a value",
    ),
    (
        book(HEADER + '<row r="7"><c r="B7"><f>1+1</f><v></v></c></row>'),
        "Cell B7 of the sheet 'One' of a.xlsx must have",
    ),
    (book(HEADER + '<row r="2"><c r="A2" t="s"><v>5</v></c></row>'), "damaged: it has no text number 5"),
    (book(HEADER + '<row r="2"><c r="A2"><v>1x</v></c></row>'), "damaged: it has a number '1x'"),
    (book(HEADER + '<row r="2"><c r="é2"><v>1</v></c></row>'), "damaged: it has a cell 'é2'"),
    (book(HEADER + '<row r="two"></row>'), "damaged: it has a number 'two'"),
    (book(HEADER + "<row>"), "damaged: mismatched tag"),
    (book(HEADER, more={SHEET: DOCTYPE + "<worksheet>&b;</worksheet>"}), "it declares a document type"),
    (book(HEADER, more={SHEET: LAUGH + "<worksheet>&c;</worksheet>"}), "it declares a document type"),
    (book(HEADER, more={SHEET: (LAUGH + "<worksheet/>").encode("utf-16")}), "a part of it is damaged"),
    (
        book(HEADER, more={SHEET: '<?xml version="1.0" encoding="UTF-7"?>' + "<worksheet/>"}),
        "must have a header and rows",
    ),
]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("data", "problem"), BAD, ids=[problem[:40] for _, problem in BAD])
def test_a_workbook_that_can_not_be_read_gets_one_line(data: bytes, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        from_xlsx(data, name="a.xlsx")
    assert problem in caught.value.problem
    assert caught.value.next_step
    assert "\n" not in str(caught.value)


def test_an_empty_first_sheet_leads_to_the_others() -> None:
    with pytest.raises(DataError, match=r"The sheet 'One' of a.xlsx must have .*Name another sheet .* a\.xlsx#Two\."):
        from_xlsx(book("", HEADER + ROW), name="a.xlsx")


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("<a/>" * 200_000, ""),
        ("<sheet/>" * 100_001, "it names more than 100,000 parts"),
        ("".join(f"<a{i}/>" for i in range(1_001)), "it has more than 1,000 kinds of elements"),
    ],
)
def test_elements_that_say_nothing_are_not_kept(inside: str, problem: str) -> None:
    parts = zipfile.ZipFile(io.BytesIO(book(HEADER + ROW)))
    whole = {info.filename: parts.read(info) for info in parts.infolist()}
    whole["xl/workbook.xml"] = whole["xl/workbook.xml"].replace(b"</workbook>", f"{inside}</workbook>".encode())
    if not problem:
        assert table_of(packed(whole)) == {"text": ["好"], "label": ["1"]}
    else:
        with pytest.raises(DataError, match=problem):
            table_of(packed(whole))


def test_a_header_alone_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(book(HEADER))
    with pytest.raises(DataError, match="must have rows but has only a header"):
        read_table(tmp_path / "a.xlsx")


def test_an_encrypted_part() -> None:
    data = bytearray(book(HEADER + ROW))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of the last part, the sheet
    with pytest.raises(DataError, match="must be readable but is encrypted"):
        from_xlsx(bytes(data), name="a.xlsx")


def test_a_workbook_with_any_byte_changed_is_read_or_refused_in_one_line() -> None:
    whole = book(HEADER + ROW + '<row r="3"><c r="A3" t="s"><v>1</v></c></row>', strings=STRINGS, styles=STYLES)
    rng = random.Random(6)
    refused = 0
    for _ in range(2000):
        data = bytearray(whole)
        data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            from_xlsx(bytes(data[: rng.choice([len(data), rng.randrange(len(data))])]), name="a.xlsx")
        except DataError:
            refused += 1
    assert refused > 1000
