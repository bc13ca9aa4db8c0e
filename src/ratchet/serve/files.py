"""Predict a whole file: same format, further columns, bounded memory, and the result is whole or absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import checked, load_model
from ratchet.errors import DataError
from ratchet.forms import WHOLE
from ratchet.models.model import Predictor
from ratchet.serve import formats
from ratchet.serve.formats import Format, Pass
from ratchet.serve.opening import (
    STDIO,
    encoding_of,
    format_of,
    headless_format,
    reading,
    table_as_csv,
    target_of,
    writing_to,
    written_encoding,
)
from ratchet.serve.rows import Cells, Fields, listed
from ratchet.tasks.certainty import ABSTAIN
from ratchet.tasks.registry import task_of
from ratchet.tasks.task import Cell, Task

WRITERS: dict[Format, Callable[[Pass], None]] = {
    "csv": partial(formats.delimited, delimiter=","),
    "tsv": partial(formats.delimited, delimiter="\t"),
    "jsonl": formats.jsonl,
    "parquet": formats.parquet,
    "text": formats.lines,
}

PREDICTION = "prediction"
"""The column of what is predicted, whatever the task."""
NAMED = 5
"""So many rows without an answer are named."""
Progress = Callable[[int, float | None], None]
"""Called after each block with the rows done and the share of the source's bytes read (``None`` for stdin and gzip)."""


@dataclass(frozen=True, kw_only=True)
class FilePredictions:
    """What was predicted and where it went."""

    target: Path
    """``-`` is standard output."""
    format: Format
    rows: int
    answered: int
    """With `abstained`, `without_text` and `without_answer` all rows, each in one of them."""
    without_text: int
    """Rows whose text was missing or blank; their new cells are empty."""
    without_answer: int
    """Rows with a text to which the model said nothing of use."""
    counts: dict[str, int]
    """The rows that are answered by what was predicted, as the task counts them; empty where the answers are no labels."""
    first_without_text: tuple[int, ...] = ()
    """Numbers of the first few of those rows, counted from 1."""
    first_without_answer: tuple[int, ...] = ()
    abstained: int | None = None
    """Rows whose answer is left to people; ``None`` where the bundle answers everything."""
    notes: tuple[str, ...] = ()
    """What of a workbook or folder was not read."""

    @property
    def line(self) -> str:
        """The counts for people; they add up to the rows, and rows without an answer are named."""
        counts = ", ".join(f"{label}: {rows:,}" for label, rows in self.counts.items())
        said = [f"{self.answered:,} answered" + (f" ({counts})" if counts else "")]
        if self.abstained is not None:
            said.append(f"{self.abstained:,} left to people")
        for what, count, first in (
            ("a text", self.without_text, self.first_without_text),
            ("an answer", self.without_answer, self.first_without_answer),
        ):
            if count:
                said.append(f"{count:,} without {what} ({_numbered(first, count)})")
        return f"{self.rows:,} rows to {self.target}: {', '.join(said)}"


def predict_file(
    bundle: Bundle | Path | str,
    source: Path | str,
    target: Path | str | None = None,
    *,
    text: str | None = None,
    format: Format | None = None,
    encoding: str = "auto",
    columns: Sequence[str] = (),
    each_label: bool = False,
    threads: int = 0,
    model: Predictor | None = None,
    send_to: str = "",
    progress: Progress | None = None,
) -> FilePredictions:
    """Copy a table and add what is predicted: ``prediction``, and further columns as the task of the bundle has them.

    Args:
        bundle: an opened bundle, or its folder.
        source: the table; ``-`` is standard input. A workbook, an Arrow file, a JSON document or a folder is read whole.
        target: where the result goes, in the format of the source (plain lines become TSV, tables that are read whole CSV);
            ``-`` is standard output;
            ``None``: ``NAME.predictions.SUFFIX`` beside the source, or standard output when reading standard input.
        text: the text column; ``None``: as in training. Several texts and features are taken by their names.
        format: format of the source; ``None``: from its suffix (before ``.gz``). Standard input and ``.txt`` are tables if
            their first line has the text column, else plain lines.
        encoding: encoding of the source: ``auto`` (UTF-8, UTF-16 by its mark, or GB18030), ``utf-8``, ``gb18030``,
            ``utf-16``, ``big5``, ``windows-1252`` or ``latin-1``; standard input is UTF-8 unless told otherwise.
        columns: names of the first columns of a CSV or TSV file that has no header; the result has one.
        each_label: also add a column ``probability_LABEL`` for every label, where the task has labels.
        threads: cores to use; 0: all.
        model: used instead of the bundle's own model, which is then not loaded.
        send_to: the address that texts may be sent to, where the model is behind one.
        progress: called after each block.

    Raises:
        DataError: the table is missing or not usable; the message names the row, line or column.
        BundleError: the bundle is damaged.
    """
    source = Path(source)
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    task, fields = task_of(opened.manifest.task), Fields.of(opened.manifest)
    fields = fields.called(text) if text else fields
    _require_shares(task, each_label=each_label)
    first = fields.texts[0]
    streamed = format or (headless_format(source) if columns else format_of(source, text=first, encoding=encoding))
    kind, whole = streamed or "csv", streamed is None
    _require_table(fields, source, kind=kind)
    goal = target_of(source, None if target is None else Path(target), kind=kind, whole=whole)
    named = "standard input" if source == STDIO else str(source)
    tally = _Tally(
        model or load_model(opened, threads=threads, send_to=send_to),
        task=task,
        name=named,
        fields=fields,
        facts=opened.manifest.model,
        each_label=each_label,
    )
    read_as = "utf-8" if whole else encoding_of(source, wanted=encoding, kind=kind)
    opening: AbstractContextManager[BinaryIO] = reading(source, kind=kind)
    notes: tuple[str, ...] = ()
    if whole:
        table, notes = table_as_csv(source, encoding=encoding)
        opening = closing(table)
    with opening as reader, writing_to(goal) as writer:
        work = Pass(
            source=reader,
            target=writer,
            name=named,
            encoding=read_as,
            written=written_encoding(read_as, source=source),
            fields=fields,
            header=tuple(columns),
            columns=tally.columns,
            annotate=tally.annotate if progress is None or whole else _reported(tally, source, reader, progress),
        )
        WRITERS[kind](work)
    counts = dict(sorted(tally.counts.items()))
    return FilePredictions(
        target=goal,
        format=kind,
        rows=tally.rows,
        answered=tally.answered,
        without_text=tally.without_text,
        without_answer=tally.without_answer,
        counts=counts,
        first_without_text=tuple(tally.first_without_text),
        first_without_answer=tuple(tally.first_without_answer),
        abstained=tally.abstained,
        notes=notes,
    )


def _require_shares(task: Task, *, each_label: bool) -> None:
    if each_label and not task.shares:
        raise DataError(
            f"The probability of each label must be asked of a model with labels but the task is {task.name}.",
            next_step="Leave --each-label out.",
        )


def _require_table(fields: Fields, source: Path, *, kind: Format) -> None:
    if kind == "text" and not fields.plain:
        name = "Standard input" if source == STDIO else str(source)
        raise DataError(
            f"{name} must be a table with the columns {listed(fields.names)} but is plain lines.",
            next_step="Save it as CSV with a header, or as JSON lines with these keys.",
        )


class _Tally:
    """Predicts blocks and counts what it did."""

    def __init__(
        self, model: Predictor, *, name: str, task: Task, fields: Fields, facts: Mapping[str, Any], each_label: bool
    ) -> None:
        self._model, self._name, self._task, self._fields = model, name, task, fields
        self._facts, self._each_label = facts, each_label
        self.columns = task.cell_types(model.labels, each_label=each_label, facts=facts)
        self.rows = 0
        self.answered = self.without_text = self.without_answer = 0
        self.first_without_text, self.first_without_answer = list[int](), list[int]()
        self.abstained = 0 if ABSTAIN in self.columns else None
        self.counts: Counter[str] = Counter()

    def annotate(self, rows: list[Cells]) -> list[dict[str, Cell]]:
        """The new cells of each row of a block."""
        self._require_whole(rows)
        wanted = [place for place, row in enumerate(rows) if not self._fields.is_blank(row)]
        cells: list[dict[str, Cell]] = [{} for _ in rows]
        before, known = self.rows, set(wanted)
        blank = [before + place + 1 for place in range(len(rows)) if place not in known]
        self.rows += len(rows)
        self.without_text += len(blank)
        self.first_without_text += blank[: NAMED - len(self.first_without_text)]
        if not wanted:
            return cells
        answers = checked(self._model, self._fields.inputs([rows[place] for place in wanted]))
        found = self._task.cells(answers, names=self._model.labels, facts=self._facts, each_label=self._each_label)
        for place, new in zip(wanted, found, strict=True):
            cells[place] = new
            self._count(new, number=before + place + 1)
        return cells

    def _count(self, new: Mapping[str, Cell], *, number: int) -> None:
        """A row in one of the sums."""
        if new[PREDICTION] is None:
            self.without_answer += 1
            self.first_without_answer += [number] if len(self.first_without_answer) < NAMED else []
        elif self.abstained is not None and new[ABSTAIN] is True:
            self.abstained += 1
        else:
            self.answered += 1
            self.counts.update(self._task.counted(new))

    def _require_whole(self, rows: list[Cells]) -> None:
        for number, row in enumerate(rows, start=self.rows + 1):
            column = self._fields.broken(row)
            if column is not None:
                raise DataError(
                    f"Row {number} of {self._name} must be text but {column!r} holds half a surrogate pair.",
                    next_step=WHOLE,
                )


def _numbered(first: Sequence[int], count: int) -> str:
    """The numbers of rows for people, the first few of them."""
    more = f" and {count - len(first):,} more" if count > len(first) else ""
    return f"{'row' if count == 1 else 'rows'} {', '.join(f'{number:,}' for number in first)}{more}"


def _reported(tally: _Tally, source: Path, reader: BinaryIO, progress: Progress) -> formats.Annotate:
    size = None if source == STDIO or source.suffix == ".gz" else source.stat().st_size

    def annotate(rows: list[Cells]) -> list[dict[str, Cell]]:
        cells = tally.annotate(rows)
        progress(tally.rows, min(1.0, reader.tell() / size) if size else None)
        return cells

    return annotate
