"""Parts in time order: train is earlier than valid, valid is earlier than test, and what they share is purged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.prepare.leaks import LEAK
from ratchet.prepare.parts import TEST, VALID, Parts, parts_of, require_complete
from ratchet.prepare.quarantine import Quarantine, removed
from ratchet.prepare.together import units, with_units_of_their_own
from ratchet.recipe.sections import SplitConfig
from ratchet.tables.dataset import Dataset, concat
from ratchet.text.columns import Rows
from ratchet.text.dates import together
from ratchet.text.personal import brief

_SHOWN = 40  # characters of a cell or a term

Floats = npt.NDArray[np.float64]
NO_TIME = "time.missing"
_TRAIN = 1
_NAMES = {TEST: "test", VALID: "valid", _TRAIN: "train"}
_FAR = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Ordered:
    """The rows that stay, their parts (those of the given test table too, behind them), and the others with a reason."""

    dataset: Dataset
    parts: Parts
    quarantine: Quarantine


def split_by_time(
    dataset: Dataset, *, config: SplitConfig, test: Dataset | None = None, labelled: bool = True
) -> Ordered:
    """Cut the rows in the order of their times: test is the latest share, valid the latest of the rest.

    Rows of one time are never divided, so the parts have their sizes as nearly as times allow. Of rows that belong together
    (:func:`ratchet.prepare.together.units`) and lie on both sides of a cut, the earlier ones go to the quarantine as
    ``parts.leak``: purging (Lopez de Prado 2018, Advances in Financial Machine Learning, chapter 7). So do rows without a
    time, as ``time.missing``. Nothing is drawn, and the order of the rows does not matter.

    Args:
        dataset: rows with text, label and a time column, as :func:`ratchet.prepare.clean.prepare` leaves them.
        config: shares and similarity.
        test: rows that are the test part as they are, whatever their times; a note says when they are not the latest.

    Raises:
        DataError: a row without text or label, a time that cannot be read, fewer different times than parts, a part from
            which everything was purged or in which one label is left, or a label that is not in train.
    """
    tables = (dataset,) if test is None else (dataset, test)
    for table in tables:
        require_complete(table)
    seconds, *asked = times(*tables)
    known, timeless = np.flatnonzero(~np.isnan(seconds)), np.flatnonzero(np.isnan(seconds))
    quarantine = removed(dataset, timeless, reasons=[NO_TIME] * len(timeless), kept=np.full(len(timeless), -1))
    present, seconds = dataset.take(known), seconds[known]
    fold = _cut(seconds, config=config, given=test is not None)
    tied = units(present, config=config)
    stands = _stand_ins(tied.unit, fold)
    out, stay = np.flatnonzero(stands >= 0), np.flatnonzero(stands < 0)
    quarantine = quarantine.plus(removed(present, out, reasons=[LEAK] * len(out), kept=stands[out]))
    _require_rows(fold, stay=stay, given=test is not None)
    if labelled:
        _require_labels(present, test=test, fold=fold, stay=stay, seconds=seconds)
        _require_two_labels(present.take(stay), fold=fold[stay])
    notes = [
        _order_note(present, fold=fold, seconds=seconds),
        *_size_notes(fold, config=config, given=test is not None),
    ]
    if test is not None:
        notes += _late_notes(present, test, seconds=seconds, asked=asked[0])
    whole, fold, unit = present.take(stay), fold[stay], tied.unit[stay]
    if test is not None:
        unit = with_units_of_their_own(unit, len(test))
        whole, fold = concat(whole, test), np.append(fold, np.full(len(test), TEST))
    parts = parts_of(whole, fold, notes=[*notes, *tied.notes], order="time", unit=unit, labelled=labelled)
    return Ordered(dataset=whole, parts=parts, quarantine=quarantine)


def times(*tables: Dataset) -> list[Floats]:
    """The time of each row of each table in seconds since 1970, NaN where the cell is missing.

    Raises:
        DataError: a table has no time column, or a cell cannot be read.
    """
    columns = []
    for table in tables:
        name = table.roles.time
        if name is None or name not in table.table.column_names:
            raise DataError(
                f"{table.files[0]} must have a time column to be put in order but has none.", next_step="Set data.time."
            )
        columns.append(table.table.column(name))
    found = together(*columns)
    which = next((number for number, one in enumerate(found) if len(one.unreadable)), None)
    if which is not None:
        row = int(found[which].unreadable[0])
        raise DataError(
            f"Every cell of the time column {tables[which].roles.time!r} must be a date, a time or seconds since 1970 but "
            f"{tables[which].place(row)} has {brief(columns[which][row].as_py(), most=_SHOWN)!r}.",
            next_step="Set data.time to another column."
            if 2 * sum(len(one.unreadable) for one in found) > sum(map(len, tables))
            else "Correct the cell, or empty it: a row without a time goes to the quarantine.",
        )
    return [one.seconds for one in found]


def _cut(seconds: Floats, *, config: SplitConfig, given: bool) -> Rows:
    """The part of each row, cut between two different times, each cut as near to its share as they allow."""
    different, counts = np.unique(seconds, return_counts=True)
    if len(different) < 3 - given:
        raise DataError(
            f"The rows must have at least {3 - given} different times to be divided in time order but have {len(different)}.",
            next_step="Set data.time to a column with finer times, or split.order to random.",
        )
    before = np.append(0, np.cumsum(counts))  # rows that are earlier than each time, and all of them
    test = len(different)
    if not given:
        test = 2 + int(np.argmin(np.abs(before[2:-1] - (1 - config.test) * len(seconds))))
    valid = 1 + int(np.argmin(np.abs(before[1:test] - (1 - 1 / config.folds) * before[test])))
    place = np.searchsorted(different, seconds)
    return np.where(place >= test, TEST, np.where(place >= valid, VALID, _TRAIN)).astype(np.int64)


def _stand_ins(unit: Rows, fold: Rows) -> Rows:
    """For each row whose unit reaches into a later part a row of it there, else -1."""
    order = np.lexsort((fold, unit))  # the latest part has the lowest number
    _, first = np.unique(unit[order], return_index=True)
    latest = order[first][unit]
    return np.where(fold > fold[latest], latest, -1)


def _require_rows(fold: Rows, *, stay: Rows, given: bool) -> None:
    for part in (_TRAIN, VALID) if given else (_TRAIN, VALID, TEST):
        if not (fold[stay] == part).any():
            raise DataError(
                f"Some rows must stay in the {_NAMES[part]} part but all {(fold == part).sum():,} belong together with later "
                "rows: copies, near-copies or of the same group.",
                next_step="Set split.order to random, or split.near to false if the texts only look alike.",
            )


def _require_labels(present: Dataset, *, test: Dataset | None, fold: Rows, stay: Rows, seconds: Floats) -> None:
    """Every label that is measured is known to who is trained on train."""
    labels = np.array(present.labels, dtype=object)
    trained = set(labels[stay[fold[stay] == _TRAIN]])
    later = stay[(fold[stay] != _TRAIN) & ~np.isin(labels[stay], list(trained))]
    if len(later):
        first = int(later[np.argmin(seconds[later])])
        label, count, place = labels[first], int((labels[later] == labels[first]).sum()), present.place(first)
    elif test is not None and (unknown := [row for row, label in enumerate(test.labels) if label not in trained]):
        label, count, place = (
            test.labels[unknown[0]],
            test.labels.count(test.labels[unknown[0]]),
            test.place(unknown[0]),
        )
    else:
        return
    gone = int(((labels == label) & (fold == _TRAIN)).sum())
    why = f"; {gone:,} earlier rows of it belong together with later ones" if gone else ""
    raise DataError(
        f"Every label must be in the train part, the earliest rows, but {label!r} is only in the later ones "
        f"({count:,} rows, the first is {place}{why}).",
        next_step="Take these rows out, merge the label with another, or set split.order to random.",
    )


def _require_two_labels(dataset: Dataset, *, fold: Rows) -> None:
    """No part of one label only: a model that always answers it would be perfect there."""
    labels = np.array(dataset.labels, dtype=object)
    for part in sorted(set(fold.tolist()), reverse=True):
        rows = np.flatnonzero(fold == part)
        if len(set(labels[rows])) < 2:
            raise DataError(
                f"The {_NAMES[part]} part must have at least 2 labels but all its {len(rows):,} rows are {labels[rows[0]]!r}.",
                next_step="Set split.order to random, or other shares in split.test and split.folds.",
            )


def _order_note(present: Dataset, *, fold: Rows, seconds: Floats) -> str:
    """Where the parts begin, and what that does to the verdicts."""
    assert present.roles.time is not None
    cells = present.table.column(present.roles.time)
    begins = []
    for part in (VALID, TEST):
        rows = np.flatnonzero(fold == part)
        if len(rows):
            begins.append(f"{_NAMES[part]} begins at {cells[int(rows[np.argmin(seconds[rows])])].as_py().strip()}")
    return (
        f"Parts in the order of {present.roles.time!r}: {', '.join(begins)}. Every verdict is made on the valid part alone, by "
        "models trained on the earlier rows: out of fold a model would know the future."
    )


def _size_notes(fold: Rows, *, config: SplitConfig, given: bool) -> list[str]:
    """Parts that are far from their share, because rows of one time stay together."""
    rest = 1.0 if given else 1 - config.test
    notes = []
    for part, wanted in ((VALID, rest / config.folds), (TEST, 1 - rest)):
        share = float((fold == part).mean())
        if wanted and abs(share - wanted) > _FAR * wanted:
            notes.append(
                f"The {_NAMES[part]} part is {share:.0%} of the rows instead of {wanted:.0%}: rows of one time are not divided."
            )
    return notes


def _late_notes(present: Dataset, test: Dataset, *, seconds: Floats, asked: Floats) -> list[str]:
    """Whether the given test rows are the latest, as they would be in use."""
    if np.isnan(asked).all():
        return ["No test row has a time, so it is unknown whether they are later than the training rows."]
    first = int(np.nanargmin(asked))
    late = int((seconds >= asked[first]).sum())
    if not late:
        return []
    return [
        f"{late:,} of {len(present):,} training rows are not earlier than the earliest test row ({test.place(first)}): the "
        "model may know what came after it, and its score on the test part may flatter."
    ]
