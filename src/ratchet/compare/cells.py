"""Answers as the task understands them; what is no answer is refused, or counted and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ratchet.compare.pair import Given
from ratchet.errors import DataError
from ratchet.prepare.labels import one_spelling
from ratchet.tasks.task import Task
from ratchet.text.personal import mask

_LISTED = 5
_SHOWN = 60
"""Characters of an answer that a message shows."""


def cells_of(
    given: Given, task: Task, names: Sequence[str], *, most_missing: float
) -> tuple[list[str | None], list[str]]:
    """The cell of each answer, ``None`` where there is none, and what should be said.

    Args:
        given: k answers.
        task: how they are understood.
        names: the columns of a model's answer.
        most_missing: share of the replies that may be no answer; of predictions, which are written as the right answers
            are, none may.

    Raises:
        DataError: more are none; the message shows the most frequent of them.
    """
    understood = task.written if given.file.verbatim else task.understood
    texts = given.texts()
    known = {text: understood(text, names=names) for text in dict.fromkeys(texts) if text is not None}
    cells = [None if text is None else known[text].value for text in texts]
    failed = Counter(text for text in texts if text is not None and known[text].value is None)
    if not failed:
        return cells, []
    if given.file.verbatim or failed.total() > most_missing * len(texts):
        raise _refusal(given, task, names, failed, total=len(texts))
    reasons = Counter(known[text].reason for text in failed.elements())
    said = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    return cells, [f"{failed.total():,} of {len(texts):,} answers of {given.name} count as wrong: {said}."]


def _refusal(given: Given, task: Task, names: Sequence[str], failed: Counter[str], *, total: int) -> DataError:
    text, count = failed.most_common(1)[0]
    choices = task.choices(names)
    row = 1 + next(place for place in given.place.tolist() if place >= 0 and given.file.answers[place] == text)
    meant = next((name for name in choices if one_spelling(name) == one_spelling(text)), None)
    listed = f"one of the {task.answer}s ({', '.join(choices[:_LISTED])}{' ...' if len(choices) > _LISTED else ''})"
    noun = "predictions" if given.file.verbatim else "answers"
    shown = mask(text) if len(text) <= _SHOWN else f"{mask(text)[:_SHOWN]}…"
    step = "Write them as the labels are written, or name further labels with --labels."
    if not given.file.verbatim:
        step = "Name another --task, or count them as wrong with a larger --most-missing."
    return DataError(
        f"{failed.total():,} of {total:,} {noun} of {given.file.path} are not {listed if choices else f'a {task.answer}'}: "
        f"{shown!r} {count:,} times, row {row:,} first.{f' Did you mean {meant!r}?' if meant else ''}",
        next_step=step,
    )
