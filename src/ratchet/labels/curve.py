"""A learning curve: nested samples of the rows, and what a model that was trained on each of them scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ratchet.contenders.base import Contender
from ratchet.contenders.change import Changing
from ratchet.contenders.kind import Kind, Training
from ratchet.contenders.material import Material, RowChange, held, judged_folds, plain
from ratchet.contenders.refit import MADE
from ratchet.contenders.registry import change_of
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.endpoint.purse import Purse
from ratchet.metrics.metrics import find_metric
from ratchet.models.model import Answers
from ratchet.recipe.sections import Section

FRACTIONS = (0.1, 0.2, 0.4, 0.7, 1.0)
DRAWS = 5
BLOCKS = 10
"""Blocks of judged rows, about: they tell how far a score depends on the rows that it is judged on."""
FEWEST = 20
"""Rows that a model is trained on at least."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Procedure:
    """How a model is made of rows, whose number is to be varied."""

    name: str
    kind: Kind[Section]
    spec: Section
    made_by: Section | None = None
    """The row change that its rows go through; ``None``: none."""
    champion: Contender | None = None
    """Whose settings these are, which a row change may ask."""
    purses: dict[str, Purse] = field(default_factory=dict)
    """What may still be spent while all points of the curve are made; see `Changing.purses`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """One draw in one fold: rows in an order whose beginnings are stratified samples, and rows that none of them may see."""

    order: Ints
    unit: Ints
    """(len(order),) which of them belong together."""
    out: Ints
    seed: int

    def first(self, fraction: float) -> Ints:
        """A share of the rows, ascending: whole units, so many that their rows come nearest to it."""
        ends = np.flatnonzero(np.append(self.unit[1:] != self.unit[:-1], True)) + 1
        end = ends[np.abs(ends - fraction * len(self.order)).argmin()]
        found: Ints = np.sort(self.order[:end])
        return found


def draw(rows: PartedRows, number: int, *, seed: int) -> tuple[Draw, ...]:
    """The draw of this number: in each fold a sample of the others."""
    drawn = []
    for fold in judged_folds(rows):
        seen, out = held(rows, fold)
        groups = rows.task.strata(rows.names(seen)) or rows.names(seen)
        unit = seen if rows.parts.unit is None else rows.parts.unit[seen]
        generator = np.random.default_rng([seed, number, fold])
        order = nested(unit, groups, generator=generator)
        drawn.append(Draw(order=seen[order], unit=unit[order], out=out, seed=seed + number))
    return tuple(drawn)


def blocks(rows: PartedRows, *, seed: int) -> tuple[Ints, Ints]:
    """The block of each judged row, in the order of the folds' rows, and the fold of each block: units stay whole."""
    folds = [held(rows, fold)[1] for fold in judged_folds(rows)]
    each, made, owner = -(-BLOCKS // len(folds)), [], list[int]()
    for number, out in enumerate(folds):
        unit = np.unique(out if rows.parts.unit is None else rows.parts.unit[out], return_inverse=True)[1]
        order = np.random.default_rng([seed, number]).permutation(int(unit.max(initial=-1)) + 1)
        block = order[unit] % each
        made.append(np.unique(block, return_inverse=True)[1] + len(owner))
        owner += [number] * len(np.unique(block))
    return np.concatenate(made), np.array(owner, np.int64)


def nested(unit: Ints, groups: Sequence[str], *, generator: np.random.Generator) -> Ints:
    """(n,) places in an order of which every beginning has about the same shares of the groups, and whole units.

    A unit counts as of the group that its first row has. Within a group the units come in random order, the i-th of k at
    (i + u) / k of the way, u uniform.
    """
    number = np.unique(unit, return_inverse=True)[1]
    first = np.unique(number, return_index=True)[1]
    group = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)[1][first]
    key = np.empty(len(first))
    for one in range(int(group.max(initial=-1)) + 1):
        own = generator.permutation(np.flatnonzero(group == one))
        key[own] = (np.arange(len(own)) + generator.random()) / len(own)
    return np.lexsort((np.arange(len(unit)), number, key[number]))


def usable(rows: PartedRows, draws: Sequence[Draw], fractions: Sequence[float] = FRACTIONS) -> tuple[float, ...]:
    """The shares of the rows at which every draw has rows enough, and of classes two at least."""

    def enough(one: Draw, fraction: float) -> bool:
        sample = one.first(fraction)
        return len(sample) >= FEWEST and (rows.targets.kind != "classes" or len(np.unique(rows.truth[sample])) > 1)

    return tuple(fraction for fraction in fractions if all(enough(one, fraction) for one in draws))


def answers_at(rows: PartedRows, one: Draw, fraction: float, procedure: Procedure, training: Training) -> Answers:
    """The answers to a fold of a model that was trained on a share of the rows of a draw."""
    sample = one.first(fraction)
    apart = rows.apart(np.sort(one.order), one.out)
    inner = change_to(apart, procedure, training)

    def change(rows: Ints, *, held_out: Ints) -> Material:
        del rows
        return inner(sample, held_out=held_out)

    return procedure.kind.tried(procedure.spec, replace(training, rows=apart, change=change, seed=one.seed))


def floor(rows: PartedRows, draws: Sequence[Draw], block: Ints) -> list[float]:
    """By blocks, the scores of the model that learns nothing from texts."""
    models = [rows.task.first_champion(rows.targets.take(np.sort(one.order))) for one in draws]
    answers = [model.predict(rows.inputs(one.out)) for model, one in zip(models, draws, strict=True)]
    return block_scores(rows, np.concatenate([one.out for one in draws]), np.concatenate(answers), block)


def block_scores(rows: PartedRows, places: Ints, answers: Answers, block: Ints) -> list[float]:
    """The first metric of the gate, higher is better, by blocks of rows: their mean is the score on all rows.

    These are the pseudo-values of the jackknife (Tukey 1958), so that a metric which is no mean over rows has them too; where
    blocks have one size, those of a mean are the blocks' own means.
    """
    many, whole = int(block.max()) + 1, scored(rows, places, answers)
    without = [scored(rows, places[block != one], answers[block != one]) for one in range(many)]
    values = np.array([many * whole - (many - 1) * part for part in without])
    return [float(value) for value in values + whole - values.mean()]


def change_to(rows: PartedRows, procedure: Procedure, training: Training) -> RowChange:
    """The row change of a procedure; what it makes is not kept."""
    if procedure.made_by is None:
        return plain
    change, settings = change_of(procedure.made_by.model_dump(mode="json"))
    changing = Changing(
        rows=rows,
        seed=training.seed,
        threads=training.threads,
        champion=procedure.champion,
        cache=training.store / MADE / "cache",
        purses=procedure.purses,
        store=training.store,
        advance=training.advance,
    )
    return lambda seen, *, held_out: change.material(settings, changing, seen, held_out=held_out)


def scored(rows: PartedRows, places: Ints, answers: Answers) -> float:
    """The first metric of the gate of the answers to some rows."""
    metric = rows.judged_by[0]
    evidence = rows.evidence(places, answers, metric=metric)
    return float(find_metric(metric, evidence).value(evidence))
