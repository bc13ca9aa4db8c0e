"""The winner on all dev rows: the same settings, the same row change, the same smaller form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Table
from tests.contenders.conftest import TEXTS

from ratchet.compress.compressor import compressors
from ratchet.contenders.base import Contender
from ratchet.contenders.encoder import Encoder
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Linear, Majority
from ratchet.contenders.refit import changed, made_of, refit, replaced
from ratchet.contenders.registry import change_of, changes
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.tune import Tune
from ratchet.models.linear_fit import fit_linear
from ratchet.recipe.sections import EncoderSpec, LinearFeatures, LinearSpec, Section
from ratchet.recipe.tune import TuneSpec

Parted, Trained = Callable[..., PartedRows], Callable[..., Training]
SPEC = LinearSpec(features=(LinearFeatures(unit="word", high=1),), C=5)


def judged(made: Training) -> Contender:
    Linear().train(made.store / "best-key", SPEC, made)
    return Contender.load(made.store / "best-key")


def test_it_is_trained_on_every_dev_row(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows, name="best")
    whole, reason = refit(judged(made), made)
    assert reason == ""
    assert whole is not None
    dev = rows.parts.dev
    assert (whole.name, whole.facts["refit"], whole.facts["judged"]) == ("best", len(dev), "best-key")
    wanted = fit_linear(rows.texts(dev), rows.names(dev), spec=SPEC, seed=1).predict(TEXTS)
    np.testing.assert_allclose(whole.model(threads=1).predict(TEXTS), wanted, atol=1e-5)
    before = (whole.folder / "contender.json").stat().st_mtime_ns
    refit(Contender.load(made.store / "best-key"), made)
    assert (whole.folder / "contender.json").stat().st_mtime_ns == before, "what is finished is not trained again"


def test_a_smaller_form_is_made_of_the_refitted_model(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows, name="best")
    best = judged(made)
    small_training = training(rows, name="best-int8", kind="int8", facts={"of": "best", "of_key": "best-key"})
    Linear().compress(made.store / "small-key", compressors()["int8"], best, small_training)
    small = Contender.load(made.store / "small-key")
    whole, _ = refit(small, small_training)
    origin, _ = refit(best, made)
    assert whole is not None
    assert origin is not None
    assert whole.ref.kind == "int8"
    assert whole.ref.bytes < origin.ref.bytes
    alike = whole.model().predict(TEXTS).argmax(axis=1) == origin.model().predict(TEXTS).argmax(axis=1)
    assert alike.mean() > 0.9


def test_what_cannot_be_trained_again_says_why(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows, name="majority", kind="majority")
    Majority().train(made.store / "majority", Section(), made)
    assert refit(Contender.load(made.store / "majority"), made) == (None, "The majority model has nothing to fit.")
    old = training(rows, name="old", facts={"left_out": 3})
    Linear().train(made.store / "old", SPEC, old)
    found, reason = refit(Contender.load(made.store / "old"), old)
    assert found is None
    assert "earlier rows" in reason


def test_nothing_is_trained_again_from_files_that_were_not_judged(
    parted: Parted, training: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Linear, "sources", lambda self, spec: ["now"])
    rows = parted()
    made = training(rows, name="best", facts={"sources": ["before"]})
    small_training = training(rows, name="best-int8", kind="int8", facts={"of": "best", "of_key": "best-key"})
    best = judged(made)
    Linear().compress(made.store / "small-key", compressors()["int8"], best, small_training)
    for one in (best, Contender.load(made.store / "small-key")):
        found, reason = refit(one, made)
        assert found is None
        assert reason.startswith("The files that 'best' begins with are not those that it was judged with")
    assert not [*made.store.glob("*.refit")]
    monkeypatch.setattr(Linear, "sources", lambda self, spec: ["before"])
    assert refit(best, made)[0] is not None
    monkeypatch.setattr(Linear, "sources", lambda self, spec: ["now"])
    assert refit(best, made)[0] is not None, "what was trained from the files that were judged is there"


def test_nothing_is_trained_again_on_rows_that_are_made_with_something_else(
    parted: Parted, training: Trained, tmp_path: Path
) -> None:
    rows, words = parted(), tmp_path / "words.txt"
    words.write_text("good fine\n", "utf-8")
    change, spec = change_of({"kind": "eda", "name": "made", "synonyms": str(words)})
    facts = {"made_by": spec.model_dump(mode="json"), "made_of": made_of(change, spec, rows)}
    best = judged(training(rows, name="best", facts=facts))
    assert replaced(best, rows) == ""
    words.write_text("good fine nice\n", "utf-8")
    found, reason = refit(best, training(rows, name="best"))
    assert found is None
    assert reason == "What the rows of 'best' are made with is not what it was judged with, or that is not known."


@pytest.mark.parametrize("kind", [*changes()])
def test_a_row_change_is_named_alike_by_its_settings_and_by_its_card(parted: Parted, kind: str) -> None:
    rows, spec = parted(), changes()[kind].spec.model_validate({"kind": kind, "name": "made"})
    assert made_of(*change_of(spec.model_dump(mode="json")), rows) == made_of(changes()[kind], spec, rows)


def test_a_challenger_is_refitted_with_the_unlabelled_rows_that_it_was_judged_with(
    parted: Parted, training: Trained, table: Table
) -> None:
    rows = replace(parted(), unlabelled=table({"text": ["a card", "the rate"]}))
    change, spec = change_of({"kind": "pseudo", "confidence": 0.4})
    facts = {"made_by": spec.model_dump(mode="json"), "made_of": made_of(change, spec, rows)}
    best = judged(training(rows, name="best", facts=facts))
    assert replaced(best, rows) == ""
    for other in (None, table({"text": ["a card", "the fee"]})):
        assert "not what it was judged with" in replaced(best, replace(rows, unlabelled=other))


def test_the_files_of_what_is_tuned_are_those_of_the_tuned_one(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1")
    of = EncoderSpec(source=str(tmp_path))
    spec = TuneSpec(of=of)
    before = Tune().sources(spec)
    assert before == Encoder().sources(of)
    (tmp_path / "model.safetensors").write_bytes(b"2")
    assert Tune().sources(spec) != before


def test_the_row_change_of_the_winner_is_made_again(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows)
    assert changed({}, made) is made
    noisy = changed({"made_by": {"kind": "eda", "name": "noise"}}, made)
    none = np.zeros(0, np.int64)
    material = noisy.change(rows.parts.dev, held_out=none)
    assert not made.change(rows.parts.dev, held_out=none).texts
    assert len(material.texts) > 20
    assert not {*material.texts} & {*rows.texts(rows.parts.dev)}
    again = noisy.change(rows.parts.dev, held_out=none)
    assert [*again.texts] == [*material.texts], "the seed decides"
