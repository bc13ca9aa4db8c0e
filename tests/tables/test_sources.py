"""Sources: folders, saved data sets, the hub and standard input, and the one line that each broken one gets."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet.errors import DataError
from ratchet.recipe.sections import DataConfig
from ratchet.tables.read import read_dataset, read_table, require_apart
from ratchet.tables.sources import sniffed, source_bytes_hash, stdin_bytes

ROWS = {"text": ["好", "bad"], "label": ["pos", "neg"]}
CSV = "text,label\n好,pos\nbad,neg\n"


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def problem_of(path: Path, **how: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path, name=path.name, **how)
    assert caught.value.next_step
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Input(io.TextIOWrapper):
    terminal = False

    def isatty(self) -> bool:
        return self.terminal


def give(monkeypatch: pytest.MonkeyPatch, data: bytes, *, terminal: bool = False) -> None:
    stdin = Input(io.BytesIO(data))
    stdin.terminal = terminal
    monkeypatch.setattr(sys, "stdin", stdin)
    stdin_bytes.cache_clear()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(ROWS), sink)
    return sink.getvalue()


JSONL = '\n{"text": "好", "label": "pos"}\n{"text": "bad", "label": "neg"}\n'


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (CSV.encode(), "csv"),
        (CSV.encode("utf-16"), "csv"),
        (CSV.replace(",", "\t").encode("utf-8-sig"), "tsv"),
        (JSONL.encode(), "jsonl"),
        (gzip.compress(CSV.encode(), mtime=0), "csv"),
        (parquet(), "parquet"),
    ],
)
def test_standard_input_tells_its_format(
    data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give(monkeypatch, data)
    raw = read_table(Path("-"))
    assert (raw.table.to_pydict(), raw.format, raw.name) == (ROWS, kind, "standard input")
    assert read_table(tmp_path / "-").table.to_pydict() == ROWS
    assert source_bytes_hash(Path("-")) == hashlib.sha256(data).hexdigest()


def test_standard_input_with_its_format_given_and_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"text\tlabel\na, b, c\tx\n")
    assert read_table(Path("-"), format="tsv").table.to_pydict() == {"text": ["a, b, c"], "label": ["x"]}
    assert "format must be one of csv, tsv, jsonl, json, parquet, xlsx, arrow but got 'xml'" in problem_of(
        Path("-"), format="xml"
    )
    give(monkeypatch, b"")
    assert "standard input must have a header and rows but is empty" in problem_of(Path("-"))
    give(monkeypatch, b"", terminal=True)
    assert "Standard input must be a table but is a terminal." in problem_of(Path("-"))
    stdin_bytes.cache_clear()


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04", "xlsx"), (b"ARROW1\0\0", "arrow"), (b"\xff\xff\xff\xff", "arrow")]
)
def test_first_bytes(start: bytes, kind: str) -> None:
    assert sniffed(start + b"...") == kind


def test_hashes_change_with_names_and_bytes_only(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write(tmp_path / "d" / name, CSV)
    assert source_bytes_hash(tmp_path / "d" / "a.csv") == hashlib.sha256(CSV.encode()).hexdigest()
    before = source_bytes_hash(tmp_path / "d")
    write(tmp_path / "d" / "notes.md", "not read")
    assert source_bytes_hash(tmp_path / "d") == before
    (tmp_path / "d" / "b.csv").rename(tmp_path / "d" / "c.csv")
    renamed = source_bytes_hash(tmp_path / "d")
    write(tmp_path / "d" / "c.csv", CSV + "x,y\n")
    assert len({before, renamed, source_bytes_hash(tmp_path / "d")}) == 3
    with pytest.raises(DataError, match="does not exist"):
        source_bytes_hash(tmp_path / "missing.csv")


def test_only_what_is_there_and_alike_is_offered(tmp_path: Path) -> None:
    write(tmp_path / "reviews.csv", CSV)
    (tmp_path / "lost.csv").symlink_to("nowhere")
    for name, said in (("review.csv", "Did you mean 'reviews.csv'"), ("lost.csv", "Check"), ("tweets.csv", "Check")):
        with pytest.raises(DataError) as caught:
            read_table(tmp_path / name)
        assert caught.value.next_step.startswith(said)


def test_a_file_with_the_sign_in_its_name(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "issue#7.csv", CSV)).table.to_pydict() == ROWS


def test_sheets_that_are_read_twice_are_found(tmp_path: Path) -> None:
    from tests.tables.test_xlsx import HEADER, ROW, book

    write(tmp_path / "b.xlsx", book(HEADER + ROW, HEADER + ROW))
    for train, test in (("b.xlsx", "b.xlsx#One"), ("b.xlsx#two", "b.xlsx#Two"), ("b.xlsx", "b.xlsx")):
        with pytest.raises(DataError, match="is given twice"):
            require_apart([Path(train)], [Path(test)], base=tmp_path)
    require_apart([Path("b.xlsx")], [Path("b.xlsx#Two")], base=tmp_path)
    write(tmp_path / "c.xlsx", b"PK no book")
    require_apart([Path("c.xlsx")], [Path("b.xlsx")], base=tmp_path)


def test_names_that_ratchet_writes_itself_are_refused_for_a_run(tmp_path: Path) -> None:
    write(tmp_path / "q.csv", "ratchet.file,text,label\na.csv,good,x\n")
    assert read_table(tmp_path / "q.csv").table.num_rows == 1
    with pytest.raises(DataError, match=r"q.csv must not have the column 'ratchet.file', .*Rename the columns"):
        read_dataset([Path("q.csv")], config=DataConfig(text="text", label="label"), base=tmp_path)
