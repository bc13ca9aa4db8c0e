"""What tells the rows of two files apart where they have no ids: the text, and the further columns that both have alike."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ratchet.answers.answer_file import AnswerFile
from ratchet.tasks.stated import PROBABILITY

Content = tuple[str | None, ...]
Files = tuple[AnswerFile, AnswerFile]


def with_content(first: AnswerFile, second: AnswerFile) -> Files:
    """Both files with the content of each row as its input, where the input alone does not tell rows apart.

    A column that both files have belongs to the content where both have the same rows with it as without it; what only one
    model said of a row does not. Of files without ids and inputs in which no column is such, all shared columns are the
    content, so that rows that are not the same are never paired by their place.
    """
    files = (first, second)
    named = all(None not in file.ids for file in files)
    asked = [any(file.inputs) for file in files]
    plain = [[(_word(cell),) for cell in file.inputs] for file in files]
    alone = all(asked) and (named or all(len(set(cells)) == len(cells) for cells in plain))
    shared = _shared(first, second)
    if alone or asked[0] != asked[1] or not shared:
        return files
    start: list[list[Content]] = [[*cells] for cells in plain] if all(asked) else [[()] * len(file) for file in files]
    chosen = _alike(files, start, [name for name in shared if not named or _tells_apart(first, name)])
    if not chosen and not named and not all(asked):
        chosen = shared
    return (_composed(first, chosen), _composed(second, chosen)) if chosen else files


def _shared(first: AnswerFile, second: AnswerFile) -> list[str]:
    """Columns that both have, those with the most different cells first."""
    names = [name for name in first.columns if name in second.columns and not name.startswith(PROBABILITY)]
    return sorted(names, key=lambda name: -len(set(first.columns[name])))


def _tells_apart(file: AnswerFile, name: str) -> bool:
    return 2 * len(set(file.columns[name])) > len(file)


def _alike(files: Files, start: Sequence[Sequence[Content]], names: Sequence[str]) -> list[str]:
    """The columns that can be added to the content, one after the other, while both files have the same rows by it."""
    content = [[*cells] for cells in start]
    chosen = []
    for name in names:
        longer = [
            [(*cells, _word(cell)) for cells, cell in zip(own, file.columns[name], strict=True)]
            for own, file in zip(content, files, strict=True)
        ]
        if Counter(longer[0]) == Counter(longer[1]):
            content = longer
            chosen.append(name)
    return chosen


def _composed(file: AnswerFile, names: Sequence[str]) -> AnswerFile:
    columns = [file.columns[name] for name in names]
    columns = [file.inputs, *columns] if any(file.inputs) else columns
    rows = [[_word(cell) for cell in cells] for cells in zip(*columns, strict=True)]
    content = [cells[0] if len(cells) == 1 else json.dumps(cells, ensure_ascii=False) for cells in rows]
    return replace(file, inputs=tuple(content))


def _word(cell: str | None) -> str | None:
    return (cell.strip() or None) if cell is not None else None
