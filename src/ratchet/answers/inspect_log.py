"""Logs of Inspect: a zip file with one JSON member a sample (``.eval``), or the older single JSON document."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ratchet.answers.answer_file import MOST_EPOCHS, Answer, AnswerFile, of_answers
from ratchet.answers.values import known, list_of, name_of, number_of, numbers_of, object_of, text_of
from ratchet.answers.zip_members import Members, opened
from ratchet.errors import DataError

_HEADERS = ("header.json", "_journal/start.json")
"""The second is all that a log has whose run did not end."""
_SAMPLE = re.compile(r"samples/.+_epoch_\d+\.json", re.DOTALL)
_NEWEST = 2
"""The version of the format that is known; version 3 has samples in pieces."""
_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_ATTACHED = ("attachment://", "tc://")


def is_inspect(found: object) -> bool:
    """Whether a JSON document is a log of Inspect."""
    log = object_of(found)
    return "model" in object_of(log.get("eval")) and ("samples" in log or "status" in log)


def is_inspect_zip(path: Path) -> bool:
    """Whether a zip file is a log of Inspect."""
    with opened(path) as members:
        return any(name in members.names for name in _HEADERS)


def read_inspect_zip(path: Path) -> AnswerFile:
    """The answers of an ``.eval`` file; arguments and errors as :func:`read_inspect`."""
    with opened(path) as members:
        header = next(name for name in _HEADERS if name in members.names)
        log = object_of(members.json(header))
        unfinished = ["The run of this log did not end."] if header != _HEADERS[0] else []
        return _of_samples(_samples(members), log=log, path=path, notes=unfinished)


def read_inspect(found: object, *, path: Path) -> AnswerFile:
    """The answers of a log that is one JSON document.

    Grades become numbers as Inspect makes them: C 1, P 0.5, I and N 0. A score that is an object gives one metric a key,
    ``scorer/key``. A sample that ended with an error has no answer. ``latency`` is the time of the model's call where it was
    one and the log has it, and else the time that the sample worked; tokens and cost are summed over the models of a sample.

    Args:
        found: the document.
        path: where it was read.

    Raises:
        DataError: there are no samples, or one is damaged.
    """
    log = object_of(found)
    named = ((f"sample {number:,}", sample) for number, sample in enumerate(list_of(log.get("samples")), 1))
    return _of_samples(named, log=log, path=path, notes=[])


def _samples(members: Members) -> Iterable[tuple[str, object]]:
    for name in members.names:
        if _SAMPLE.fullmatch(name):
            yield name, members.json(name)


def _of_samples(
    samples: Iterable[tuple[str, object]], *, log: Mapping[str, Any], path: Path, notes: list[str]
) -> AnswerFile:
    version = number_of(log.get("version", _NEWEST))
    if version > _NEWEST:
        raise DataError(
            f"{path} must be a log of version {_NEWEST} or before but is of version {version:.0f}.",
            next_step="Write it again with `inspect log convert --to json`.",
        )
    answers = [_answer(object_of(sample), name=name, path=path) for name, sample in samples]
    status = name_of(log.get("status"))
    if status not in (None, "success", "started"):
        notes = [*notes, f"The run of this log ended with the status {status!r}."]
    model = name_of(object_of(log.get("eval")).get("model")) or ""
    answers.sort(key=lambda one: (one.epoch, (one.id or "").zfill(20)))
    return of_answers(answers, path=path, format="inspect", model=model, notes=notes)


def _answer(sample: Mapping[str, Any], *, name: str, path: Path) -> Answer:
    epoch = sample.get("epoch")
    if (
        "id" not in sample
        or isinstance(epoch, bool)
        or not isinstance(epoch, int)
        or not 1 <= epoch < MOST_EPOCHS
        or "input" not in sample
    ):
        raise DataError(
            f"{path}: {name} must have an 'id', an 'input' and an 'epoch' from 1 to {MOST_EPOCHS:,} but has not.",
            next_step="Write the log again with `inspect log convert`.",
        )
    attached = object_of(sample.get("attachments"))
    output, error = object_of(sample.get("output")), sample.get("error")
    target = sample.get("target")
    single = target[0] if isinstance(target, list) and len(target) == 1 else target
    return Answer(
        id=name_of(sample["id"]),
        input=_input(sample["input"], attached),
        reference=text_of(single),
        answer=None if error else _completion(output, attached),
        epoch=epoch - 1,
        scores=_scores(sample),
        measures=_measures(sample, output),
        columns={"error": text_of(object_of(error).get("message") if isinstance(error, dict) else error)},
    )


def _content(content: object, attached: Mapping[str, Any]) -> str:
    """The text of a message, whose content is a text or a list of parts."""
    if isinstance(content, str):
        start = next((mark for mark in _ATTACHED if content.startswith(mark)), None)
        return str(attached.get(content.removeprefix(start), content)) if start else content
    texts = [object_of(part) for part in list_of(content)]
    return "\n".join(_content(part["text"], attached) for part in texts if isinstance(part.get("text"), str))


def _input(found: object, attached: Mapping[str, Any]) -> str | None:
    """The text that was asked; of a conversation of several messages, each behind its role."""
    if isinstance(found, str):
        return text_of(_content(found, attached))
    messages = [object_of(message) for message in list_of(found)]
    texts = [(str(one.get("role", "?")), _content(one.get("content"), attached)) for one in messages]
    return text_of(texts[0][1] if len(texts) == 1 else "\n".join(f"{role}: {text}" for role, text in texts))


def _completion(output: Mapping[str, Any], attached: Mapping[str, Any]) -> str | None:
    said = text_of(output.get("completion"))
    if said is not None:
        return text_of(_content(said, attached))
    choices = list_of(output.get("choices"))
    message = object_of(object_of(choices[0]).get("message")) if choices else {}
    return text_of(_content(message.get("content"), attached))


def _scores(sample: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    given = sample["scores"] if "scores" in sample else {"score": sample["score"]} if "score" in sample else {}
    for scorer, score in object_of(given).items():
        value = object_of(score).get("value")
        values = {f"{scorer}/{key}": one for key, one in value.items()} if isinstance(value, dict) else {scorer: value}
        graded = {name: _grade(one) for name, one in values.items()}
        found.update((name, one) for name, one in graded.items() if not math.isnan(one))
    return found


def _grade(value: object) -> float:
    if isinstance(value, str):
        return _GRADES.get(value, _GRADES.get(value.lower(), number_of(value)))
    return number_of(value)


def _measures(sample: Mapping[str, Any], output: Mapping[str, Any]) -> dict[str, float]:
    by_model = [numbers_of(usage) for usage in object_of(sample.get("model_usage")).values()]
    usages = by_model or [usage for usage in [numbers_of(output.get("usage"))] if usage]
    summed = {
        measure: math.fsum(usage[name] for usage in usages if name in usage)
        for measure, name in (
            ("input_tokens", "input_tokens"),
            ("output_tokens", "output_tokens"),
            ("cost", "total_cost"),
        )
        if any(name in usage for usage in usages)
    }
    calls = sum(object_of(message).get("role") == "assistant" for message in list_of(sample.get("messages")))
    times = [output.get("time") if calls < 2 else None, sample.get("working_time"), sample.get("total_time")]
    return {**summed, **known(latency=next((time for time in times if time is not None), None))}
