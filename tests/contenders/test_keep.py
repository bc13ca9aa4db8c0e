"""A metric of the user's as what chooses the epoch of a contender, and as what a study looks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.contenders.conftest import LABELS
from tests.train import own_metrics

from ratchet.contenders.base import Contender
from ratchet.contenders.decoder import Decoder
from ratchet.contenders.encoder import Encoder
from ratchet.contenders.kind import Training
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.tune import TUNING, Tune
from ratchet.errors import MetricFailed, RecipeError
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.sections import EncoderSpec, LinearSpec
from ratchet.recipe.space import Range
from ratchet.recipe.tune import TuneSpec

Parted, Trained = Callable[..., PartedRows], Callable[..., Training]
OWN = "tests.train.own_metrics"
TINY = {"source": "scratch", "layers": 1, "width": 16, "heads": 2, "lr": 1e-2, "epochs": 2}
ENCODER = EncoderSpec(**TINY, vocabulary=100, max_tokens=16, keep=f"{OWN}:wrong:min")  # type: ignore[arg-type]


def test_it_chooses_the_epoch_of_an_encoder_and_this_is_said(parted: Parted, training: Trained) -> None:
    made = training(parted(), kind="encoder", folds=(0,))
    Encoder().train(made.store / "mine", ENCODER, made)
    found = Contender.load(made.store / "mine")
    kept = found.facts["kept_epoch"]
    said = f"epoch {kept} of 2 was kept, the best by {OWN}:wrong:min"
    assert any(line.startswith(said) and "12 rows set apart" in line for line in found.facts["said"])
    assert Encoder().named_by(ENCODER) != Encoder().named_by(ENCODER.model_copy(update={"keep": "accuracy"}))


def test_one_that_fails_leaves_no_fold_out_but_ends_the_training(parted: Parted, training: Trained) -> None:
    own_metrics.CALLS.clear()
    made = training(parted(), kind="encoder")
    with pytest.raises(MetricFailed, match=r"After epoch 2: The metric .*nan_later"):
        Encoder().train(made.store / "mine", ENCODER.model_copy(update={"keep": f"{OWN}:nan_later"}), made)


def test_it_chooses_the_epoch_of_a_generator(parted: Parted, training: Trained) -> None:
    spec = DecoderSpec(**TINY, vocabulary=400, max_tokens=96, max_new_tokens=6, keep=f"{OWN}:letters")  # type: ignore[arg-type]
    made = training(parted("generation", [f"see {label}" for label in LABELS]), kind="decoder", folds=(0,))
    Decoder().train(made.store / "mine", spec, made)
    said = Contender.load(made.store / "mine").facts["said"]
    assert any(f"the best by {OWN}:letters" in line for line in said)
    assert Decoder().named_by(spec) != Decoder().named_by(spec.model_copy(update={"keep": "loss"}))


@pytest.mark.parametrize(("gate", "metric"), [((), f"{OWN}:wrong:min"), ((f"{OWN}:named",), None)])
def test_a_study_looks_for_it_with_the_names_of_the_labels(
    parted: Parted, training: Trained, monkeypatch: pytest.MonkeyPatch, gate: Any, metric: str | None
) -> None:
    seen: set[str] = set()

    def named(right: Any, given: Any) -> float:
        seen.update([*right, *given])
        return float((right == given).mean())

    monkeypatch.setattr(own_metrics, "named", named, raising=False)
    spec = TuneSpec(of=LinearSpec(), space={"C": Range(low=0.001, high=30, log=True)}, trials=5, folds=2, metric=metric)
    made = training(parted(metrics=gate), kind="tune", folds=(0,))
    (made.store / "mine").mkdir(parents=True)
    Tune().train(made.store / "mine", spec, made)
    record = json.loads((made.store / "mine" / TUNING).read_bytes())
    assert record["metric"] == (metric or gate[0])
    (study,) = record["studies"]
    scores = [trial["score"] for trial in study["trials"]]
    assert scores[study["best"]] == max(scores)
    assert all(score <= 0 for score in scores) == (metric is not None), "the fewest wrong answers are best"
    assert seen <= {*LABELS}
    assert bool(seen) == (metric is None)
    assert Tune().named_by(spec) != Tune().named_by(spec.model_copy(update={"metric": "accuracy"}))


def test_what_the_rows_rule_out_is_refused_and_of_few_rows_the_last_epoch_is_kept(
    parted: Parted, training: Trained
) -> None:
    auc, r2 = (ENCODER.model_copy(update={"keep": keep, "epochs": 1}) for keep in ("auc", "r2"))
    with pytest.raises(
        RecipeError, match="keep must have a value for these rows: The metric auc must have two classes"
    ):
        Encoder().require(auc, parted(cells=["a", "b", "c"] * 60))
    rows = parted("regression", ["2.5"] * 179 + ["7"])
    Encoder().require(r2, rows)
    made = training(rows, kind="encoder", folds=(0,))
    Encoder().train(made.store / "mine", r2, made)
    said = Contender.load(made.store / "mine").facts["said"]
    assert "the last epoch was kept: there were too few rows, or too alike, to set some apart that choose by r2" in said
