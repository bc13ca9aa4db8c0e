"""Predict a whole file: same format, further columns, bounded memory, and the result is whole or absent."""

from __future__ import annotations

import codecs
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ratchet.bundle import Bundle
from ratchet.errors import DataError
from ratchet.serve import formats
from ratchet.serve.formats import Cell, Format, Pass
from ratchet.serve.predict import Predictor, checked, load_model

STDIO = Path("-")
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
}
WRITERS: dict[Format, Callable[[Pass], None]] = {
    "csv": partial(formats.delimited, delimiter=","),
    "tsv": partial(formats.delimited, delimiter="\t"),
    "jsonl": formats.jsonl,
    "parquet": formats.parquet,
    "text": formats.lines,
}
DECIMALS = 6
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SCAN = 1024 * 1024

Progress = Callable[[int, float | None], None]
"""Called after each block with the rows done and the share of the source's bytes read (``None`` for stdin)."""


@dataclass(frozen=True, kw_only=True)
class FilePredictions:
    """What was predicted and where it went."""

    target: Path
    """``-`` is standard output."""
    format: Format
    rows: int
    without_text: int
    """Rows whose text was missing or blank; their new cells are empty."""
    counts: dict[str, int]
    """Rows by predicted label."""


def predict_file(
    bundle: Bundle | Path | str,
    source: Path | str,
    target: Path | str | None = None,
    *,
    text: str | None = None,
    format: Format | None = None,
    encoding: str = "auto",
    each_label: bool = False,
    threads: int = 0,
    model: Predictor | None = None,
    progress: Progress | None = None,
) -> FilePredictions:
    """Copy a table and add the columns ``prediction`` and ``probability``.

    Args:
        bundle: an opened bundle, or its folder.
        source: the table; ``-`` is standard input.
        target: where the result goes, in the format of the source (plain lines become TSV); ``-`` is standard output;
            ``None``: ``NAME.predictions.SUFFIX`` beside the source, or standard output when reading standard input.
        text: the text column; ``None``: the one that the model was trained on.
        format: format of the source; ``None``: from its suffix, and plain lines on standard input.
        encoding: encoding of the source; ``auto``: UTF-8, UTF-16 (by its mark) or GB18030.
        each_label: also add a column ``probability_LABEL`` for every label.
        threads: cores to use; 0: all.
        model: used instead of the bundle's own model, which is then not loaded.
        progress: called after each block.

    Raises:
        DataError: the table is missing or not usable; the message names the row, line or column.
        BundleError: the bundle is damaged.
    """
    source = Path(source)
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    kind = format or _format(source)
    goal = _target(source, None if target is None else Path(target), kind=kind)
    tally = _Tally(model or load_model(opened, threads=threads), each_label=each_label)
    read_as = _encoding(source, wanted=encoding, kind=kind)
    with _reading(source, kind=kind) as reader, _writing(goal) as writer:
        work = Pass(
            source=reader,
            target=writer,
            name="standard input" if source == STDIO else str(source),
            encoding=read_as,
            written=_written(read_as, source=source),
            text=text or opened.manifest.text_column,
            columns=tally.columns,
            annotate=tally.annotate if progress is None else _reported(tally, source, reader, progress),
        )
        WRITERS[kind](work)
    counts = dict(sorted(tally.counts.items()))
    return FilePredictions(target=goal, format=kind, rows=tally.rows, without_text=tally.without_text, counts=counts)


class _Tally:
    """Predicts blocks and counts what it did."""

    def __init__(self, model: Predictor, *, each_label: bool) -> None:
        self._model = model
        self._label_columns = [f"probability_{label}" for label in model.labels] if each_label else []
        self.columns = ("prediction", "probability", *self._label_columns)
        self.rows = 0
        self.without_text = 0
        self.counts: Counter[str] = Counter()

    def annotate(self, texts: list[str | None]) -> list[dict[str, Cell]]:
        """The new cells of each row of a block."""
        wanted = [(row, text) for row, text in enumerate(texts) if text is not None and text.strip()]
        cells: list[dict[str, Cell]] = [{} for _ in texts]
        self.rows += len(texts)
        self.without_text += len(texts) - len(wanted)
        if not wanted:
            return cells
        found = checked(self._model, [_encodable(text) for _, text in wanted])
        rounded = np.round(found.astype(np.float64), DECIMALS).tolist()
        for (row, _), best, values in zip(wanted, found.argmax(axis=1).tolist(), rounded, strict=True):
            label = self._model.labels[best]
            self.counts[label] += 1
            cells[row] = {"prediction": label, "probability": values[best]}
            if self._label_columns:
                cells[row].update(zip(self._label_columns, values, strict=True))
        return cells


def _encodable(text: str) -> str:
    """The text with half surrogate pairs (which JSON can hold and tokenizers refuse) replaced by a question mark."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _reported(tally: _Tally, source: Path, reader: BinaryIO, progress: Progress) -> formats.Annotate:
    size = None if source == STDIO else source.stat().st_size

    def annotate(texts: list[str | None]) -> list[dict[str, Cell]]:
        cells = tally.annotate(texts)
        progress(tally.rows, min(1.0, reader.tell() / size) if size else None)
        return cells

    return annotate


def _format(source: Path) -> Format:
    if source == STDIO:
        return "text"
    found = SUFFIXES.get(source.suffix.lower())
    if found is None:
        raise DataError(
            f"{source} must end in one of {', '.join(SUFFIXES)} but ends in {source.suffix!r}.",
            next_step=f"Name its format with --format ({', '.join(WRITERS)}).",
        )
    return found


def _target(source: Path, target: Path | None, *, kind: Format) -> Path:
    written: Format = "tsv" if kind == "text" else kind
    if target is None and source == STDIO:
        return STDIO
    if target is None:
        suffix = ".tsv" if kind == "text" else source.suffix
        return source.with_name(f"{source.stem}.predictions{suffix}")
    if target == STDIO:
        return target
    named = SUFFIXES.get(target.suffix.lower(), written)
    if named != written:
        raise DataError(
            f"The result of {source} must be {written} but {target} ends in {target.suffix!r}.",
            next_step="Give it the suffix of its format.",
        )
    if source != STDIO and target.exists() and source.exists() and target.samefile(source):
        raise DataError(f"The result must not replace its source {source}.", next_step="Name another file.")
    return target


@contextmanager
def _reading(source: Path, *, kind: Format) -> Iterator[BinaryIO]:
    if source == STDIO:
        if kind == "parquet":
            raise DataError("Parquet must be read from a file but got standard input.", next_step="Save it first.")
        yield sys.stdin.buffer
        return
    try:
        reader = source.open("rb")
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}.") from error
    with reader:
        yield reader


@contextmanager
def _writing(target: Path) -> Iterator[BinaryIO]:
    """A stream that becomes ``target`` when the block ends well."""
    if target == STDIO:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    temporary = target.with_name(f".{target.name}.new-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as writer:
            yield writer
            writer.flush()
            os.fsync(writer.fileno())
        temporary.replace(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}.", next_step="Name another file.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _encoding(source: Path, *, wanted: str, kind: Format) -> str:
    if wanted != "auto":
        try:
            return codecs.lookup(wanted).name
        except LookupError as error:
            raise DataError(f"The encoding must be one that Python knows but got {wanted!r}.") from error
    if kind == "parquet":
        return "utf-8"
    if source == STDIO:
        return "utf-8-sig"
    with _reading(source, kind=kind) as reader:
        start = reader.read(4)
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    for name in ("utf-8", "gb18030"):
        if _decodes(source, name):
            return name
    raise DataError(
        f"{source} must be in UTF-8, UTF-16 with a mark, or GB18030 but is in none of them.",
        next_step="Name its encoding with --encoding.",
    )


def _written(encoding: str, *, source: Path) -> str:
    """Encoding of the result: that of the source if it can hold every label, which only a Unicode one can."""
    return encoding if encoding.startswith(("utf", "gb18030")) and source != STDIO else "utf-8"


def _decodes(source: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with source.open("rb") as reader:
            while block := reader.read(_SCAN):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
