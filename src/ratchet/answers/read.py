"""One way to read a file of answers, whichever tool wrote it: its content tells."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ratchet.answers.answer_file import AnswerFile
from ratchet.answers.inspect_log import is_inspect, is_inspect_zip, read_inspect, read_inspect_zip
from ratchet.answers.lm_eval import is_sample, is_summary, read_lm_eval, sample_files
from ratchet.answers.promptfoo import is_promptfoo, is_result, of_results, read_promptfoo
from ratchet.answers.table import Columns, read_answer_table
from ratchet.answers.values import document, lines
from ratchet.errors import DataError

_JSONL = (".jsonl", ".ndjson")


def read_answers(path: Path, *, part: str = "", columns: Columns | None = None, encoding: str = "auto") -> AnswerFile:
    """The answers in a file or a folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.csv"
    ...     _ = file.write_text("id,text,label,prediction\\n7,1 + 1,2,2\\n")
    ...     read_answers(file).answers
    ('2',)

    Args:
        path: a table with a column of answers; samples of lm-evaluation-harness, or the folder with them; a log of Inspect,
            ``.eval`` or ``.json``; or results of promptfoo, ``.json`` or ``.jsonl``. What stands behind a ``#`` is the part.
        part: the filter (lm-evaluation-harness), the provider or prompt (promptfoo) or the model (a table) that is meant,
            where there are several.
        columns: names of columns of a table that are not called as usual.
        encoding: of a table.

    Raises:
        DataError: there is no such file, it is damaged, it holds no answers, or it holds several parts and none is named.
    """
    path, part = file_and_part(path, part=part)
    found = _of_another_tool(path, part=part)
    if found is not None:
        return found
    try:
        return read_answer_table(path, columns=columns, encoding=encoding, part=part)
    except DataError as problem:
        if not path.is_dir():
            raise
        raise DataError(
            f"{path} must be a folder with samples_*.jsonl of lm-evaluation-harness, or with one table, but is not: {problem}",
            next_step="Or name a file.",
        ) from None


def file_and_part(path: Path, *, part: str = "") -> tuple[Path, str]:
    """The file that is there, and which part of it is meant.

    Raises:
        DataError: there is no such file.
    """
    file, _, named = str(path).partition("#")
    if named and not path.exists() and Path(file).exists():
        return Path(file), named
    if not path.exists():
        raise DataError(f"{path} must be a file of answers but is not there.", next_step="Check the path.")
    return path, part


def _of_another_tool(path: Path, *, part: str) -> AnswerFile | None:
    if path.is_dir():
        samples = sample_files(path)
        return read_lm_eval(samples, path=path, part=part) if samples else None
    if zipfile.is_zipfile(path):
        return _alone(read_inspect_zip(path), part) if is_inspect_zip(path) else None
    suffix = path.suffix.lower()
    if suffix in _JSONL:
        return _of_lines(path, part=part)
    if suffix == ".eval":
        raise DataError(f"{path} must be a whole log of Inspect but is damaged or cut off.", next_step="Copy it again.")
    return _of_document(path, part=part) if suffix == ".json" else None


def _of_lines(path: Path, *, part: str) -> AnswerFile | None:
    _, first = next(lines(path), (0, {}))
    if is_sample(first):
        return read_lm_eval([path], path=path, part=part)
    if not is_result(first):
        return None
    results = []
    for number, line in lines(path):
        if not is_result(line):
            raise DataError(
                f"Line {number:,} of {path} must be a result of promptfoo but has no 'promptIdx', 'testIdx' or 'provider'.",
                next_step="Export it again.",
            )
        results.append(line)
    return of_results(results, path=path, part=part)


def _of_document(path: Path, *, part: str) -> AnswerFile | None:
    found = document(path)
    if is_inspect(found):
        return _alone(read_inspect(found, path=path), part)
    if is_promptfoo(found):
        return read_promptfoo(found, path=path, part=part)
    if is_summary(found):
        raise DataError(
            f"{path} must have answers but is the summary of a run of lm-evaluation-harness.",
            next_step="Run it with --log_samples, and name the samples_*.jsonl beside it.",
        )
    return None


def _alone(file: AnswerFile, part: str) -> AnswerFile:
    if part and part != file.model:
        raise DataError(
            f"{file.path} must have the part {part!r} but has the answers of {file.model!r} alone.",
            next_step=f"Leave out #{part}.",
        )
    return file
