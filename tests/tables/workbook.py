"""Workbooks written by hand, part by part."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from ratchet.tables.xlsx import from_xlsx

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c><c r="B1" t="inlineStr"><is><t>label</t></is></c></row>'
)
ROW = '<row r="2"><c r="A2" t="inlineStr"><is><t>好</t></is></c><c r="B2"><v>1</v></c></row>'


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
