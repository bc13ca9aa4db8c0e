"""The nearest prompt's answer as a contender: out of fold, and served as judged."""

from __future__ import annotations

from collections.abc import Callable

from tests.contenders.conftest import COUNT, LABELS, TEXTS

from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Majority
from ratchet.contenders.nearest import Nearest
from ratchet.contenders.rows import PartedRows
from ratchet.gate.verdict import compare
from ratchet.models.nearest import NearestModel
from ratchet.recipe.sections import NearestSpec, Section

REPLIES = [f"We see to your {label}." for label in LABELS]


def test_every_fold_answers_with_what_the_others_know(
    parted: Callable[..., PartedRows], training: Callable[..., Training]
) -> None:
    rows = parted("generation", REPLIES)
    made = training(rows, kind="nearest")
    folder = made.store / "near"
    Nearest().train(folder, NearestSpec(low=2, high=3), made)
    found = Contender.load(folder)
    assert sorted(found.rows.tolist()) == rows.parts.dev.tolist()
    dev = rows.parts.dev.tolist()
    for fold in found.folds:
        inside = [row for row in dev if rows.parts.fold[row] == fold]
        others = [row for row in dev if rows.parts.fold[row] != fold]
        wanted = NearestModel.fit([TEXTS[row] for row in others], [REPLIES[row] for row in others], low=2, high=3)
        _, answers = found.predictions(rows, rows.parts.dev[rows.parts.fold[rows.parts.dev] == fold])
        assert answers.tolist() == wanted.predict([TEXTS[row] for row in inside]).tolist()
    assert len(found.answers) == COUNT * 5 // 6


def test_it_is_proven_better_than_the_most_frequent_answer(
    parted: Callable[..., PartedRows], training: Callable[..., Training]
) -> None:
    rows = parted("generation", REPLIES)
    near, first = training(rows, name="near", kind="nearest"), training(rows, name="first", kind="majority")
    Nearest().train(near.store / "near", NearestSpec(), near)
    Majority().train(first.store / "first", Section(), first)
    found, champion = (Contender.load(near.store / name) for name in ("near", "first"))
    assert (champion.runtime, champion.learns) == ("constant", False)
    assert compare(found.evidence(rows), champion.evidence(rows), ["exact_match"]).outcome == "better"
    again = found.model(threads=1).predict(TEXTS[:5])
    assert again.shape == (5, 1)


def test_the_refit_has_seen_every_dev_row(parted: Callable[..., PartedRows], training: Callable[..., Training]) -> None:
    rows = parted("generation", [f"{reply} {n}" for n, reply in enumerate(REPLIES)])
    made = training(rows, kind="nearest")
    Nearest().refit(made.store / "whole", NearestSpec(), made)
    whole = Contender.load(made.store / "whole")
    assert whole.rows.tolist() == rows.parts.valid.tolist()
    assert whole.answers[:, 0].tolist() == rows.names(rows.parts.valid)
    test = whole.model().predict(rows.texts(rows.parts.test))[:, 0].tolist()
    assert not set(test) & set(rows.names(rows.parts.test))
