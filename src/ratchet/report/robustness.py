"""How the champion takes noise: how many of its answers change when texts have mistakes of typing and scanning.

Each kind of noise changes a twentieth of the characters of texts that the model had not seen: each row is answered by the model
of its own fold. The share of changed answers has Wilson's interval (1927); of rows that belong together one is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ratchet.augment.draws import keys_of
from ratchet.augment.noise import ABOUT, OPERATIONS, noisy
from ratchet.bundle.runtimes import load_model_folder
from ratchet.charts import figures
from ratchet.contenders.base import Contender
from ratchet.contenders.kind import EARLIER
from ratchet.contenders.material import held
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import RatchetError
from ratchet.metrics.metrics import Score, score
from ratchet.metrics.proportions import wilson
from ratchet.models.model import Answers

STRICT = ConfigDict(extra="forbid")
ROWS = {"linear": 500, "onnx": 200}
"""Rows that are asked at most, by what the model runs on; models that run on anything else are not asked."""
FEWEST = 20
"""Rows that can bear a kind of noise at least, for it to be shown."""
ALPHA, SEED = 0.05, 0
SHOWN = 400
"""Characters of an example that are kept."""
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Example:
    """A text before and after, and what was answered."""

    before: str
    after: str
    answer: str
    changed: str
    true: str


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Noised:
    """One kind of noise."""

    operation: str
    about: str
    changed: Score
    """The share of answers that change, among the rows that can bear it."""
    before: Score | None
    """The metric of the gate on these rows as they are; ``None`` where it cannot be told of so few."""
    after: Score | None
    example: Example | None
    """Where the model was right and is then most surely wrong, else any that changed; ``None``: no answer changed."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Robustness:
    """Every kind of noise that these texts can bear, the most harmful first."""

    rows: int
    alpha: float
    """Share of the characters that changed."""
    kinds: tuple[Noised, ...]

    @property
    def line(self) -> str:
        """The worst kind in one line for people."""
        worst = self.kinds[0]
        share = f"{figures.percent(worst.changed.value)} {figures.bounds(worst.changed.low, worst.changed.high)}"
        metric = ""
        if worst.before is not None and worst.after is not None:
            then = figures.value(worst.after.value, worst.after.metric)
            name, now = figures.metric(worst.before.metric), figures.value(worst.before.value, worst.before.metric)
            metric = f"; {name} {now} becomes {then}"
        of = f"{share} of {worst.changed.n:,} answers change with {worst.about}"
        return f"{of}, the most of {len(self.kinds)} kinds of noise{metric}"


def robustness_of(rows: PartedRows, best: Contender, *, metric: str, threads: int) -> Robustness | None:
    """How a contender takes noise; ``None`` where it is slow or costs money to ask, or has no labels to change.

    Args:
        rows: the prepared rows.
        best: whose own models of folds are asked.
        metric: of the gate.
        threads: for the models.
    """
    most = ROWS.get(best.runtime)
    if most is None or not best.learns or rows.targets.kind not in ("classes", "labels"):
        return None
    asked = _Asked(rows, best, _drawn(rows, best, most=most), threads=threads)
    if len(asked.places) < FEWEST:
        return None
    found = [one for operation in OPERATIONS if (one := _noised(asked, operation, metric=metric)) is not None]
    if not found:
        return None
    kinds = sorted(found, key=lambda one: -one.changed.value)
    return Robustness(rows=len(asked.places), alpha=ALPHA, kinds=tuple(kinds))


def _drawn(rows: PartedRows, best: Contender, *, most: int) -> Ints:
    """Rows whose own model is there, drawn by their texts, and of rows that belong together one."""
    placed = best.placed(rows)
    able = np.concatenate([np.zeros(0, np.int64), *(out for _, out in _folds(rows, best, placed))])
    keys = keys_of(rows.texts(able), seed=SEED, copy=0)
    able = able[np.argsort(keys, kind="stable")]
    if rows.parts.unit is not None:
        able = able[np.sort(np.unique(rows.parts.unit[able], return_index=True)[1])]
    return able[:most]


def _folds(rows: PartedRows, best: Contender, placed: Ints) -> Iterator[tuple[int, Ints]]:
    """Each fold whose model is there, with the rows that this model had not seen."""
    if any(name in best.facts for name in EARLIER):
        yield best.folds[0], placed
        return
    for fold in best.folds:
        if best.fold_model(fold).is_dir():
            yield fold, placed[np.isin(placed, held(rows, fold)[1])]


class _Asked:
    """The rows that are asked, each answered by the model that had not seen it."""

    def __init__(self, rows: PartedRows, best: Contender, places: Ints, *, threads: int) -> None:
        self.rows, self.name, self.places = rows, best.name, places
        self.texts = rows.texts(places)
        self._models = [
            (np.isin(places, out), load_model_folder(best.fold_model(fold), best.runtime, threads=threads))
            for fold, out in _folds(rows, best, best.placed(rows))
        ]
        self.answers = self.answer(self.texts)

    def answer(self, texts: list[str]) -> Answers:
        """(n, labels) answers to these texts in the place of the rows' own."""
        inputs = self.rows.inputs(self.places).with_texts(texts)
        found = np.zeros((len(texts), len(self.rows.labels)), np.float32)
        for mask, model in self._models:
            if mask.any():
                found[mask] = model.predict(inputs.take(np.flatnonzero(mask)))
        return found

    def score(self, answers: Answers, able: Bools, metric: str) -> Score | None:
        """The metric of some rows; ``None`` where they cannot tell it."""
        places = self.places[able]
        evidence = self.rows.evidence(places, answers[able], metric=metric, name=self.name)
        try:
            return score(evidence, metric)
        except RatchetError:  # a judge's grade, or an AUC where all rows are of one class
            return None


def _noised(asked: _Asked, operation: str, *, metric: str) -> Noised | None:
    made = noisy(asked.texts, operation, alpha=ALPHA, seed=SEED)
    able = np.array([text is not None for text in made], bool)
    rows = int(able.sum())
    if rows < FEWEST:
        return None
    texts = [old if new is None else new for old, new in zip(asked.texts, made, strict=True)]
    after = asked.answer(texts)
    changed = able & _differ(asked.rows, asked.answers, after)
    low, high = wilson(float(changed.sum()), rows)
    return Noised(
        operation=operation,
        about=ABOUT[operation],
        changed=Score(value=float(changed.sum()) / rows, low=low, high=high, n=rows, metric="changed"),
        before=asked.score(asked.answers, able, metric),
        after=asked.score(after, able, metric),
        example=_worst(asked, texts, after, changed),
    )


def _differ(rows: PartedRows, before: Answers, after: Answers) -> Bools:
    """(n,) whether what is answered differs, not only how surely."""
    if rows.targets.kind == "classes":
        differ: Bools = before.argmax(axis=1) != after.argmax(axis=1)
        return differ
    said = [rows.task.predictions(answers, names=rows.labels, facts={}) for answers in (before, after)]
    return np.array([one["labels"] != other["labels"] for one, other in zip(*said, strict=True)], bool)


def _worst(asked: _Asked, texts: list[str], after: Answers, changed: Bools) -> Example | None:
    if not changed.any():
        return None
    rows = asked.rows
    right = rows.task.right(rows.targets.take(asked.places), asked.answers)
    moved = np.abs(after - asked.answers).max(axis=1)
    at = int(np.argmax(np.where(changed, 1 + right + moved / 2, 0)))
    here = slice(at, at + 1)
    return Example(
        before=asked.texts[at][:SHOWN],
        after=texts[at][:SHOWN],
        answer=_said(rows, asked.answers[here]),
        changed=_said(rows, after[here]),
        true=rows.names(asked.places[here])[0],
    )


def _said(rows: PartedRows, answers: Answers) -> str:
    """One answer as people read it."""
    (found,) = rows.task.predictions(answers, names=rows.labels, facts={})
    return str(found["label"]) if "label" in found else ", ".join(found["labels"])
