"""All tasks, one line each, and which one a table is for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ratchet.errors import RatchetError
from ratchet.metrics.metrics import MEASURED
from ratchet.plugins import chosen, registered
from ratchet.tasks.classification import Classification
from ratchet.tasks.generation import Generation
from ratchet.tasks.label_lists import listed, mark_of
from ratchet.tasks.multilabel import Multilabel
from ratchet.tasks.regression import Regression, values_of
from ratchet.tasks.task import Task

if TYPE_CHECKING:
    from ratchet.tables.dataset import Dataset

GROUP = "ratchet.tasks"
TASKS: tuple[Task, ...] = (Classification(), Multilabel(), Regression(), Generation())
AUTO = "auto"
EARLIEST = TASKS[0].name
"""The task of rows that do not say theirs: once there was no other."""
MANY = 20
"""Different numbers from which a column of numbers may be values, and no names of classes."""
HALF = 0.5
LONG = 40
"""Characters of an answer from which it may be a text of its own."""


def task_of(name: str) -> Task:
    """The task of a name.

    Raises:
        RatchetError: no such task is installed.
    """
    return chosen(name, registered(TASKS, group=GROUP, base=Task), noun="The task")


def metrics() -> tuple[str, ...]:
    """All metrics that any task has, and the measures that claims may be about."""
    tasks = registered(TASKS, group=GROUP, base=Task).values()
    return (*dict.fromkeys(name for task in tasks for name in task.metrics), *MEASURED)


def guess_task(dataset: Dataset) -> Task:
    """The task that a table's answers look like: lists are labels, many different numbers are values, long texts answers."""
    from ratchet.tables.conversations import recognised

    labels = [label for label in dataset.labels if label]
    values = [*dict.fromkeys(labels)]
    chat = recognised(dataset)
    answered = chat.columns[-1] if chat is not None and chat.form == "pairs" else None
    if chat is not None and dataset.roles.label == answered:
        return task_of("generation")
    if not values:
        return task_of("classification")
    return _by_cells(labels, values)


def guess_by_answers(references: Sequence[str], answers: Sequence[Sequence[str]]) -> Task:
    """The task that right answers and those of several contenders look like.

    Numbers are values only where the answers are bare numbers too. Few different right answers are labels; more of them are
    where half of the answers of a contender are among them, and each stands in two rows or more; what else there is are texts.

    Args:
        references: the right answers of the rows that have one.
        answers: for each contender, what it answered.
    """
    values = [*dict.fromkeys(reference.strip() for reference in references)]
    found = _by_cells(references, values) if values else task_of("generation")
    if found.name == "regression":
        bare = all(np.isfinite(values_of(said)).mean() > HALF for said in answers if said)
        return found if bare else task_of("generation")
    if found.name != "classification" or len(values) <= 2:
        return found
    known = set(values)
    among = any(sum(cell.strip() in known for cell in said) > HALF * len(said) for said in answers)
    repeated = 2 * len(values) <= len(references)
    return found if repeated and (len(values) <= MANY or among) else task_of("generation")


def with_metrics(guess: Task, metrics: Sequence[str]) -> Task:
    """The guessed task, or the first one that has the metrics where that one has not.

    Raises:
        RatchetError: no task has them all.
    """
    tasks: list[Task] = [guess, *registered(TASKS, group=GROUP, base=Task).values()]
    able = (task for task in tasks if all(task.own_scores if ":" in name else name in task.metrics for name in metrics))
    found = next(able, None)
    if found is None:
        known = dict.fromkeys(name for task in tasks for name in task.metrics)
        close = difflib.get_close_matches(metrics[0], known, n=1)
        raise RatchetError(
            f"The metrics must be of one task ({'; '.join(f'{task.name}: ' + ', '.join(task.metrics) for task in tasks[1:])}) "
            f"but got {', '.join(metrics)}.",
            next_step=f"Did you mean {close[0]}?" if close and metrics[0] not in known else "Compare by one at a time.",
        )
    return found


def _by_cells(labels: Sequence[str], values: Sequence[str]) -> Task:
    if sum(listed(value) is not None for value in values) * 2 > len(values) or mark_of(values):
        return task_of("multilabel")
    if _are_values(values, rows=len(labels)):
        return task_of("regression")
    return task_of("generation" if _are_texts(values, rows=len(labels)) else "classification")


def _are_values(values: Sequence[str], *, rows: int) -> bool:
    """More different numbers than classes would have: with fractions, or nearly one for each row."""
    numbers = values_of(values)
    if len(values) < MANY or not np.isfinite(numbers).all():
        return False
    whole = float((numbers == np.floor(numbers)).mean())
    return whole < 0.9 or len(values) * 2 > rows


def _are_texts(values: Sequence[str], *, rows: int) -> bool:
    """Answers that are long, and mostly different."""
    return len(values) * 2 > rows and sum(len(value) >= LONG for value in values) * 2 > len(values)
