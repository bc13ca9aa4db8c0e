"""What a file of answers holds, whichever tool wrote it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Words = tuple[str | None, ...]
MEASURES = ("cost", "latency", "input_tokens", "output_tokens")
"""What an answer took: in the file's currency, in seconds, in tokens."""
MOST_EPOCHS = 1 << 31


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer as a reader found it."""

    id: str | None
    input: str | None
    reference: str | None
    answer: str | None
    epoch: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerFile:
    """The n answers of one model, in the order of the file.

    Attributes:
        path: where they were read.
        format: ``table``, ``lm-eval``, ``inspect`` or ``promptfoo``.
        model: as the file names it, or the name of the file.
        ids: per answer, what names its row.
        inputs: the prompt, or the text that was asked about.
        references: the right answer, where the file has it.
        answers: ``None`` where there is none: it failed, or it is empty.
        epochs: shape (n,), 0, 1, ... for several answers to one row.
        scores: what the other tool scored, by the name of its metric, each of shape (n,); NaN where absent.
        measures: by the names in ``MEASURES``, each of shape (n,); NaN where absent.
        columns: what else the file says of each answer.
        notes: what a person should know about the reading.
        verbatim: whether answers are written as right answers are, such as predictions of a model, and are no replies
            from which the answer must first be understood.
        called: for messages, the columns of a table by what they hold: ``id``, ``input``, ``reference``, ``answer`` ...
    """

    path: Path
    format: str
    model: str
    ids: Words
    inputs: Words
    references: Words
    answers: Words
    epochs: Ints
    scores: Mapping[str, Floats]
    measures: Mapping[str, Floats]
    columns: Mapping[str, Words]
    notes: tuple[str, ...] = ()
    verbatim: bool = False
    called: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.answers)


def of_answers(
    found: Sequence[Answer],
    *,
    path: Path,
    format: str,
    model: str,
    notes: Iterable[str] = (),
    called: Mapping[str, str] | None = None,
    verbatim: bool = False,
) -> AnswerFile:
    """The answers as columns.

    Raises:
        DataError: there is none, or one took less than nothing.
    """
    if not found:
        raise DataError(f"{path} must have answers but has none.", next_step="Check that the run finished.")
    measures = _numbers([one.measures for one in found], names=MEASURES)
    for name, values in measures.items():
        if (values < 0).any():
            raise DataError(
                f"The {name} of an answer must be 0 or more but answer {int((values < 0).argmax()) + 1:,} of {path} has "
                f"{float(values[values < 0][0]):g}.",
                next_step="Correct the file, or leave the column out.",
            )
    return AnswerFile(
        path=path,
        format=format,
        model=model or path.stem,
        ids=tuple(one.id for one in found),
        inputs=tuple(one.input for one in found),
        references=tuple(one.reference for one in found),
        answers=tuple(one.answer for one in found),
        epochs=np.array([one.epoch for one in found], dtype=np.int64),
        scores=_numbers([one.scores for one in found]),
        measures=measures,
        columns=_words([one.columns for one in found]),
        notes=tuple(notes),
        called=called or {},
        verbatim=verbatim,
    )


def _numbers(rows: Sequence[Mapping[str, float]], *, names: Sequence[str] = ()) -> dict[str, Floats]:
    every = names or [*dict.fromkeys(name for row in rows for name in row)]
    return {name: np.array([row.get(name, math.nan) for row in rows], dtype=np.float64) for name in every}


def _words(rows: Sequence[Mapping[str, str | None]]) -> dict[str, Words]:
    every = dict.fromkeys(name for row in rows for name in row)
    return {name: tuple(row.get(name) for row in rows) for name in every}
