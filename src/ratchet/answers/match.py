"""Answers and the rows they are answers to: matched by id, else by content, by place only where there is neither."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ratchet.answers.answer_file import AnswerFile, Floats, Ints, Words
from ratchet.errors import DataError

MOST_MISSING = 0.05
"""More of the rows without an answer, or answers without a row, and the files are not about the same rows."""
_SAME = "Answer the same rows with both models."
Key = Hashable


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """What was asked: m rows by id, by input, or by both, with the right answers where they are known."""

    name: str
    ids: Words
    inputs: Words
    references: Words
    hashes: Words = ()
    """What says that two rows are the same although their prompts differ."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One file's answers to m rows, those of one row together.

    Attributes:
        answers: shape (k,), places in the file, by row and then by epoch.
        cluster: shape (k,), for each of them the place of its row in ``Matched.rows``.
        missing: rows that have no answer.
        repeated: further answers that were equal to the first one and are left out.
        foreign: answers to no row, left out.
        by: how rows were told apart: ``id``, ``content`` or ``place``.
    """

    answers: Ints
    cluster: Ints
    missing: int = 0
    repeated: int = 0
    foreign: int = 0
    by: str = ""

    def per_row(self, values: Floats, *, rows: int, absent: float = 0.0) -> Floats:
        """The mean over the epochs of each row.

        Args:
            values: one number an answer of the file, in its order.
            rows: how many rows there are, m.
            absent: the value of a row without an answer; the default counts it as wrong.

        Returns:
            Shape (m,).
        """
        total = np.bincount(self.cluster, weights=values[self.answers], minlength=rows)
        count = np.bincount(self.cluster, minlength=rows)
        return np.where(count > 0, total / np.maximum(count, 1), absent)


@dataclass(frozen=True, kw_only=True, eq=False)
class Matched:
    """Two files on the same m rows.

    Attributes:
        rows: shape (m,), places in the table of rows; 0, 1, ... where there is none.
        inputs: what was asked in each row.
        references: the right answers, from whoever has them.
        first: the answers of the first file.
        second: the answers of the second.
        notes: what a person should know.
    """

    rows: Ints
    inputs: Words
    references: Words
    first: Side
    second: Side
    notes: tuple[str, ...] = ()


def rows_of(file: AnswerFile) -> Rows:
    """The rows that a file answers, each once: those of its first epoch, and what only later ones have."""
    first = _unique(file)
    hashes = file.columns.get("doc_hash", ())
    return Rows(
        name=str(file.path),
        ids=tuple(file.ids[n] for n in first),
        inputs=tuple(file.inputs[n] for n in first),
        references=tuple(file.references[n] for n in first),
        hashes=tuple(hashes[n] for n in first) if hashes else (),
    )


def match(
    first: AnswerFile,
    second: AnswerFile,
    *,
    rows: Rows | None = None,
    by: str = "auto",
    most_missing: float = MOST_MISSING,
) -> Matched:
    """Match two files with each other, or both with a table of rows.

    Without a table the rows are those that either file answers, and one that only the other has is missing.

    Args:
        first: answers of one model.
        second: answers of another one.
        rows: the rows that count; answers to others are foreign.
        by: ``id``, ``content``, or ``auto``: by id where both have one for each row and share some, and the texts are the
            same; else by content; else by place. ``id`` does not look at the texts, which prompts may wrap.
        most_missing: share of the rows that may have no answer, or answers that may have no row, in each file.

    Raises:
        DataError: the files are not about the same rows; the message counts.
    """
    whole = rows or _union(rows_of(first), rows_of(second), by=by)
    found, notes = [], list[str]()
    for file, other in ((first, second), (second, first)):
        asked = whole if rows is not None else replace(whole, name=str(other.path))
        side, said = match_rows(file, asked, by=by, most_missing=most_missing)
        found.append(side)
        notes.extend(said)
    if rows is not None and rows.references.count(None) < len(rows):
        references = rows.references
    else:
        references = _references(first, second, found, len(whole))
    return Matched(
        rows=np.arange(len(whole)),
        inputs=whole.inputs,
        references=references,
        first=found[0],
        second=found[1],
        notes=tuple(dict.fromkeys(notes)),
    )


def match_rows(
    file: AnswerFile, rows: Rows, *, by: str = "auto", most_missing: float = MOST_MISSING
) -> tuple[Side, tuple[str, ...]]:
    """One file's answers to a table of rows, and what should be said about them; arguments and errors as :func:`match`."""
    if by not in ("auto", "id", "content"):
        raise DataError(f"Rows must be matched by auto, id or content but got {by!r}.")
    way = _way(rows_of(file), rows, by=by)
    if way == "place":
        return _by_place(file, rows, most=most_missing)
    own = _file_keys(file, way=way, labelled=_labelled(file, rows, way=way))
    wanted = _keys(rows, way=way, labelled=_labelled(file, rows, way=way))
    side = _assigned(file, own, wanted, way=way)
    if way == "id" and by == "auto":
        _same_content(file, rows, side)
    missing = len(rows) - len({int(row) for n, row in zip(side.answers, side.cluster, strict=True) if file.answers[n]})
    side = replace(side, missing=missing, by=way)
    _refuse(file, rows, side, way=way, most=most_missing)
    return side, tuple(_notes(file, rows, side))


def _word(cell: str | None) -> str | None:
    """A cell as it is compared: without white space around it, ``None`` where nothing is left."""
    return (cell.strip() or None) if cell is not None else None


def _unique(file: AnswerFile) -> list[int]:
    """The place of the first answer to each row; without epochs every answer is a row of its own unless it has an id."""
    if not file.epochs.any():
        if None in file.ids:
            return [*range(len(file))]
        seen: dict[Key, int] = {}
        for n, name in enumerate(file.ids):
            seen.setdefault(_word(name), n)
        return [*seen.values()]
    lowest: dict[Key, list[int]] = defaultdict(list)
    for n, key in enumerate(zip(map(_word, file.ids), map(_word, file.inputs), strict=True)):
        lowest[key].append(n)
    return sorted(n for places in lowest.values() for n in _of_one_epoch(file, places))


def _of_one_epoch(file: AnswerFile, places: Sequence[int]) -> list[int]:
    """The places of the epoch that has the most of them: rows of equal content stand beside each other in each epoch."""
    by_epoch: dict[int, list[int]] = defaultdict(list)
    for n in places:
        by_epoch[int(file.epochs[n])].append(n)
    return max(by_epoch.values(), key=len)


def _way(own: Rows, rows: Rows, *, by: str) -> str:
    """How rows are told apart: ``id``, ``content`` or ``place``."""
    has_ids = all(None not in side.ids for side in (own, rows))
    has_content = all(any(map(_word, side.inputs)) for side in (own, rows))
    if by == "id" and not has_ids:
        raise DataError(
            f"{own.name} and {rows.name} must name each row to be matched by id but have rows without an id.",
            next_step="Give each row an id, or match by content.",
        )
    if by == "content" and not has_content:
        raise DataError(
            f"{own.name} and {rows.name} must have the text of each row to be matched by content but have not.",
            next_step="Add the column of the text or the prompt, or match by id.",
        )
    if by != "auto":
        return by
    shared = has_ids and bool(set(map(_word, own.ids)) & set(map(_word, rows.ids)))
    if has_ids and (shared or not has_content):
        return "id"
    return "content" if has_content else "place"


def _file_keys(file: AnswerFile, *, way: str, labelled: bool) -> list[Key]:
    """Per answer, what says which row it is an answer to."""
    return _keyed(file.ids if way == "id" else file.inputs, file.references if labelled else None)


def _keys(rows: Rows, *, way: str, labelled: bool) -> list[Key]:
    return _keyed(rows.ids if way == "id" else rows.inputs, rows.references if labelled else None)


def _keyed(cells: Words, labels: Words | None) -> list[Key]:
    words = [_word(cell) for cell in cells]
    return [*words] if labels is None else [*zip(words, map(_word, labels), strict=True)]


def _labelled(file: AnswerFile, rows: Rows, *, way: str) -> bool:
    """Whether right answers may tell rows of equal text apart: both sides have the same ones beside each text."""
    own = rows_of(file)
    pairs = [Counter(_keyed(side.inputs, side.references)) for side in (own, rows)]
    return way == "content" and pairs[0] == pairs[1]


def _union(first: Rows, second: Rows, *, by: str) -> Rows:
    """The rows of the first file, and behind them those that only the second has."""
    way = _way(second, first, by=by)
    if way == "place":
        return first
    labelled = (
        way == "content"
        and len({frozenset(Counter(_keyed(side.inputs, side.references)).items()) for side in (first, second)}) == 1
    )
    own = [_keys(side, way=way, labelled=labelled) for side in (first, second)]
    counts = [Counter(keys) for keys in own]
    kept = [_at_most(own[0], {key: counts[1][key] or count for key, count in counts[0].items()})]
    kept.append(_at_most(own[1], {key: 0 if counts[0][key] else count for key, count in counts[1].items()}))

    def both(name: str) -> Words:
        cells = [getattr(side, name) for side in (first, second)]
        return tuple(cells[side][n] for side in (0, 1) for n in kept[side])

    hashes = both("hashes") if first.hashes and second.hashes else ()
    name = f"{first.name} and {second.name}"
    return Rows(name=name, ids=both("ids"), inputs=both("inputs"), references=both("references"), hashes=hashes)


def _at_most(keys: Sequence[Key], most: dict[Key, int]) -> list[int]:
    """Places of the first ``most`` of each key."""
    seen: Counter[Key] = Counter()
    kept = []
    for n, key in enumerate(keys):
        seen[key] += 1
        if seen[key] <= most[key]:
            kept.append(n)
    return kept


def _by_place(file: AnswerFile, rows: Rows, *, most: float) -> tuple[Side, tuple[str, ...]]:
    if len(file) != len(rows) or file.epochs.any():
        raise DataError(
            f"{file.path} and {rows.name} must have the same rows but have {len(file):,} and {len(rows):,}, and neither ids "
            "nor texts that both have.",
            next_step="Add an id or the text to both.",
        )
    places = np.arange(len(rows))
    side = Side(answers=places, cluster=places, missing=sum(answer is None for answer in file.answers), by="place")
    _refuse(file, rows, side, way="place", most=most)
    return side, ("There is no id and no text: rows are taken in their order.", *_notes(file, rows, side))


def _assigned(file: AnswerFile, own: Sequence[Key], wanted: Sequence[Key], *, way: str) -> Side:
    """Each answer with its row; of rows with one key, the answers of each epoch are taken in their order."""
    where: dict[Key, list[int]] = defaultdict(list)
    for row, key in enumerate(wanted):
        where[key].append(row)
    if way == "id":
        _require_different(where, file)
    taken: Counter[tuple[Key, int]] = Counter()
    found: list[tuple[int, int, int]] = []
    last: dict[tuple[Key, int], int] = {}
    foreign, repeated, different = 0, 0, list[int]()
    for n, (key, epoch) in enumerate(zip(own, file.epochs.tolist(), strict=True)):
        rows = where.get(key)
        if rows is None:
            foreign += 1
        elif taken[key, epoch] < len(rows):
            found.append((rows[taken[key, epoch]], epoch, n))
            taken[key, epoch] += 1
            last[key, epoch] = n
        else:
            repeated += 1
            if _word(file.answers[n]) != _word(file.answers[last[key, epoch]]):
                different.append(n)
    if different:
        raise _repeated(file, own, different)
    found.sort()
    answers = np.array([n for _, _, n in found], dtype=np.int64)
    cluster = np.array([row for row, _, _ in found], dtype=np.int64)
    return Side(answers=answers, cluster=cluster, repeated=repeated, foreign=foreign)


def _repeated(file: AnswerFile, own: Sequence[Key], different: Sequence[int]) -> DataError:
    n = different[0]
    return DataError(
        f"{file.path} must have one answer a row but {len(different):,} answers differ from an earlier one to the same row, "
        f"{own[n]!r} in row {n + 1:,} first.",
        next_step="Number them in a column 'epoch' (0, 1, 2 and so on), or keep one of each.",
    )


def _called(file: AnswerFile, role: str, otherwise: str) -> str:
    """What a column is called in a message."""
    return repr(file.called[role]) if role in file.called else otherwise


def _in(file: AnswerFile) -> str:
    return f", in {file.called['reference']!r}" if "reference" in file.called else ""


def _require_different(where: dict[Key, list[int]], file: AnswerFile) -> None:
    twice = [key for key, rows in where.items() if len(rows) > 1]
    if twice:
        raise DataError(
            f"The ids of the rows of {file.path} must name each row once but {len(twice):,} name several, "
            f"{twice[0]!r} first.",
            next_step="Give each row an id of its own, or match by content.",
        )


def _same_content(file: AnswerFile, rows: Rows, side: Side) -> None:
    """Refuse ids that were numbered anew on each side: the rows that they match are not the same."""
    hashes = file.columns.get("doc_hash", ())
    own, wanted = (hashes, rows.hashes) if hashes and rows.hashes else (file.inputs, rows.inputs)
    pairs = [(_word(own[n]), _word(wanted[row])) for n, row in zip(side.answers, side.cluster, strict=True)]
    different = [n for n, (one, other) in enumerate(pairs) if one and other and one != other]
    if different:
        row = int(side.answers[different[0]]) + 1
        raise DataError(
            f"The ids of {file.path} and {rows.name} must name the same rows but {len(different):,} of {len(pairs):,} "
            f"differ in {_called(file, 'input', 'their texts')}, row {row:,} of {file.path} first.",
            next_step="Take out the ids: rows are then matched by content. If the ids are of one table and only the prompts "
            "around the texts differ, name their column with --id.",
        )


def _refuse(file: AnswerFile, rows: Rows, side: Side, *, way: str, most: float) -> None:
    for count, what in ((side.missing, "rows have no answer"), (side.foreign, "answers are to no row")):
        if count > most * len(rows):
            raise DataError(
                f"{file.path} must answer the rows of {rows.name} but, by {way}, {side.missing:,} of {len(rows):,} rows have "
                f"no answer and {side.foreign:,} answers are to no row; at most {most:.0%} may be.",
                next_step=f"{_SAME} If the {what} for a good reason, raise the share (--most-missing).",
            )


def _notes(file: AnswerFile, rows: Rows, side: Side) -> list[str]:
    name = Path(file.path).name
    counted = (
        (side.missing, f"{side.missing:,} of {len(rows):,} rows have no answer in {name} and count as wrong."),
        (side.foreign, f"{side.foreign:,} answers of {name} are to no row and are left out."),
        (side.repeated, f"{side.repeated:,} answers of {name} repeat another one and are left out."),
    )
    said = [note for count, note in counted if count]
    counts = np.bincount(side.cluster, minlength=1)
    if counts.max() > 1:
        answers, asked = len(side.cluster), int((counts > 0).sum())
        most = f"{counts.max()}" if answers == asked * counts.max() else f"up to {counts.max()}"
        said.append(f"{name} has {most} answers a row: {asked:,} rows, not {answers:,}; scores are their means.")
        empty = sum(file.answers[n] is None for n in side.answers.tolist())
        said += [f"{empty:,} of {answers:,} answers of {name} are empty and count as wrong."] if empty else []
    return said


def _references(first: AnswerFile, second: AnswerFile, sides: Sequence[Side], rows: int) -> Words:
    """The right answers of the rows, on which both files must agree."""
    found: list[list[str | None]] = [[None] * rows, [None] * rows]
    places: list[dict[int, int]] = [{}, {}]
    for cells, where, file, side in zip(found, places, (first, second), sides, strict=True):
        for n, row in zip(side.answers.tolist(), side.cluster.tolist(), strict=True):
            where.setdefault(row, n + 1)
            cells[row] = cells[row] if cells[row] is not None else file.references[n]
    pairs = [*zip(*found, strict=True)]
    different = [n for n, (a, b) in enumerate(pairs) if a is not None and b is not None and _word(a) != _word(b)]
    if different:
        a, b = pairs[different[0]]
        raise DataError(
            f"{first.path} and {second.path} must have the same right answer in each row but {len(different):,} of {rows:,} "
            f"differ: row {places[0][different[0]]:,} of the first file has {a!r} and row {places[1][different[0]]:,} of the "
            f"second {b!r}{_in(first)}.",
            next_step=_SAME,
        )
    return tuple(a if a is not None else b for a, b in pairs)
