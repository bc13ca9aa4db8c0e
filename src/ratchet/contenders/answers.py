"""A file of answers as a contender: whatever answered the rows may challenge, and may win, but cannot be exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.answers.answer_file import AnswerFile
from ratchet.answers.match import Rows, Side, match_rows
from ratchet.answers.read import file_and_part, read_answers
from ratchet.answers.table import Columns
from ratchet.contenders.base import MODEL, Identity, Trained, write_contender
from ratchet.contenders.failures import failed_rows, told_failures
from ratchet.contenders.kind import Kind, Training
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import DataError
from ratchet.metrics.metrics import MEASURED
from ratchet.recipe.sections import AnswersSpec
from ratchet.workspace.finished import file_sha256


class AnswersFromFile(Kind[AnswersSpec]):
    """Answers that somebody else gave: another model, a service, people. Rows are matched by id, or by their text."""

    name, spec, runtime = "answers", AnswersSpec, "none"
    tasks = ("classification", "multilabel", "regression", "generation")
    trained, exported = False, False

    def require(self, spec: AnswersSpec, rows: PartedRows) -> None:
        """As `Kind.require`: the file must be there."""
        del rows
        file_and_part(Path(spec.file))

    def train(self, folder: Path, spec: AnswersSpec, training: Training) -> None:
        """Match the answers with the rows of the comparison; nothing is trained.

        Raises:
            DataError: too many rows have no answer.
        """
        rows = training.rows
        wanted = rows.parts.compared
        file, side = _matched(spec, rows, wanted)
        cells, failures = _cells(file, side, rows, wanted)
        answers = rows.task.answers(cells, rows.targets.take(wanted))
        measured = _measures(file, side, count=len(wanted))
        (folder / MODEL).mkdir(parents=True)
        counts = Counter(failures.values())
        failed = failed_rows(failures, _said(file, side), rows, wanted)
        facts = {
            "fixed": True,
            "file": str(spec.file),
            "format": file.format,
            "model": file.model,
            "unanswered": dict(counts.most_common()),
            "failed_rows": failed,
            "foreign": side.foreign,
            "said": told_failures(failed, counts),
            **training.facts,
        }
        trained = Trained(predicted=wanted, answers=answers, seconds=0.0, facts=facts, measured=measured)
        write_contender(folder, rows, self.identity(spec, training), trained)

    def named_by(self, spec: AnswersSpec) -> object:
        """Other answers in the same file are another contender."""
        path = Path(spec.file)
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        return spec, [file_sha256(each) for each in files if each.is_file()]

    def identity(self, spec: AnswersSpec, training: Training) -> Identity:
        """Beside the settings, no model."""
        settings = spec.model_dump(mode="json")
        return Identity(name=training.name, kind=training.kind, runtime=self.runtime, spec=settings)


def _matched(spec: AnswersSpec, rows: PartedRows, wanted: Ints) -> tuple[AnswerFile, Side]:
    """The file, and its answers to the wanted rows; answers to other rows of the table are no fault."""
    columns = Columns(answer=spec.answer, id=spec.id, input=spec.text)
    file = read_answers(Path(spec.file), part=spec.part, columns=columns)
    data = rows.dataset
    ids: Sequence[str | None] = [None] * len(data) if data.roles.id is None else data.column(data.roles.id)
    asked = Rows(
        name="the rows of the comparison",
        ids=tuple(ids[row] for row in wanted.tolist()),
        inputs=tuple(rows.texts(wanted)),
        references=tuple(rows.names(wanted)),
    )
    side, _ = match_rows(file, asked, most_missing=1.0)
    if side.missing > spec.most_missing * len(wanted):
        raise DataError(
            f"{spec.file} must answer at least {1 - spec.most_missing:.0%} of the {len(wanted):,} rows but "
            f"{side.missing:,} have no answer.",
            next_step="Answer the same table, with its id column or its texts as they are, or raise most_missing.",
        )
    return file, side


def _cells(file: AnswerFile, side: Side, rows: PartedRows, wanted: Ints) -> tuple[list[str | None], dict[int, str]]:
    """The answer to each row as a cell, ``None`` where there is none, and why; of several answers to a row the first."""
    said = _said(file, side)
    cells: list[str | None] = []
    failures: dict[int, str] = {}
    for row in range(len(wanted)):
        text = said.get(row)
        parsed = rows.task.understood(text, names=rows.labels) if text else None
        cells.append(None if parsed is None else parsed.value)
        if cells[-1] is None:
            failures[row] = "no answer" if parsed is None else parsed.reason
    return cells, failures


def _said(file: AnswerFile, side: Side) -> dict[int, str | None]:
    """The first answer to each row that has one."""
    first: dict[int, str | None] = {}
    for place, row in zip(side.answers.tolist(), side.cluster.tolist(), strict=True):
        first.setdefault(row, file.answers[place])
    return first


def _measures(file: AnswerFile, side: Side, *, count: int) -> dict[str, npt.NDArray[np.float64]]:
    """Cost and latency of each row, where the file has them for all."""
    found = {}
    for name in MEASURED:
        values = file.measures.get(name)
        if values is not None and np.isfinite(values[side.answers]).all() and not side.missing:
            found[name] = side.per_row(values, rows=count)
    return found
