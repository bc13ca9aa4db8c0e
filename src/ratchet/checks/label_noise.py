"""Label noise: rows whose label a model that did not see them firmly doubts, as a queue for people to look through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.checks.baseline_scores import baseline_scores
from ratchet.checks.context import Context, Samples, counted, percent
from ratchet.checks.finding import Finding
from ratchet.metrics.paired_tests import normal_quantile
from ratchet.tables.queues import as_csv
from ratchet.text.columns import Rows, picked
from ratchet.workspace.workspace import write_named

GIVES = ("labels.noise",)
WARNING = 0.05
ODDS = 3.0
_NAMED = 3

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Doubts:
    """Doubted labels, the most doubted first: positions in what was given, and the probability of either label."""

    index: Rows
    suggested: Rows
    given_probability: Floats
    suggested_probability: Floats

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A row whose label someone should look at; ``copies`` rows have this text and label."""

    file: str
    row: int
    text: str
    label: str
    suggested: str
    probability: float
    suggested_probability: float
    copies: int


def doubts(probabilities: Floats, given: Rows) -> Doubts:
    """Labels beside which another one is at least `ODDS` times as probable, the largest odds first.

    On tables with planted errors (benchmarks/review_queue.py) this order has more of them at its head, and the bound more of
    them at fewer false alarms, than the class averages of confident learning (Northcutt, Jiang, Chuang 2021, "Confident
    learning: estimating uncertainty in dataset labels"), which stood here first.

    Args:
        probabilities: shape (n, k), each row by a model that did not see it.
        given: shape (n,), the given classes 0 ... k - 1.
    """
    rows = np.arange(len(probabilities))
    own = probabilities[rows, given].astype(np.float64)
    others = probabilities.astype(np.float64)
    others[:, np.bincount(given, minlength=others.shape[1]) == 0] = -1.0
    others[rows, given] = -1.0
    best = others.argmax(axis=1)
    other = others[rows, best]
    odds = other / np.maximum(own, np.finfo(np.float32).tiny)
    doubted = np.flatnonzero((other > 0) & (odds >= ODDS))
    order = doubted[np.lexsort((doubted, -odds[doubted]))]
    return Doubts(
        index=order.astype(np.int64),
        suggested=best[order].astype(np.int64),
        given_probability=own[order],
        suggested_probability=probabilities[order, best[order]],
    )


def better_than_guessing(predicted: Rows, given: Rows) -> bool:
    """Whether answers agree with the labels more often than the same answers dealt out at random would, at 1 %, one-sided.

    A guess is right as often as its class is; so each row counts its hit less the share of the class that was answered
    (the numerator of Cohen's kappa, 1960), which also holds where one class is rare.

    Args:
        predicted: shape (n,), classes answered by models that did not see the row.
        given: shape (n,), the given classes.
    """
    shares = np.bincount(given, minlength=int(predicted.max(initial=0)) + 1) / max(len(given), 1)
    gain = (predicted == given) - shares[predicted]
    spread = float(gain.std())
    return spread > 0 and float(gain.mean()) * np.sqrt(len(gain)) / spread > normal_quantile(0.99)


def check(context: Context) -> Iterator[Finding]:
    """How many labels are doubted; texts with two labels are left to the check of conflicts."""
    scores, suspects = baseline_scores(context), suspects_of(context)
    if scores is None or not suspects:
        return
    share = len(suspects) / len(scores.first)
    ways = Counter((suspect.label, suspect.suggested) for suspect in suspects).most_common(_NAMED)
    listed = ", ".join(f"{label!r} that looks like {other!r} ({count:,})" for (label, other), count in ways)
    place = {(file, row): position for file, row, position in _places(context, scores.first)}
    rows = [place[suspect.file, suspect.row] for suspect in suspects]
    yield context.finding(
        "labels.noise",
        severity="warning" if share >= WARNING else "note",
        message=f"{counted(len(suspects), 'label')} of {len(scores.first):,} ({percent(share)}) "
        f"{'is' if len(suspects) == 1 else 'are'} doubted by a model that did not see the row: {listed}.",
        why="Some of these labels are wrong and some texts are merely hard: look through the queue, change nothing blindly.",
        positions=rows,
        samples=Samples(
            at=rows[:3],
            notes={
                row: f"labelled {suspect.label!r}, looks like {suspect.suggested!r} ({percent(suspect.suggested_probability)})"
                for row, suspect in zip(rows[:3], suspects, strict=False)
            },
        ),
    ).among(len(scores.first))


def suspects_of(context: Context) -> tuple[Suspect, ...]:
    """The rows behind the doubted labels, the most doubted first, computed once."""
    return context.kept(_suspects)


def _suspects(context: Context) -> tuple[Suspect, ...]:
    """The rows behind the doubted labels, the most doubted first.

    A label that one fold alone has is neither doubted nor suggested: the models that predict this fold have never met it.
    None are doubted by a model that was not shown to be better than guessing.
    """
    scores = baseline_scores(context)
    if scores is None or not better_than_guessing(scores.out_of_fold.argmax(axis=1), scores.truth):
        return ()
    folds = np.unique(np.stack([scores.truth, scores.fold]), axis=1)
    known = np.bincount(folds[0], minlength=len(scores.names)) > 1
    found = doubts(scores.out_of_fold * known.astype(np.float32), scores.truth)
    copies = np.bincount(scores.pair, minlength=len(scores.first))
    conflicting = np.isin(context.groups[scores.first], context.conflicting_groups)
    dataset, texts = context.dataset, [scores.texts[i] for i in found.index.tolist()]
    if context.chat is not None:  # as the queue is read back: the cells, not the words in them
        texts = picked(dataset.table.column(dataset.roles.text), scores.first[found.index]).to_pylist()
    return tuple(
        Suspect(
            file=dataset.files[dataset.file_index[scores.first[i]]],
            row=int(dataset.origin[scores.first[i]]),
            text=texts[rank],
            label=scores.labels[i],
            suggested=scores.names[found.suggested[rank]],
            probability=round(float(found.given_probability[rank]), 4),
            suggested_probability=round(float(found.suggested_probability[rank]), 4),
            copies=int(copies[i]),
        )
        for rank, i in enumerate(found.index.tolist())
        if not conflicting[i] and known[scores.truth[i]]
    )


def write_queue(suspects: Sequence[Suspect], path: Path) -> None:
    """Write the review queue; its column ``decision`` is left empty for whoever looks through it."""
    names = ("file", "row", "text", "label", "suggested", "probability", "suggested_probability", "copies")
    rows = ([*(getattr(suspect, name) for name in names), ""] for suspect in suspects)
    write_named(path, as_csv([*names, "decision"], rows))


def _places(context: Context, positions: Rows) -> Iterator[tuple[str, int, int]]:
    dataset = context.dataset
    for position in positions.tolist():
        yield dataset.files[dataset.file_index[position]], int(dataset.origin[position]), position
