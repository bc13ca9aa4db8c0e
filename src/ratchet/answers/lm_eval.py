"""The samples of lm-evaluation-harness (``lm_eval --log_samples``): ``samples_TASK_DATE.jsonl``, or the folder with them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ratchet.answers.answer_file import Answer, AnswerFile, of_answers
from ratchet.answers.values import document, lines, list_of, name_of, number_of, object_of, one_of, text_of
from ratchet.errors import DataError

_FILE = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+?)\.jsonl")
_OWN = frozenset(
    ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash")
) | {"target_hash"}
_SURE = ("True", "False")


def is_sample(line: Mapping[str, Any]) -> bool:
    """Whether an object is a sample of lm-evaluation-harness."""
    return "doc_id" in line and "filtered_resps" in line


def is_summary(found: object) -> bool:
    """Whether a JSON document is its ``results_DATE.json``, which has totals and no answers."""
    return {"results", "configs", "versions"} <= object_of(found).keys()


def sample_files(folder: Path) -> list[Path]:
    """The files of samples in a folder, or in its one subfolder that has some; the newest of each task.

    Raises:
        DataError: several subfolders have some, each of another model.
    """
    found = [file for file in folder.glob("samples_*.jsonl") if file.is_file()]
    if not found:
        homes = sorted({file.parent for file in folder.glob("*/samples_*.jsonl") if file.is_file()})
        if len(homes) > 1:
            raise DataError(
                f"{folder} must have the samples of one model but has {len(homes):,}: "
                f"{', '.join(repr(home.name) for home in homes[:20])}.",
                next_step=f"Name one of them, such as {homes[0]}.",
            )
        found = [*homes[0].glob("samples_*.jsonl")] if homes else []
    newest: dict[str, Path] = {}
    for file in sorted(found, key=lambda file: (_date(file), file.name)):
        newest[_task(file)] = file
    return [newest[task] for task in sorted(newest)]


def read_lm_eval(files: Sequence[Path], *, path: Path, part: str = "") -> AnswerFile:
    """The answers in files of samples, one a task.

    ``inputs`` are the prompts as they were sent. The answer of a multiple choice is the number of the most likely choice
    (from 0, as lm-evaluation-harness writes the target), of a single log likelihood whether it was the greedy one. Several
    answers to one document are epochs, each with the scores of the document. Where there are several tasks, ids are
    ``task/number``.

    Args:
        files: the samples, as :func:`sample_files` finds them.
        path: what was asked for, a file or a folder.
        part: the filter, where a task has answers of several.

    Raises:
        DataError: a line is damaged, or a task has several filters and none is named.
    """
    found: list[Answer] = []
    notes: list[str] = []
    unread: set[str] = set()
    filters: dict[str, None] = {}
    for file in files:
        samples = [sample for number, sample in lines(file) if _sound(sample, number=number, file=file)]
        if not samples:
            raise DataError(f"{file} must have samples but has none.", next_step="Check that the run finished.")
        choices = [*dict.fromkeys(_filter(sample) for sample in samples)]
        filters.update(dict.fromkeys(choices))
        wanted = choices[0] if len(choices) == 1 and len(files) > 1 else part
        chosen = one_of(choices, wanted, path=file, what="filter")
        task = f"{_task(file)}/" if len(files) > 1 else ""
        for sample in samples:
            if _filter(sample) == chosen:
                found.extend(_answers(sample, task=task, unread=unread))
        if any(_choices(sample) for sample in samples):
            notes.append(f"Answers of {file.name} are the numbers of the most likely choices.")
    if part:
        one_of([*filters], part, path=path, what="filter")
    if unread:
        notes.append(f"Scores that are no single number are left out: {', '.join(sorted(unread))}.")
    return of_answers(found, path=path, format="lm-eval", model=_model(files[0]), notes=notes)


def _task(file: Path) -> str:
    named = _FILE.fullmatch(file.name)
    return named["task"] if named else file.stem.removeprefix("samples_")


def _date(file: Path) -> str:
    named = _FILE.fullmatch(file.name)
    return named["date"] if named else ""


def _model(file: Path) -> str:
    """The model as the results beside the samples name it; empty where they do not."""
    results = file.with_name(f"results_{_date(file)}.json")
    if not results.is_file():
        return ""
    return name_of(object_of(document(results)).get("model_name")) or ""


def _filter(sample: Mapping[str, Any]) -> str:
    return name_of(sample.get("filter")) or "none"


def _sound(sample: Mapping[str, Any], *, number: int, file: Path) -> bool:
    if is_sample(sample) and isinstance(sample["filtered_resps"], list) and name_of(sample["doc_id"]):
        return True
    raise DataError(
        f"Line {number:,} of {file} must be a sample with 'doc_id' and a list 'filtered_resps' but is not.",
        next_step="Name a file that `lm_eval --log_samples` wrote.",
    )


def _answers(sample: Mapping[str, Any], *, task: str, unread: set[str]) -> list[Answer]:
    names = [name for name in map(str, list_of(sample.get("metrics"))) if name in sample]
    names = names or [name for name in sample if name not in _OWN]
    scores = {name: number_of(sample[name]) for name in names}
    unread.update(name for name, score in scores.items() if math.isnan(score) and isinstance(sample[name], dict | list))
    kept = {name: score for name, score in scores.items() if not math.isnan(score)}
    columns = {name: name_of(sample.get(name)) for name in ("doc_hash", "prompt_hash")}
    return [
        Answer(
            id=f"{task}{name_of(sample['doc_id'])}",
            input=_prompt(sample.get("arguments")),
            reference=text_of(sample.get("target")),
            answer=answer,
            epoch=epoch,
            scores=kept,
            columns={**columns, "doc": text_of(sample.get("doc"))},
        )
        for epoch, answer in enumerate(_said(sample))
    ]


def _said(sample: Mapping[str, Any]) -> list[str | None]:
    """The answers to one document, by epoch."""
    likely = _choices(sample)
    if likely:
        return [str(max(range(len(likely)), key=likely.__getitem__))]
    found = sample["filtered_resps"]
    first = found[0] if found else None
    if isinstance(first, list) and _is_likelihood(first):
        return [str(first[1])]
    return [text_of(one) for one in first] if isinstance(first, list) and first else [text_of(first)]


def _choices(sample: Mapping[str, Any]) -> list[float]:
    """The log likelihood of each choice; empty where it is no multiple choice."""
    found = sample["filtered_resps"]
    if len(found) < 2 or not all(isinstance(one, list) and _is_likelihood(one) for one in found):
        return []
    if "acc_mutual_info" in sample:  # the second half are the choices without the question
        found = found[: len(found) // 2]
    return [number_of(one[0]) for one in found]


def _is_likelihood(pair: Sequence[object]) -> bool:
    return len(pair) == 2 and not math.isnan(number_of(pair[0])) and str(pair[1]) in _SURE


def _prompt(arguments: object) -> str | None:
    """The first argument of the first request: ``[[prompt, ...], ...]`` or, in files, ``{"gen_args_0": {"arg_0": prompt}}``."""
    if isinstance(arguments, dict):
        return text_of(object_of(arguments.get("gen_args_0")).get("arg_0"))
    first = list_of(arguments)[:1]
    return text_of(list_of(first[0])[0]) if first and list_of(first[0]) else None
