"""Two files of answers compared: the task is guessed, every answer scored, and the gate asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ratchet.answers.answer_file import Floats, Ints
from ratchet.compare.cells import cells_of
from ratchet.compare.pair import Given, Pair, paired
from ratchet.compare.question import Comparison, Question, judged
from ratchet.errors import DataError
from ratchet.gate.epochs import mean_of_epochs
from ratchet.metrics.evidence import Array, Evidence
from ratchet.metrics.metrics import MEASURED, named
from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.tasks.registry import AUTO, guess_by_answers, task_of, with_metrics
from ratchet.tasks.stated import Stated, stated_labels
from ratchet.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Plan:
    """By what two files are judged, and where each figure comes from.

    Attributes:
        metrics: all of them, in the order of the question.
        task: whose metrics are computed here; ``None`` where none is.
        guessed: whether the task was guessed.
        own: metrics that are computed here.
        brought: scores of another tool, which both files have.
        measured: cost and latency.
    """

    metrics: tuple[str, ...]
    task: Task | None
    guessed: bool
    own: tuple[str, ...]
    brought: tuple[str, ...]
    measured: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """Two files as evidence, and what was seen on the way."""

    evidence: tuple[Evidence, Evidence]
    plan: Plan
    pair: Pair
    notes: tuple[str, ...]


def compare_files(challenger: str, champion: str, question: Question) -> Comparison:
    """Whether one file answers the same rows better than another.

    Args:
        challenger: path of a file or a folder of answers, with the part of it behind a ``#``; ``champion`` likewise.
        question: by what, and how.

    Raises:
        RatchetError: a file cannot be read, the files are not about the same rows, or they cannot be judged by a metric.
    """
    found = sides_of(challenger, champion, question)
    plan = found.plan
    answer = judged(
        *found.evidence,
        question=question,
        metrics=plan.metrics,
        task=plan.task.name if plan.task else "",
        guessed=plan.guessed,
        notes=found.notes,
        matching=dict(found.pair.matching),
    )
    if question.metrics or plan.task is None or any(side[0].value for side in answer.scores):
        return answer
    others = ", ".join(name for name in plan.task.metrics if name not in plan.metrics)
    nothing = f"No answer scores by {plan.metrics[0]}; other metrics: {others}."
    return replace(answer, notes=(*answer.notes, nothing))


def sides_of(challenger: str, champion: str, question: Question) -> Sides:
    """Two files as evidence on the rows that both can be judged on; arguments and errors as :func:`compare_files`."""
    whole = paired(challenger, champion, question)
    plan = _plan(whole, question)
    pair, notes = _kept(whole, plan, question)
    parts: list[dict[str, Array]] = [{}, {}]
    targets: Mapping[str, Array] = {}
    labels: tuple[str, ...] = ()
    if plan.task is not None and plan.own:
        targets, parts, labels, said = _answered(pair, plan.task, plan.own, question)
        notes.extend(said)
    for outcomes, given in zip(parts, pair.sides, strict=True):
        outcomes.update(_brought(given, plan.brought, question))
        outcomes.update(_means(given, {name: given.numbers(given.file.measures[name]) for name in plan.measured}))
    found = [
        Evidence(name=given.name, rows=np.arange(len(pair)), targets=targets, outcomes=outcomes, labels=labels)
        for given, outcomes in zip(pair.sides, parts, strict=True)
    ]
    return Sides(evidence=(found[0], found[1]), plan=plan, pair=pair, notes=tuple(dict.fromkeys([*pair.notes, *notes])))


def _plan(pair: Pair, question: Question) -> Plan:
    asked = question.metrics
    shared = [name for name in pair.sides[0].file.scores if name in pair.sides[1].file.scores]
    measured = tuple(name for name in asked if name in MEASURED)
    brought = tuple(name for name in asked if name in shared and name not in measured and question.task == AUTO)
    own = tuple(name for name in asked if name not in (*measured, *brought))
    if asked and not own:
        return Plan(metrics=asked, task=None, guessed=False, own=(), brought=brought, measured=measured)
    task = _task(pair, question, own)
    own = own or task.metrics[:1]
    wrong = [name for name in own if ":" not in name and name not in task.metrics]
    if wrong or any(":" in name and not (task.own_scores or task.own_metrics) for name in own):
        others = f", {', '.join(shared)} (scores of both files)" if shared else ""
        raise DataError(
            f"The metric must be one of {', '.join((*task.metrics, *MEASURED))}{others} but got {(wrong or own)[0]!r}.",
            next_step=f"Correct the name, or name another --task than {task.name}.",
        )
    metrics = asked or own
    return Plan(metrics=metrics, task=task, guessed=question.task == AUTO, own=own, brought=brought, measured=measured)


def _task(pair: Pair, question: Question, own: Sequence[str]) -> Task:
    if question.task != AUTO:
        return task_of(question.task)
    references = [reference for reference in pair.references if reference is not None]
    answers = [[text for text in given.texts() if text is not None] for given in pair.sides]
    guess = guess_by_answers(references, answers)
    return with_metrics(guess, own) if own else guess


def _kept(pair: Pair, plan: Plan, question: Question) -> tuple[Pair, list[str]]:
    """The rows that can be judged, and how many are left out."""
    notes = _said_of_scores(pair, plan)
    kept = np.ones(len(pair), dtype=bool)
    if plan.task is not None and plan.own:
        known = np.array([reference is not None for reference in pair.references], dtype=bool)
        if not known.any():
            _require_none(pair, plan.task, plan.own, question)
            known[:] = True
        if not known.all():
            notes.append(f"{int((~known).sum()):,} rows without a true label are left out.")
        kept &= known
    for name in plan.measured:
        for given in pair.sides:
            kept &= ~_unmeasured(given, name, rows=len(pair), question=question, notes=notes)
    if not kept.any():
        raise DataError(
            f"{pair.sides[0].file.path} and {pair.sides[1].file.path} must have a row that can be judged but have none.",
            next_step="Compare by another metric.",
        )
    return pair.on(np.flatnonzero(kept)), notes


def _said_of_scores(pair: Pair, plan: Plan) -> list[str]:
    """That a score is not computed here although it could be, or which ones could have been asked for."""
    both = [name for name in pair.sides[0].file.scores if name in pair.sides[1].file.scores]
    computed = [name for name in plan.brought if len(named(name)) > 1 or named(name)[0].unit]
    said = [f"{name} is the score that both files have; --task computes it from the answers." for name in computed]
    if both and len(plan.metrics) == 1 and not plan.brought and plan.guessed:
        said.append(f"Both files have scores of their own: {', '.join(both)}. --metric compares by one of them.")
    return said


def _require_none(pair: Pair, task: Task, own: Sequence[str], question: Question) -> None:
    """Refuse files without right answers, unless the metrics ask for none."""
    if all(name in task.unreferenced or (task.own_scores and ":" in name) for name in own):
        return
    first, second = (given.file for given in pair.sides)
    where = (
        f"a column {question.label!r}"
        if question.label
        else "a right answer in a column such as 'label' or 'reference'"
    )
    scores = [name for name in first.scores if name in second.scores]
    instead = f" Or compare by a score of theirs: --metric {scores[0]}." if scores else ""
    raise DataError(
        f"{first.path} or {second.path} must have {where} but neither has a row with one, as {own[0]} needs.",
        next_step=f"Name the column with --label, or a table that has it with --rows.{instead}",
    )


def _unmeasured(given: Given, name: str, *, rows: int, question: Question, notes: list[str]) -> np.ndarray:
    """Which rows have no cost or latency, shape (rows,)."""
    lacking = np.zeros(rows, dtype=bool)
    lacking[given.row[~np.isfinite(given.numbers(given.file.measures[name]))]] = True
    count = int(lacking.sum())
    if count > question.most_missing * rows:
        raise DataError(
            f"{given.file.path} must have the {name} of each row but {count:,} of {rows:,} have none; at most "
            f"{question.most_missing:.0%} may.",
            next_step=f"Add a column {name!r}, or compare by another metric.",
        )
    if count:
        notes.append(f"{count:,} rows without a {name} in {given.name} are left out.")
    return lacking


def _answered(
    pair: Pair, task: Task, metrics: Sequence[str], question: Question
) -> tuple[Mapping[str, Array], list[dict[str, Array]], tuple[str, ...], list[str]]:
    """What is true of each row, the outcomes of both sides, the columns of an answer, and what should be said."""
    references = task.spelled([reference or "" for reference in pair.references])
    names = _answer_names(pair, task, references, question)
    targets = task.targets(references, names=names or None)
    outcomes, notes = [], list[str]()
    for given in pair.sides:
        cells, said = cells_of(given, task, targets.names, most_missing=question.most_missing)
        notes.extend(said)
        right = targets.take(given.row)
        if pair.several:
            answers = task.answers(cells, right)
            scores = task.row_scores(right, answers, metrics=metrics)
            _require_row_scores(given, task, metrics, scores)
            outcomes.append(_means(given, scores))
            continue
        answers = _with_probabilities(given, cells, right, task=task, metrics=metrics, notes=notes)
        outcomes.append(dict(task.columns(right, answers, metrics=metrics).outcomes))
    nothing = task.answers([None] * len(pair), targets)
    return task.columns(targets, nothing, metrics=()).targets, outcomes, targets.names, notes


def _answer_names(pair: Pair, task: Task, references: Sequence[str], question: Question) -> tuple[str, ...]:
    """The answers that there are to choose from: those of the rows, further ones, and those with a probability."""
    choices = task.choices(task.targets(references).names)
    stated = {name for given in pair.sides for name in stated_labels(given.file.columns)}
    return tuple(sorted({*choices, *question.labels, *stated})) if choices else ()


def _require_row_scores(given: Given, task: Task, metrics: Sequence[str], scores: Mapping[str, Array]) -> None:
    wrong = [name for name in metrics if name not in scores]
    if wrong:
        instead = f"Compare by {task.row_metrics[0]}, or keep" if task.row_metrics else "Keep"
        raise DataError(
            f"The metric {wrong[0]} must have one answer a row but {given.file.path} or the other file has several.",
            next_step=f"{instead} one answer of each row.",
        )


def _with_probabilities(
    given: Given,
    cells: Sequence[str | None],
    targets: Targets,
    *,
    task: Task,
    metrics: Sequence[str],
    notes: list[str],
) -> Answers:
    """The answers, with the probabilities of the file where a metric needs them."""
    answers = task.answers(cells, targets)
    wanted = [name for name in metrics if any(metric.needs_probability for metric in named(name))]
    if not wanted:
        return answers
    lacking = int((given.place < 0).sum())
    if lacking:
        raise DataError(
            f"The metric {wanted[0]} must have the probabilities of each row but {lacking:,} of {len(cells):,} rows have no "
            f"answer in {given.file.path}.",
            next_step=f"Answer these rows, or compare by {task.metrics[0]}.",
        )
    places = given.place.tolist()
    columns = {name: [column[place] for place in places] for name, column in given.file.columns.items()}
    said = Stated(path=given.file.path, columns=columns, places=[place + 1 for place in places])
    stated = task.stated(said, cells, targets, metric=wanted[0])
    differ = int((stated.argmax(axis=1) != answers.argmax(axis=1)).sum())
    if differ and len(wanted) < len(metrics):
        raise DataError(
            f"{differ:,} predictions of {given.file.path} are not the most probable label, so accuracy and {wanted[0]} are "
            "about two things.",
            next_step="Compare with one --metric at a time.",
        )
    if differ:
        notes.append(
            f"{differ:,} predictions of {given.name} are not its most probable label; {wanted[0]} does not ask."
        )
    return stated


def _brought(given: Given, names: Sequence[str], question: Question) -> dict[str, Array]:
    """The scores of another tool, as the mean of each row; an answer without one counts 0."""
    found = {}
    for name in names:
        values = given.numbers(given.file.scores[name])
        lacking = int((np.isnan(values) & (given.place >= 0)).sum())
        if lacking > question.most_missing * len(values):
            raise DataError(
                f"{given.file.path} must have the score {name!r} of each answer but {lacking:,} of {len(values):,} have none; "
                f"at most {question.most_missing:.0%} may.",
                next_step="Compare by a score that all answers have, or the samples of one task.",
            )
        found[name] = np.nan_to_num(values)
    return _means(given, found)


def _means(given: Given, columns: Mapping[str, Array]) -> dict[str, Array]:
    """The mean of each column over the answers to each row."""
    rows: Ints = given.row
    means: dict[str, Floats] = mean_of_epochs(rows, columns)[1]
    return dict(means)
