"""A tuned contender in the report: read from its folder, shown on the page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contenders.conftest import parted, training
from tests.report.test_page import Page

from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Linear
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.tune import Tune
from ratchet.models.model import Answers
from ratchet.recipe.sections import LinearSpec
from ratchet.recipe.space import Range
from ratchet.recipe.tune import TuneSpec
from ratchet.report import ReportData, render
from ratchet.report.tuned import Tuned, tuned_of
from ratchet.report.tuned_pictures import importance, slices

__all__ = ["parted", "training"]


@pytest.fixture
def tuned(
    parted: Callable[..., PartedRows], training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> tuple[Tuned, Path]:
    plain = Linear.tried

    def tried(self: Linear, spec: LinearSpec, inner: Training) -> Answers:
        if inner.key.split("trial-")[1].startswith("2."):
            raise ValueError("<b>no</b> memory")
        return plain(self, spec, inner)

    monkeypatch.setattr(Linear, "tried", tried)
    space = {"C": Range(low=0.01, high=30, log=True), "features.0.high": Range(choices=(1, 2))}
    spec = TuneSpec(of=LinearSpec(), space=space, trials=6, folds=2)
    made = training(parted(), kind="tune")
    folder = made.store / "mine"
    folder.mkdir(parents=True)
    Tune().train(folder, spec, made)
    found = tuned_of(Contender.load(folder))
    assert found is not None
    return found, folder


def test_it_is_read_from_the_contenders_folder(tuned: tuple[Tuned, Path]) -> None:
    one, folder = tuned
    assert (one.name, one.of, one.metric, one.log) == ("mine", "linear", "accuracy", ("C",))
    assert [study.name for study in one.studies] == [f"without fold {fold}" for fold in range(5)]
    assert all(len(study.trials) == 6 and study.trials[2].state == "failed" for study in one.studies)
    assert one.reasons == {"<b>no</b> memory": 5}
    for study in one.studies:
        whole = [trial.score or 0 for trial in study.trials if trial.state == "complete"]
        assert study.chosen.score == max(whole)
    card = json.loads((folder / "contender.json").read_bytes())
    (folder / "contender.json").write_text(json.dumps({**card, "kind": "eda"}))
    assert tuned_of(Contender.load(folder)) is None, "what is made from it has the same studies"


def test_the_page_shows_history_importance_and_slices(tuned: tuple[Tuned, Path], intents: ReportData) -> None:
    one, _ = tuned
    report = dataclasses.replace(intents, tuned=(one,))
    assert ReportData.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report
    html = render(report)
    words = Page(html).words
    assert "Tuned settings" in words
    assert "mine: best accuracy so far, inside the training rows" in words
    assert f"without fold 4{one.studies[4].told}" in words
    assert "Failed trials: 5 by “<b>no</b> memory”" in words
    assert "<b>no</b>" not in html
    assert [len(slices(0, one)), importance(0, one) is not None] == [2, bool(one.importance)]
    assert "Tuned settings" not in Page(render(intents)).words
