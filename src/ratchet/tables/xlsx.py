"""One sheet of an XLSX workbook as a table of strings, in bounded memory and without a spreadsheet library."""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, TypeVar
from xml.etree.ElementTree import ParseError, XMLParser

import pyarrow as pa

from ratchet.bounds import unpacks_too_far
from ratchet.errors import DataError
from ratchet.tables.xlsx_cells import Cells, Damaged, DateStyles, Texts

T = TypeVar("T")
_CHUNK = 1 << 20
_MOST_PARTS, _MOST_TAGS = 100_000, 1_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def from_xlsx(data: bytes, *, sheet: str = "", name: str) -> tuple[pa.Table, tuple[str, ...]]:
    """The cells of a sheet as they are stored: numbers with their shortest digits, dates in ISO form, true and false.

    The first row that is not empty is the header; empty rows are no rows, columns with neither a name nor a cell no
    columns. A formula gives the value that the spreadsheet program stored with it.

    Args:
        data: the file.
        sheet: name of the sheet; empty: the first one that is not hidden.
        name: what messages call the file.

    Returns:
        The table, and notes about what was not read.

    Raises:
        DataError: the file is no workbook, encrypted, damaged or too large; there is no such sheet; the sheet is empty;
            its header has merged cells; or a formula has no stored value.
    """
    return _of_workbook(data, partial(_table, sheet=sheet), name=name)


def chosen_sheet(data: bytes, *, sheet: str = "", name: str) -> str:
    """The name of the sheet that :func:`from_xlsx` reads; arguments and errors as there."""
    return _of_workbook(data, partial(_chosen, sheet=sheet), name=name)


def _of_workbook(data: bytes, find: Callable[[_Workbook], T], *, name: str) -> T:
    if data.startswith(_OLE):
        raise _ole(data, name=name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            return find(_Workbook(package, packed=len(data), name=name))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, struct.error):
        raise DataError(
            f"{name} must be a whole XLSX workbook but is damaged or cut off.",
            next_step="Copy it again, or save it again as XLSX.",
        ) from None
    except (ParseError, Damaged) as problem:
        raise DataError(
            f"{name} must be an XLSX workbook but a part of it is damaged: {problem}.",
            next_step="Open it in a spreadsheet program and save it again.",
        ) from None


def _ole(data: bytes, *, name: str) -> DataError:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return DataError(
            f"{name} must be readable but is encrypted with a password.", next_step="Save it without a password."
        )
    return DataError(
        f"{name} must be an XLSX workbook but is in the format of Excel 97 (.xls).", next_step="Save it as XLSX."
    )


class _Handler(Protocol):
    """What hears the elements of a part; names come without their namespace."""

    def start(self, tag: str, attributes: dict[str, str], /) -> None: ...
    def end(self, tag: str, /) -> None: ...
    def data(self, text: str, /) -> None: ...


class _Target:
    """Passes the events of the parser on; a document type, which entities need, is refused."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self._plain: dict[str, str] = {}
        self.data = handler.data

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._handler.start(self._local(tag), attributes)

    def end(self, tag: str) -> None:
        self._handler.end(self._local(tag))

    def doctype(self, *_: str | None) -> None:
        raise Damaged("it declares a document type, which a workbook never does")

    def close(self) -> None:
        """Nothing is left to do."""

    def _local(self, tag: str) -> str:
        found = self._plain.get(tag)
        if found is None:
            if len(self._plain) >= _MOST_TAGS:
                raise Damaged(f"it has more than {_MOST_TAGS:,} kinds of elements")
            found = self._plain.setdefault(tag, tag.rpartition("}")[2])
        return found


class _Elements:
    """Keeps the attributes of the elements that name sheets and parts, in order."""

    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, str]]] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in ("sheet", "workbookPr", "Relationship"):
            return
        if len(self.found) >= _MOST_PARTS:
            raise Damaged(f"it names more than {_MOST_PARTS:,} parts")
        self.found.append((tag, {key.rpartition("}")[2]: value for key, value in attributes.items()}))

    def end(self, _tag: str, /) -> None:
        """Elements are told apart by their names."""

    def data(self, _text: str, /) -> None:
        """Small parts have no text that matters."""

    def named(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.found if name == tag)


H = TypeVar("H", bound=_Handler)


class _Workbook:
    """The parts of a package, and the sheets that its workbook names."""

    def __init__(self, package: zipfile.ZipFile, *, packed: int, name: str) -> None:
        self.package, self.name = package, name
        self._packed, self._unpacked = packed, 0
        self._parts = {info.filename.lstrip("/").casefold(): info for info in package.infolist()}
        self._path = self._main()
        self.elements = self.read(self._path, _Elements())
        self._targets, self._kinds = self._relations(self._path)
        sheets = [sheet for sheet in self.elements.named("sheet") if self._is_table(sheet.get("id", ""))]
        self.sheets = {sheet.get("name", ""): self._targets[sheet["id"]] for sheet in sheets}
        visible = [sheet["name"] for sheet in sheets if sheet.get("state", "visible") == "visible" and "name" in sheet]
        self.first = next(iter(visible or self.sheets), "")

    @property
    def starts_in_1904(self) -> bool:
        """Whether day 0 is the first of January 1904, as in workbooks from old Macs."""
        return any(found.get("date1904") in ("1", "true") for found in self.elements.named("workbookPr"))

    def part_of_kind(self, kind: str) -> str | None:
        """Path of the part with the shared strings or the styles."""
        return next((self._targets[id] for id, found in self._kinds.items() if found == kind), None)

    def read(self, path: str, handler: H) -> H:
        """Feed a part to a handler, and return it."""
        info = self._parts.get(path.casefold())
        if info is None:
            raise Damaged(f"{path} is missing")
        if info.flag_bits & 1:
            raise DataError(f"{self.name} must be readable but is encrypted.", next_step="Save it without a password.")
        self._unpacked += info.file_size
        if unpacks_too_far(self._unpacked, self._packed, book=True):
            raise DataError(
                f"{self.name} must unpack to a table but its {self._packed:,} bytes would become {self._unpacked:,}.",
                next_step="If the table really is that large, save it as CSV or Parquet.",
            )
        # All programs write UTF-8. A document type is refused, so there are no entities.
        parser = XMLParser(target=_Target(handler), encoding="utf-8")  # noqa: S314
        for chunk in self._chunks(info):
            parser.feed(chunk)
        parser.close()
        return handler

    def _chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Damaged(f"{info.filename} is packed in a way that workbooks do not use")
        try:
            with self.package.open(info) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except (ValueError, OverflowError, NotImplementedError, struct.error) as problem:
            raise Damaged(f"{info.filename} cannot be unpacked ({problem})") from None

    def _main(self) -> str:
        if "mimetype" in self._parts:
            raise self._other("an OpenDocument file")
        if "_rels/.rels" not in self._parts:
            raise self._other("another kind of zip file")
        targets, kinds = self._relations("")
        path = next((targets[id] for id, kind in kinds.items() if kind == "officeDocument"), "")
        if not path.endswith(".xml"):
            raise self._other("a binary workbook (.xlsb)" if path.endswith(".bin") else "another kind of zip file")
        if "workbook" not in path.casefold():
            raise self._other("another kind of Office file")
        return path

    def _other(self, what: str) -> DataError:
        return DataError(f"{self.name} must be an XLSX workbook but is {what}.", next_step="Save it as XLSX.")

    def _relations(self, path: str) -> tuple[dict[str, str], dict[str, str]]:
        """By id, the path and the kind of each part that belongs to this one."""
        folder, file = posixpath.split(path)
        rels = posixpath.join(folder, "_rels", f"{file}.rels")
        if rels.casefold() not in self._parts:
            return {}, {}
        found = [r for r in self.read(rels, _Elements()).named("Relationship") if r.get("TargetMode") != "External"]
        kinds = {r["Id"]: r.get("Type", "").rpartition("/")[2] for r in found if "Id" in r}
        targets = {
            r["Id"]: posixpath.normpath(posixpath.join("/", folder, r.get("Target", "")))[1:]
            for r in found
            if "Id" in r
        }
        return targets, kinds

    def _is_table(self, id: str) -> bool:
        return self._kinds.get(id) == "worksheet"


def _table(book: _Workbook, *, sheet: str) -> tuple[pa.Table, tuple[str, ...]]:
    chosen = _chosen(book, sheet=sheet)
    strings = book.part_of_kind("sharedStrings")
    styles = book.part_of_kind("styles")
    texts = book.read(strings, Texts()).found if strings else []
    dates = book.read(styles, DateStyles()).kinds if styles else []
    cells = book.read(book.sheets[chosen], Cells(texts=texts, dates=dates, in_1904=book.starts_in_1904))
    where = f"the sheet {chosen!r} of {book.name}"
    _require_sound(cells, where=where, others=[name for name in book.sheets if name != chosen], file=book.name)
    notes = (*(() if sheet else _unread(book, chosen)), *cells.notes(where))
    return cells.table(name=where), notes


def _chosen(book: _Workbook, *, sheet: str) -> str:
    names = list(book.sheets)
    if not names:
        raise DataError(f"{book.name} must have a sheet with cells but has none.", next_step="Check the file.")
    if not sheet:
        return book.first
    if sheet in names:
        return sheet
    folded = {name.casefold(): name for name in names}
    if sheet.casefold() in folded:
        return folded[sheet.casefold()]
    listed = ", ".join(map(repr, names[:8])) + (" ..." if len(names) > 8 else "")
    raise DataError(
        f"{book.name} must have the sheet {sheet!r} but has {listed}.", next_step="Write one of them behind the #."
    )


def _unread(book: _Workbook, chosen: str) -> tuple[str, ...]:
    others = [name for name in book.sheets if name != chosen]
    if not others:
        return ()
    listed = ", ".join(map(repr, others[:5])) + (" ..." if len(others) > 5 else "")
    return (
        f"Of {book.name} the sheet {chosen!r} is read, not {listed}; a sheet is chosen by its name behind a #, as in "
        f"{re.sub('#.*', '', book.name)}#{others[0]}.",
    )


def _require_sound(cells: Cells, *, where: str, others: list[str], file: str) -> None:
    if cells.header is None:
        step = f"Name another sheet behind a #, as in {re.sub('#.*', '', file)}#{others[0]}." if others else "Check it."
        raise DataError(f"{_upper(where)} must have a header and rows but is empty.", next_step=step)
    if cells.merged_header:
        raise DataError(
            f"The header of {where} must have one cell per column but {cells.merged_header} is one merged cell.",
            next_step="Unmerge it and give each column its own name; rows above the header must go.",
        )
    if cells.uncomputed:
        raise DataError(
            f"Cell {cells.uncomputed} of {where} must have a value but holds a formula whose value was never stored.",
            next_step="Open the file in a spreadsheet program and save it there, or paste the values.",
        )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
