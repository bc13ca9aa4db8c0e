from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from ratchet.tables.xlsx import from_xlsx
from ratchet.tables.xlsx_cells import as_date, date_kind, letters, shortest

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"


OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


RELS = "http://schemas.openxmlformats.org/package/2006/relationships"


HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c><c r="B1" t="inlineStr"><is><t>label</t></is></c></row>'
)


def relations(**targets: str) -> str:
    listed = "".join(
        f'<Relationship Id="{id}" Type="{OFFICE}/{target.split("|")[0]}" Target="{target.split("|")[1]}"/>'
        for id, target in targets.items()
    )
    return f'{HEAD}<Relationships xmlns="{RELS}">{listed}</Relationships>'


def book(
    *sheets: str,
    strings: str = "",
    styles: str = "",
    names: tuple[str, ...] = ("One", "Two", "Three"),
    states: tuple[str, ...] = ("visible",) * 3,
    after: str = "",
    ns: str = MAIN,
    year: str = "",
    more: dict[str, str | bytes] | None = None,
) -> bytes:
    """A workbook whose sheets have these rows."""
    parts: dict[str, str | bytes] = {"_rels/.rels": relations(rId1="officeDocument|xl/workbook.xml")}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="s{i}" state="{state}"/>'
        for i, (name, state, _) in enumerate(zip(names, states, sheets, strict=False), 1)
    )
    parts["xl/workbook.xml"] = (
        f'{HEAD}<workbook xmlns="{ns}" xmlns:r="{OFFICE}"><workbookPr {year}/><sheets>{listed}</sheets></workbook>'
    )
    targets = {f"s{i}": f"worksheet|worksheets/sheet{i}.xml" for i in range(1, len(sheets) + 1)}
    parts["xl/_rels/workbook.xml.rels"] = relations(
        **targets, t="sharedStrings|/xl/sharedStrings.xml", f="styles|styles.xml"
    )
    parts["xl/sharedStrings.xml"] = f'{HEAD}<sst xmlns="{ns}">{strings}</sst>'
    parts["xl/styles.xml"] = f'{HEAD}<styleSheet xmlns="{ns}">{styles}</styleSheet>'
    for i, rows in enumerate(sheets, 1):
        parts[f"xl/worksheets/sheet{i}.xml"] = (
            f'{HEAD}<worksheet xmlns="{ns}"><sheetData>{rows}</sheetData>{after}</worksheet>'
        )
    return packed(parts | (more or {}))


def packed(parts: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(name, data)
    return sink.getvalue()


def table_of(data: bytes, **how: Any) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = from_xlsx(data, name="a.xlsx", **how)[0].to_pydict()
    return found


def one(cell: str, **how: Any) -> str | None:
    """What a single cell becomes."""
    rows = f'{HEADER}<row r="2"><c r="A2" t="inlineStr"><is><t>x</t></is></c>{cell}</row>'
    found = table_of(book(rows, **how)).get("label")
    return found[0] if found else None


STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/>'
    '<numFmt numFmtId="165" formatCode="[h]:mm"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>'
    + "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 164, 165, 22, 21, 10))
    + "</cellXfs>"
)


STRINGS = (
    "<si><t>plain</t></si><si><r><t xml:space='preserve'>rich </t></r><r><rPr/><t>text</t></r></si>"
    "<si><t>東京</t><rPh sb='0' eb='2'><t>とうきょう</t></rPh></si><si><t>a_x000D_b_x005F_x</t></si><si/>"
)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('<c r="B2" t="s"><v>0</v></c>', "plain"),
        ('<c r="B2" t="s"><v>1</v></c>', "rich text"),
        ('<c r="B2" t="s"><v>2</v></c>', "東京"),
        ('<c r="B2" t="s"><v>3</v></c>', "a\rb_x"),
        ('<c r="B2" t="s"><v>4</v></c>', ""),
        ('<c r="B2" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r><rPh><t>no</t></rPh></is></c>', "inline"),
        ('<c t="str"><f>A1&amp;"x"</f><v>x</v></c>', "x"),
        ('<c r="B2" t="str"><f>""</f><v></v></c>', ""),
        ('<c r="B2"><v>1</v></c>', "1"),
        ('<c r="B2"><v>0.10000000000000001</v></c>', "0.1"),
        ('<c r="B2"><v>1.3800138E10</v></c>', "13800138000"),
        ('<c r="B2"><v>-2.50</v></c>', "-2.5"),
        ('<c r="B2"><v>007</v></c>', "007"),
        ('<c r="B2" s="6"><v>0.125</v></c>', "0.125"),
        ('<c r="B2"><f>1+1</f><v>2</v></c>', "2"),
        ('<c r="B2" t="b"><v>1</v></c>', "true"),
        ('<c r="B2" t="b"><v>0</v></c>', "false"),
        ('<c r="B2" t="e"><v>#REF!</v></c>', "#REF!"),
        ('<c r="B2" t="e"><v>#N/A</v></c>', None),
        ('<c r="B2" t="d"><v>2024-02-29T00:00:00</v></c>', "2024-02-29T00:00:00"),
        ('<c r="B2" s="1"/>', None),
        ('<c r="B2" s="1"><v>45351</v></c>', "2024-02-29"),
        ('<c r="B2" s="1"><v>45351.5</v></c>', "2024-02-29 12:00:00"),
        ('<c r="B2" s="2"><v>45351</v></c>', "2024-02-29"),
        ('<c r="B2" s="3"><v>1.5</v></c>', "36:00:00"),
        ('<c r="B2" s="4"><v>45351</v></c>', "2024-02-29 00:00:00"),
        ('<c r="B2" s="5"><v>0.999988425925926</v></c>', "23:59:59"),
        ('<c r="B2" s="1"><v>-1</v></c>', "-1"),
        ('<c r="B2" s="99"><v>3</v></c>', "3"),
    ],
)
def test_cells(cell: str, expected: str | None) -> None:
    assert one(cell, strings=STRINGS, styles=STYLES) == expected
    assert one(cell, strings=STRINGS, styles=STYLES, ns=STRICT) == expected


@pytest.mark.parametrize(
    ("number", "kind", "in_1904", "expected"),
    [
        (1, "date", False, "1900-01-01"),
        (59, "date", False, "1900-02-28"),
        (61, "date", False, "1900-03-01"),
        (0, "date", True, "1904-01-01"),
        (0.25, "time", False, "06:00:00"),
        (0.0000000116, "time", False, "00:00:00.001"),
        (0.9999999999, "datetime", False, "1900-01-01 00:00:00"),
        (3_000_000, "date", False, None),
        (1, "", False, None),
    ],
)
def test_days(number: float, kind: Any, in_1904: bool, expected: str | None) -> None:
    assert as_date(number, kind=kind, in_1904=in_1904) == expected


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", ""),
        ("0.00%", ""),
        ('#,##0 "days"', ""),
        ("[Red]0.0;[Blue]-0.0", ""),
        ("_-* #,##0_-", ""),
        ("@", ""),
        ("yyyy-mm-dd", "date"),
        ("mmm", "date"),
        ('[$-804]yyyy"年"m"月"d"日"', "date"),
        ("d/m/yy h:mm AM/PM", "datetime"),
        ("hh:mm:ss.000", "time"),
        ("mm:ss", "time"),
        ("[mm]:ss", "elapsed"),
        ('0" d;s"', ""),
        ('"a;b"yyyy;0', "date"),
    ],
)
def test_number_formats(code: str, kind: str) -> None:
    assert date_kind(code) == kind


def test_numbers_and_letters() -> None:
    assert [shortest(number) for number in (1e15, 0.1 + 0.2, 1e300, -0.0)] == [
        "1000000000000000",
        "0.30000000000000004",
        "1e+300",
        "0",
    ]
    assert [letters(place) for place in (1, 26, 27, 702, 703)] == ["A", "Z", "AA", "ZZ", "AAA"]
