"""Answers in a table: CSV, JSONL, Parquet and whatever else :func:`ratchet.tables.read.read_table` reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ratchet.answers.answer_file import MOST_EPOCHS, Answer, AnswerFile, of_answers
from ratchet.answers.match import Rows
from ratchet.answers.values import name_of, number_of, one_of, text_of
from ratchet.errors import DataError
from ratchet.tables.read import read_table
from ratchet.tables.roles import IDS

_USUAL: Mapping[str, tuple[str, ...]] = {
    "answer": (
        *(
            "prediction",
            "completion",
            "output",
            "response",
            "generation",
            "generated",
            "generated_text",
            "model_output",
        ),
        *("model_answer", "pred", "answer", "预测", "回答", "输出", "答案"),
    ),
    "id": (*IDS, "row_id", "doc_id", "sample_id", "question_id"),
    "input": (
        *("prompt", "text", "input", "question", "query", "instruction", "sentence", "content", "review"),
        *("文本", "问题", "提示", "内容", "评论"),
    ),
    "reference": (
        *("label", "reference", "answer_key", "target", "gold", "expected", "ground_truth", "ideal", "answer"),
        *("标签", "参考答案", "标准答案", "答案"),
    ),
    "epoch": ("epoch", "repeat", "trial"),
    "model": ("model", "model_name"),
    "cost": ("cost", "cost_usd"),
    "latency": ("latency", "latency_s", "latency_seconds"),
    "latency_ms": ("latency_ms", "latencyms"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
}
_SCORE = "score"
_VERBATIM = ("prediction", "pred", "预测")
"""Columns of answers that are written as right answers are; others may be replies of a language model."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of columns, for those that are not called as usual; empty: by the usual names.

    ``reference`` may be a column of another file alone: a file without it has no right answers.
    """

    answer: str = ""
    id: str = ""
    input: str = ""
    reference: str = ""


def read_answer_table(
    path: Path, *, columns: Columns | None = None, encoding: str = "auto", part: str = ""
) -> AnswerFile:
    """The answers of a table, one a row.

    The answer is in the first column called prediction, completion, output, response ... answer; the id, the input, the
    reference, the epoch and the model are found likewise. ``score`` and ``score_NAME`` are scores, ``cost``, ``latency``
    (seconds) or ``latency_ms``, ``input_tokens`` and ``output_tokens`` measures; every other column is kept as it is.

    Args:
        path: the table.
        columns: names of columns that are called otherwise.
        encoding: as of :func:`ratchet.tables.read.read_table`.
        part: the model, where a column ``model`` has several.

    Raises:
        DataError: the table cannot be read, a named column is not there, there is no column of answers, or there are
            several models and none is named.
    """
    table = read_table(path, encoding=encoding).table
    roles = _roles(table.column_names, columns or Columns(), path=path)
    cells = {name: table.column(name).to_pylist() for name in table.column_names}
    rows = [*range(table.num_rows)]
    model = ""
    if "model" in roles:
        models = [name_of(cell) or "?" for cell in cells[roles["model"]]]
        model = one_of([*dict.fromkeys(models)], part, path=path, what="model")
        rows = [row for row in rows if models[row] == model]
    elif part:
        raise DataError(
            f"{path} must have a column 'model' to name one by {part!r} but has {', '.join(table.column_names)}.",
            next_step=f"Leave out #{part}.",
        )
    answers = [_answer(cells, roles, row, path=path) for row in rows]
    verbatim = roles["answer"].strip().casefold() in _VERBATIM
    return of_answers(answers, path=path, format="table", model=model, called=roles, verbatim=verbatim)


def read_rows(path: Path, *, columns: Columns | None = None, encoding: str = "auto") -> Rows:
    """A table of rows that were asked: their ids, their texts, or both, and their right answers.

    Args:
        path: the table; its columns are found as those of :func:`read_answer_table`, and ``answer`` is a right answer.
        columns: names of columns that are called otherwise.
        encoding: as of :func:`ratchet.tables.read.read_table`.

    Raises:
        DataError: the table cannot be read, has no rows, or neither ids nor texts.
    """
    table = read_table(path, encoding=encoding).table
    roles = _roles(table.column_names, columns or Columns(), path=path, wanted=("id", "input", "reference"))
    if not {"id", "input"} & roles.keys() or not table.num_rows:
        raise DataError(
            f"{path} must have rows with an id or a text but has {table.num_rows:,} rows of {', '.join(table.column_names)}.",
            next_step="Name the column of the ids with --id.",
        )
    cells = {role: table.column(name).to_pylist() for role, name in roles.items()}
    nothing: list[str | None] = [None] * table.num_rows
    ids, inputs, references = (tuple(cells.get(role, nothing)) for role in ("id", "input", "reference"))
    return Rows(
        name=str(path),
        ids=tuple(name_of(cell) for cell in ids),
        inputs=tuple(text_of(cell) for cell in inputs),
        references=tuple(text_of(cell) for cell in references),
    )


def _roles(names: Sequence[str], columns: Columns, *, path: Path, wanted: Sequence[str] = ()) -> dict[str, str]:
    """By role, the name of its column; with ``wanted`` of these roles alone, and a column of answers is no must."""
    plain = {name.strip().casefold(): name for name in reversed(names)}
    given: dict[str, str] = {role: name for role, name in asdict(columns).items() if name}
    sought = wanted or [*_USUAL]
    roles = {role: name for role, name in given.items() if role in sought and (role != "reference" or name in names)}
    for role, name in roles.items():
        if name not in names:
            raise DataError(
                f"The column of the {role} must be in {path} but {name!r} is not: it has {', '.join(names)}.",
                next_step="Name one of these.",
            )
    for role in sought:
        usual, taken = _USUAL[role], set(roles.values())
        if role in given:
            continue
        found = next((plain[name] for name in usual if name in plain and plain[name] not in taken), None)
        if found is not None:
            roles[role] = found
    if "answer" not in roles and not wanted:
        raise DataError(
            f"{path} must have a column of answers, such as 'prediction' or 'output', but has {', '.join(names)}.",
            next_step="Name the column of the answers with --answer.",
        )
    return roles


def _answer(cells: Mapping[str, Sequence[str | None]], roles: Mapping[str, str], row: int, *, path: Path) -> Answer:
    def cell(role: str) -> str | None:
        return cells[roles[role]][row] if role in roles else None

    numbers = {role: number_of(cell(role)) for role in ("cost", "latency", "input_tokens", "output_tokens")}
    if "latency" not in roles:
        numbers["latency"] = number_of(cell("latency_ms")) / 1000
    others = [name for name in cells if name not in roles.values()]
    scored = [name for name in others if name.casefold() == _SCORE or name.casefold().startswith(f"{_SCORE}_")]
    return Answer(
        id=name_of(cell("id")),
        input=text_of(cell("input")),
        reference=text_of(cell("reference")),
        answer=text_of(cell("answer")),
        epoch=_epoch(cell("epoch"), row=row, path=path),
        scores={name: number_of(cells[name][row]) for name in scored},
        measures={name: value for name, value in numbers.items() if not math.isnan(value)},
        columns={name: cells[name][row] for name in others if name not in scored},
    )


def _epoch(cell: str | None, *, row: int, path: Path) -> int:
    number = 0.0 if cell is None else number_of(cell)
    if not (0 <= number < MOST_EPOCHS and number.is_integer()):
        raise DataError(
            f"The epoch of row {row + 1:,} of {path} must be a whole number from 0 but is {cell!r}.",
            next_step="Number the answers to one row 0, 1, 2 and so on.",
        )
    return int(number)
