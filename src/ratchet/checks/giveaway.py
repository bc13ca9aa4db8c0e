"""Labels that their texts give away: the label's own name, or one term that hardly any other label has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.checks.context import Context, Samples, counted, percent
from ratchet.checks.finding import Finding
from ratchet.checks.terms import LabelledTerms
from ratchet.near.copies import normalise

GIVES = ("leaks.label_in_text",)
OWN = 0.7
OTHERS = 0.01
LEAST = 20
MARKED = 0.95
LABELS = 200
_SAMPLE = 20_000
_NAMED = 5

Mark = tuple[str, float, float]
"""A name or term, its share of the label's texts, and its share of the others."""


def check(context: Context) -> Iterator[Finding]:
    """A name or a term in most of a label's texts, and in at most one in a hundred of the others."""
    terms = context.kept(LabelledTerms.of)
    if not 2 <= len(terms.labels) <= LABELS:
        return
    found = _terms(terms) | _names(context, terms)
    if not found:
        return
    order = sorted(found, key=lambda label: (-found[label][1], terms.labels[label]))
    listed = ", ".join(
        f"{found[i][0]!r} in {percent(found[i][1])} of {terms.labels[i]!r} and {percent(found[i][2])} of the others"
        for i in order[:_NAMED]
    )
    rows = [_with_mark(context, terms, label=i, mark=found[i][0]) for i in order[:3]]
    yield context.finding(
        "leaks.label_in_text",
        severity="warning" if found[order[0]][1] >= MARKED else "note",
        message=f"{counted(len(found), 'label')} can be read off the text: {listed}{' ...' if len(found) > _NAMED else ''}.",
        why="If the mark comes from how the rows were collected, new texts will not have it and the score means nothing.",
        positions=np.flatnonzero(np.isin(context.labels.member, order)),
        samples=Samples(at=rows, notes={row: f"{found[label][0]!r}" for row, label in zip(rows, order, strict=False)}),
    )


def _terms(terms: LabelledTerms) -> dict[int, Mark]:
    """The most frequent such term of each label."""
    found: dict[int, Mark] = {}
    texts = int(terms.label_texts.sum())
    for label in np.flatnonzero(terms.label_texts >= LEAST).tolist():
        own = int(terms.label_texts[label])
        term, ours, _ = terms.of_label(label)
        share, rest = ours / own, (terms.frequency[term] - ours) / max(texts - own, 1)
        fits = np.flatnonzero((share >= OWN) & (rest <= OTHERS))
        if len(fits):
            best = fits[np.argmax(share[fits])]
            found[label] = (terms.names[term[best]], float(share[best]), float(rest[best]))
    return found


def _names(context: Context, terms: LabelledTerms) -> dict[int, Mark]:
    """Labels whose name stands in their texts; an underscore counts as a space."""
    some = np.unique(np.linspace(0, len(terms.rows) - 1, min(_SAMPLE, len(terms.rows))).astype(np.int64))
    label = terms.label[some]
    shown = context.texts.some(context.texts.member[terms.rows[some]])
    texts = pa.array(map(normalise, shown), pa.large_string())
    found: dict[int, Mark] = {}
    for number, name in enumerate(terms.labels):
        own = label == number
        plain = normalise(name.replace("_", " "))
        if own.sum() < LEAST or len(plain) < 2 or plain.isdigit():
            continue
        holds = np.asarray(pc.match_substring(texts, plain).to_numpy(zero_copy_only=False), bool)
        ours, rest = float(holds[own].mean()), float(holds[~own].mean()) if not own.all() else 0.0
        if ours >= OWN and rest <= OTHERS:
            found[number] = (plain, ours, rest)
    return found


def _with_mark(context: Context, terms: LabelledTerms, *, label: int, mark: str) -> int:
    """The first text of the label that holds the mark."""
    rows = terms.rows[terms.label == label]
    texts = context.texts.some(context.texts.member[rows])
    return next((int(row) for row, text in zip(rows, texts, strict=True) if mark in normalise(text)), int(rows[0]))
