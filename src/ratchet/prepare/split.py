"""Parts without leaks: test, valid and train, stratified by label, the same for the same rows in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.near.copies import normalise
from ratchet.prepare.parts import TEST, VALID, Parts, parts_of, require_complete
from ratchet.prepare.stratify import assign
from ratchet.prepare.together import CHAIN_TEXTS, Units, units, with_units_of_their_own
from ratchet.recipe.sections import SplitConfig
from ratchet.tables.dataset import Dataset, concat
from ratchet.text.columns import Rows

_BIG_UNIT = 0.1


def split(
    dataset: Dataset,
    *,
    config: SplitConfig,
    seed: int,
    test: Dataset | None = None,
    strata: Sequence[str] | None = None,
) -> Parts:
    """Divide the rows so that no part can learn another's answers.

    Rows that belong together (:func:`ratchet.prepare.together.units`) stay in one part; within that, every label has its share
    of every part as nearly as whole units allow, and the parts have the sizes that ``config`` asks for. The draw depends
    on the seed and the rows' contents only, not on their order. Every label is in train, and in two folds, so that it is
    also known when any one fold is predicted by the others.

    Args:
        dataset: rows with text and label, as :func:`ratchet.prepare.clean.prepare` leaves them.
        config: shares and similarity; :func:`ratchet.prepare.split_by_time.split_by_time` divides where ``order`` is ``time``.
        seed: another seed, other parts; rows of queues never are in a test part that is drawn.
        test: rows that are the test part as they are; the parts are then those of ``concat(dataset, test)``.
        strata: (n,) the group of each row, of which every part gets its share; ``None``: the labels, each of which must
            then be in train and in another part.

    Raises:
        DataError: ``config.order`` is not ``random``, a row without text or label, a label whose rows all belong together
            or that only ``test`` has, or too few units for the parts.
    """
    if config.order != "random":
        raise DataError(f"split.order must be random for a draw but is {config.order}.", next_step="Use split_by_time.")
    for table in (dataset,) if test is None else (dataset, test):
        require_complete(table)
    tied = units(dataset, config=config)
    label = _numbered(dataset.labels if strata is None else strata)
    _require_units(dataset, tied=tied, parts=config.folds + (test is None))
    if strata is None:
        _require_two_units(dataset, tied=tied, label=label)
    rest = 1.0 if test is not None else 1 - config.test
    shares = np.array(([] if test is not None else [config.test]) + [rest / config.folds] * config.folds)
    offset = VALID if test is not None else TEST
    order = _order(dataset, tied.unit, seed=seed)
    fold = assign(tied.unit, label=label, order=order, shares=shares, first_fold=VALID - offset) + offset
    if test is None:
        fold = _without_queued(dataset, tied.unit, fold, order=order, folds=config.folds)
    if test is None and not (fold == TEST).any():
        raise DataError(
            f"The test part must have rows but {config.test:g} of {len(dataset):,} rows is less than one.",
            next_step="Raise split.test, or name test rows with data.test_files.",
        )
    notes = [*tied.notes, *_unit_notes(dataset, tied=tied, fold=fold)]
    notes += _size_notes(fold, wanted={i + offset: share for i, share in enumerate(shares.tolist())})
    labelled = strata is None
    if test is None:
        return parts_of(dataset, fold, notes=notes, unit=tied.unit, labelled=labelled)
    if labelled:
        _require_known_labels(dataset, test)
    unit, fold = with_units_of_their_own(tied.unit, len(test)), np.append(fold, np.full(len(test), TEST))
    return parts_of(concat(dataset, test), fold, notes=notes, unit=unit, labelled=labelled)


def _without_queued(dataset: Dataset, unit: Rows, fold: Rows, *, order: npt.NDArray[np.uint64], folds: int) -> Rows:
    """The fold of each row once the rows of queues, and what belongs together with them, left the test part.

    They were chosen because a model was unsure of them, so a test part that has them would not be like what comes. They go
    to the folds in turn, in the order of their random keys.
    """
    chosen = np.unique(unit[dataset.queued])
    leaving = chosen[np.isin(chosen, unit[fold == TEST])]
    if not len(leaving):
        return fold
    turn = np.zeros(len(order), np.int64)
    turn[leaving[np.argsort(order[leaving])]] = np.arange(len(leaving))
    return np.where(np.isin(unit, leaving), VALID + turn[unit] % folds, fold)


def _require_units(dataset: Dataset, *, tied: Units, parts: int) -> None:
    """More units than parts."""
    count = int(tied.unit.max(initial=-1)) + 1
    if count <= parts:
        raise DataError(
            f"{len(dataset):,} rows must form more than {parts} groups of their own to be divided but form {count}.",
            next_step="Add rows, or set split.folds lower, or split.near to false if the texts only look alike.",
        )


def _require_two_units(dataset: Dataset, *, tied: Units, label: Rows) -> None:
    """Every label in two units at least."""
    count = int(tied.unit.max(initial=-1)) + 1
    pairs = np.unique(label * count + tied.unit)
    alone = np.flatnonzero(np.bincount(pairs // count) < 2)
    if not len(alone):
        return
    rows = np.flatnonzero(label == alone[0])
    others = f" (and {len(alone) - 1:,} other labels)" if len(alone) > 1 else ""
    why = "they are copies or near-copies of each other" + (" or of one group" if dataset.roles.group else "")
    raise DataError(
        f"The {len(rows):,} rows of label {dataset.labels[rows[0]]!r}{others} must be in train and in another part but "
        + (f"{why}, so they cannot be divided." if len(rows) > 1 else "one row cannot be divided."),
        next_step="Add rows that differ, merge the label with another, or take it out.",
    )


def _require_known_labels(dataset: Dataset, test: Dataset) -> None:
    unknown = sorted(set(test.labels) - set(dataset.labels))
    if unknown:
        rows = test.labels.count(unknown[0])
        raise DataError(
            f"Every label of the test rows must occur in the training rows but {unknown[0]!r} ({rows:,} test rows) does not.",
            next_step="Add training rows of this label, or rename it with prepare.labels.",
        )


def _order(dataset: Dataset, unit: Rows, *, seed: int) -> npt.NDArray[np.uint64]:
    """A random key for each unit, made of the seed and its contents: blake2b of its rows, the smallest."""
    key = seed.to_bytes(16, "little", signed=False)
    keys = np.empty(len(dataset), np.uint64)
    for row, (text, label) in enumerate(zip(dataset.texts, dataset.labels, strict=True)):
        content = f"{normalise(text)}\0{label}".encode("utf-8", "surrogatepass")
        keys[row] = int.from_bytes(hashlib.blake2b(content, digest_size=8, key=key).digest(), "little")
    smallest = np.full(int(unit.max(initial=-1)) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, unit, keys)
    return smallest


def _unit_notes(dataset: Dataset, *, tied: Units, fold: Rows) -> list[str]:
    """What the largest unit does to the parts, when it is large enough to do anything."""
    sizes = np.bincount(tied.unit)
    if sizes.max() < max(_BIG_UNIT * len(dataset), CHAIN_TEXTS):
        return []
    rows = np.flatnonzero(tied.unit == sizes.argmax())
    where = {TEST: "test", VALID: "valid"}.get(int(fold[rows[0]]), f"fold {fold[rows[0]]} of train")
    what = "equal groups, copies or near-copies" if dataset.roles.group else "copies or near-copies of each other"
    return [
        f"{len(rows):,} of {len(dataset):,} rows ({len(rows) / len(dataset):.0%}) are {what}, or tied by a chain of them, "
        f"and stay in one part ({where}): the folds differ in size, and the other parts say nothing about such rows "
        f"(the first is {dataset.place(int(rows[0]))})."
    ]


def _size_notes(fold: Rows, *, wanted: Mapping[int, float]) -> list[str]:
    """Test and valid parts that are far from their size, as they are where alike rows come in large groups."""
    notes = []
    for name, part in (("test", TEST), ("valid", VALID)):
        rows, ideal = int((fold == part).sum()), round(wanted.get(part, 0) * len(fold))
        if ideal and abs(rows - ideal) > ideal / 2:
            notes.append(
                f"The {name} part has {rows:,} rows where {ideal:,} were asked for: rows that belong together are not divided."
            )
    return notes


def _numbered(labels: Sequence[str]) -> Rows:
    """Numbers in the order of the sorted labels, so that they do not depend on the order of the rows."""
    number = {label: i for i, label in enumerate(sorted(set(labels)))}
    return np.fromiter((number[label] for label in labels), np.int64, len(labels))
