"""Diversity: how much of the language of a label the table shows, and labels whose texts repeat each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.checks.context import Context, Samples, counted, percent
from ratchet.checks.finding import Finding
from ratchet.checks.terms import LabelledTerms
from ratchet.text.columns import Rows

GIVES = ("diversity.tail", "diversity.repetitive")
COVERED = 0.75
REPEATS = 0.5
LABELS = 100
_TOP = 8
_NAMED = 5
_PAIRS = 1_000
_POINTS = 40
_PRIOR = 1_000.0


@dataclass(frozen=True, kw_only=True)
class LabelTerms:
    """What one label's texts say: ``covered`` of the terms of a new text are known from its ``texts``."""

    name: str
    texts: int
    covered: float
    top: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """The vocabulary of the different texts.

    Attributes:
        unit: ``word``, or ``pair`` of characters.
        texts: texts looked at.
        terms: occurrences of terms in them.
        vocabulary: different terms.
        once: share of the vocabulary that occurs in one text only.
        distinct_1: different tokens (words, characters) over all.
        distinct_2: different neighbouring pairs of tokens over all.
        zipf: (rank, texts) points of the curve, ranks about evenly apart on a logarithmic axis.
        tail: the rank from which on a term is in one text only.
        growth: (texts, vocabulary) while the texts are read in random order.
        labels: up to a hundred labels, those with the most texts first.
    """

    unit: str
    texts: int
    terms: int
    vocabulary: int
    once: float
    distinct_1: float
    distinct_2: float
    zipf: tuple[tuple[int, int], ...]
    tail: int
    growth: tuple[tuple[int, int], ...]
    labels: tuple[LabelTerms, ...]


def check(context: Context) -> Iterator[Finding]:
    """Labels with a thin vocabulary, and labels whose texts are made from few templates."""
    terms = context.kept(LabelledTerms.of)
    covered = coverage(terms)
    thin = np.flatnonzero((covered < COVERED) & (terms.label_texts > 0))
    if len(thin):
        order = thin[np.argsort(covered[thin], kind="stable")]
        listed = ", ".join(
            f"{terms.labels[i]!r} {percent(1 - covered[i])} ({counted(int(terms.label_texts[i]), 'text')})"
            for i in order[:_NAMED]
        )
        yield context.finding(
            "diversity.tail",
            severity="note",
            message=f"{counted(len(thin), 'label')} {'is' if len(thin) == 1 else 'are'} thin: of the {_UNITS[terms.unit]} of a "
            f"new text so many never occurred with the label: {listed}{' ...' if len(thin) > _NAMED else ''}.",
            why="A model meets these as unknown words, and has only the other labels to go by.",
            positions=np.flatnonzero(np.isin(context.labels.member, thin)),
            samples=Samples(at=[int(terms.rows[np.flatnonzero(terms.label == i)[0]]) for i in order[:3]]),
        )
    yield from _repetitive(context, terms)


def measure(context: Context) -> Diversity | None:
    """The figures; ``None`` without texts."""
    terms = context.kept(LabelledTerms.of)
    if not len(terms.term):
        return None
    ranked = np.sort(terms.frequency[terms.frequency > 0])[::-1]
    return Diversity(
        unit=terms.unit,
        texts=len(terms.rows),
        terms=len(terms.term),
        vocabulary=len(ranked),
        once=float((ranked == 1).mean()),
        distinct_1=terms.different_tokens / terms.tokens,
        distinct_2=terms.different_pairs / max(len(terms.pair), 1),
        zipf=_curve(ranked),
        tail=int((ranked > 1).sum()) + 1,
        growth=_growth(terms, seed=context.seed),
        labels=_labels(terms),
    )


def coverage(terms: LabelledTerms) -> npt.NDArray[np.float64]:
    """For each label, the chance that the next term of a new text has occurred with it before, shape (labels,).

    Good and Turing's estimate: 1 minus the share of occurrences that are the only one of their term (Good 1953, "The
    population frequencies of species and the estimation of population parameters").
    """
    found = np.ones(len(terms.labels))
    for label in np.flatnonzero(terms.label_texts).tolist():
        occurrences = terms.of_label(label)[2]
        found[label] = 1 - np.count_nonzero(occurrences == 1) / max(int(occurrences.sum()), 1)
    return found


_UNITS = {"word": "words", "pair": "character pairs"}


def _repetitive(context: Context, terms: LabelledTerms) -> Iterator[Finding]:
    """Labels with far fewer different pairs of tokens in their first thousand than the other labels."""
    codes, owner = terms.pair, terms.label[terms.pair_text]
    order = np.argsort(owner, kind="stable")
    begins = np.searchsorted(owner[order], np.arange(len(terms.labels) + 1))
    long = np.flatnonzero(np.diff(begins) >= _PAIRS)
    if len(long) < 3:
        return
    shares = np.array([len(np.unique(codes[order[begins[i] : begins[i] + _PAIRS]])) / _PAIRS for i in long.tolist()])
    usual = float(np.median(shares))
    few = long[shares < REPEATS * usual]
    if not len(few):
        return
    figures = dict(zip(long.tolist(), shares.tolist(), strict=True))
    listed = ", ".join(f"{terms.labels[i]!r} {percent(figures[i])}" for i in few[:_NAMED].tolist())
    yield context.finding(
        "diversity.repetitive",
        severity="note",
        message=f"{counted(len(few), 'label')} {'repeats itself' if len(few) == 1 else 'repeat themselves'}: of the first "
        f"{_PAIRS:,} pairs of neighbouring tokens so many are different: {listed}; the median label has {percent(usual)}.",
        why="Texts made from a few templates teach the template; real requests will not follow it.",
        positions=np.flatnonzero(np.isin(context.labels.member, few)),
        samples=Samples(at=[int(terms.rows[np.flatnonzero(terms.label == i)[0]]) for i in few[:3].tolist()]),
    )


def _curve(ranked: Rows) -> tuple[tuple[int, int], ...]:
    ranks = np.unique(np.geomspace(1, len(ranked), _POINTS).astype(np.int64))
    return tuple((int(rank), int(ranked[rank - 1])) for rank in ranks)


def _growth(terms: LabelledTerms, *, seed: int) -> tuple[tuple[int, int], ...]:
    """Vocabulary after each tenth of the texts, in random order."""
    place = np.random.default_rng(seed).permutation(len(terms.rows))
    text, term = terms.documents
    first = np.full(len(terms.names), len(terms.rows), np.int64)
    np.minimum.at(first, term, place[text])
    marks = np.unique(np.linspace(0, len(terms.rows), 11).astype(np.int64)[1:])
    known = np.searchsorted(np.sort(first[terms.frequency > 0]), marks)
    return tuple(zip(marks.tolist(), known.tolist(), strict=True))


def _labels(terms: LabelledTerms) -> tuple[LabelTerms, ...]:
    covered = coverage(terms)
    order = np.lexsort((np.arange(len(terms.labels)), -terms.label_texts))[:LABELS]
    return tuple(
        LabelTerms(
            name=terms.labels[i],
            texts=int(terms.label_texts[i]),
            covered=round(float(covered[i]), 4),
            top=_top(terms, i),
        )
        for i in order.tolist()
    )


def _top(terms: LabelledTerms, label: int) -> tuple[str, ...]:
    """The terms that tell this label from the others, by the z-score of their log-odds in texts.

    The prior of each term is its share of the whole table (Monroe, Colaresi and Quinn 2008, "Fightin' words").
    """
    term, ours, _ = terms.of_label(label)
    if not len(term) or len(terms.labels) < 2 or np.count_nonzero(terms.frequency) < 2:
        return ()
    total, all_ours = float(terms.frequency.sum()), float(ours.sum())
    theirs, all_theirs = terms.frequency[term] - ours, total - all_ours
    prior = terms.frequency[term] * (_PRIOR / total)
    a, b = ours + prior, theirs + prior
    odds = np.log(a / (all_ours + _PRIOR - a)) - np.log(b / (all_theirs + _PRIOR - b))
    score = odds / np.sqrt(1 / a + 1 / b)
    least = max(float(np.sort(score)[-_TOP:][0]), 0.0)
    best = [(-float(score[i]), terms.names[term[i]]) for i in np.flatnonzero((score >= least) & (score > 0)).tolist()]
    return tuple(name for _, name in sorted(best)[:_TOP])
