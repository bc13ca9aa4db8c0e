"""What the champion answers itself: chosen by rows it had not seen, listed for people, and checked on the sealed test part."""

from __future__ import annotations

import math

from ratchet.bundle.bundle import Bundle
from ratchet.contenders.base import Contender
from ratchet.contenders.certainty import Certainty, certainty_of
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.gate.selective import Point, told
from ratchet.models.model import Answers
from ratchet.stages.job import Job
from ratchet.tables.queues import as_csv
from ratchet.tasks.certainty import ABSTAIN, BELOW
from ratchet.tasks.task import Task
from ratchet.workspace.workspace import write_atomic

LIST = "abstained.csv"
DECIMALS = 6


def require_answerable(job: Job, task: Task) -> None:
    """Refuse a promise about answers that have no confidence.

    Raises:
        RecipeError: answer.error is set for such a task.
    """
    if job.recipe.answer.error is not None and not task.shares:
        raise RecipeError(
            f"answer.error must be for a task with labels but the task is {task.name}.",
            next_step="Remove answer.error from the recipe, or set task.",
        )


def sure(job: Job, rows: PartedRows, best: Contender) -> Certainty | None:
    """How sure the contender is of its answers, and the threshold that keeps the recipe's promise."""
    return certainty_of(rows, best, config=job.recipe.answer, seed=job.recipe.seed)


def tell(job: Job, rows: PartedRows, found: Certainty) -> None:
    """Say at which temperature it is served and what is promised, and list for people what is not answered."""
    fitted = found.calibration
    if fitted.used:
        job.screen.say(
            "answer",
            f"{found.contender.name}: probabilities are served at the temperature {fitted.temperature:.3g}: log loss "
            f"{fitted.loss_after:.4g} instead of {fitted.loss_before:.4g}, out of fold (p={fitted.p:.2g})",
        )
    if found.choice is None:
        return
    job.screen.say("answer", f"{found.contender.name}: {found.choice.line}")
    if found.at_one_temperature is not None:
        job.screen.say(
            "answer",
            f"the promise is about each fold at the temperature of the others; at the one that is served these rows would be "
            f"answered as {told(found.at_one_temperature)}",
        )
    left = list_for_people(job, rows, found)
    job.screen.say("answer", f"{left:,} judged rows are left to people: {job.folder / LIST}")


def list_for_people(job: Job, rows: PartedRows, found: Certainty) -> int:
    """Write the rows whose answers are left to people into the run's folder, the least sure first; returns how many."""
    left = found.abstained
    names = ("file", "row", "text", "label", "prediction", "confidence", "right")
    given = rows.task.cells(found.answers[left], names=_columns(found, rows), facts={}, each_label=False)
    data, lines = rows.dataset, []
    for place, cells in zip(left.tolist(), given, strict=True):
        row = int(found.places[place])
        file, prediction = data.files[data.file_index[row]], str(cells["prediction"])
        sureness, right = round(float(found.confidence[place]), DECIMALS), "yes" if found.right[place] else "no"
        lines.append([file, data.origin[row], data.texts[row], data.labels[row], prediction, sureness, right])
    write_atomic(job.folder / LIST, as_csv(names, lines))
    return len(left)


def _columns(found: Certainty, rows: PartedRows) -> tuple[str, ...]:
    """The names of the columns of the answers; a file of answers has one more, for rows that it does not answer."""
    return (*rows.labels, *("" for _ in range(found.answers.shape[1] - len(rows.labels))))


def kept(rows: PartedRows, bundle: Bundle, answers: Answers) -> Point | None:
    """What the bundle answers itself of the sealed test rows, and how much of that is wrong; ``None`` without a promise.

    Args:
        rows: the prepared rows.
        bundle: with what it promises.
        answers: (n, k) to the test rows, as they are served.
    """
    promise = bundle.manifest.model.get(ABSTAIN)
    sureness = None if promise is None else rows.task.confidence(answers)
    if promise is None or sureness is None:
        return None
    below = math.inf if promise[BELOW] is None else float(promise[BELOW])
    return Point.of(below, sureness, rows.task.right(rows.targets.take(rows.parts.test), answers))
