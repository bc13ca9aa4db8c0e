"""A tuned contender: what it is tuned on, what it is judged on, and what it leaves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Table
from tests.contenders.conftest import LABELS, TEXTS

from ratchet.contenders import folded
from ratchet.contenders.base import Contender
from ratchet.contenders.decoder import Decoder
from ratchet.contenders.encoder import Encoder
from ratchet.contenders.kind import Look, Training
from ratchet.contenders.linear import Blend, Linear
from ratchet.contenders.material import Material, held
from ratchet.contenders.nested import inner_parts
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.tune import TUNING, Tune
from ratchet.contenders.tune_spaces import usual_space
from ratchet.contenders.tuner import Tuner
from ratchet.errors import DataError, RatchetError, RecipeError
from ratchet.generators.decoder import build_decoder
from ratchet.generators.generators import Shape
from ratchet.models.model import Answers
from ratchet.prepare.parts import parts_of
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.sections import BlendSpec, EmbeddingSpec, EncoderSpec, LinearSpec, NearestSpec, Section
from ratchet.recipe.space import Range, require_space
from ratchet.recipe.tune import TuneSpec
from ratchet.tasks.registry import task_of
from ratchet.train import encoder as train_encoder
from ratchet.train.defaults import SCRATCH_RATE
from ratchet.train.finetune import ADAPTER_RATE, FULL_RATE
from ratchet.train.records import Progress
from ratchet.tuning.study import Pruned
from ratchet.workspace.finished import key_of

Parted, Trained = Callable[..., PartedRows], Callable[..., Training]
SPACE = {"C": Range(low=0.01, high=30, log=True)}
SPEC = TuneSpec(of=LinearSpec(), space=SPACE, trials=4, folds=2)


def trained(spec: TuneSpec, made: Training, name: str = "mine") -> Contender:
    folder = made.store / name
    folder.mkdir(parents=True, exist_ok=True)
    Tune().train(folder, spec, made)
    return Contender.load(folder)


def test_each_fold_is_the_model_of_its_own_study(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows, kind="tune")
    found = trained(SPEC, made)
    record = json.loads((found.folder / TUNING).read_bytes())
    assert (len(record["studies"]), record["folds"]) == (5, [0, 1, 2, 3, 4])
    assert (found.facts["trials"], found.ref.trials) == (4, 4)
    assert found.card["runtime"] == "linear"
    for fold, study in enumerate(record["studies"]):
        seen, out = held(rows, fold)
        chosen = study["trials"][study["best"]]["values"]["C"]
        spec = Linear().resolve(LinearSpec(), rows).model_copy(update={"C": chosen})
        alone = Linear().fit(spec, Material(rows=seen), replace(made, seed=made.seed + fold))
        places, answers = found.predictions(rows, out)
        assert places.tolist() == out.tolist()
        np.testing.assert_allclose(answers, alone.predict(rows.inputs(out)), atol=1e-5)
        assert found.fold_model(fold).is_dir()
    said = " ".join(found.facts["said"])
    assert "tuned by accuracy in C 0.01 to 30, log" in said
    assert "4 trials in each of 5 studies, all inside the training rows" in said


def test_no_trial_sees_a_row_that_it_is_judged_on(
    parted: Parted, training: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, touched = parted(), list[set[int]]()
    plain = Linear.tried

    def tried(self: Linear, spec: LinearSpec, inner: Training) -> Answers:
        parts = inner.rows.parts
        assert not {*parts.train.tolist()} & {*parts.valid.tolist()}
        touched[-1] |= {*parts.dev.tolist()}
        return plain(self, spec, inner)

    monkeypatch.setattr(Linear, "tried", tried)
    for fold in range(5):
        touched.append(set())
        trained(SPEC, training(rows, kind="tune", folds=(fold,)), name=f"fold-{fold}")
        assert touched[-1] == {*held(rows, fold)[0].tolist()}, "all rows outside of the fold, and none of it"
    assert not set.union(*touched) & {*rows.parts.test.tolist()}


def test_a_study_does_not_know_the_labels_of_its_fold(parted: Parted, training: Trained) -> None:
    rows = parted()
    _, out = held(rows, 0)
    other = [LABELS[(row + 1) % len(LABELS)] if row in {*out.tolist()} else label for row, label in enumerate(LABELS)]
    changed = parted(cells=other, key="others")
    one = trained(SPEC, training(rows, kind="tune", folds=(0,)), name="one")
    two = trained(SPEC, training(changed, name="other", kind="tune", folds=(0,)), name="two")
    studies = [json.loads((each.folder / TUNING).read_bytes())["studies"][0]["trials"] for each in (one, two)]
    assert [t["score"] for t in studies[0]] == [t["score"] for t in studies[1]]


def test_what_is_there_is_not_tried_again(parted: Parted, training: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = parted()
    first = trained(SPEC, training(rows, kind="tune"))

    def never(*_: object) -> None:
        raise AssertionError("a trial ran")

    monkeypatch.setattr(Linear, "tried", never)

    def upper(seen: Ints, *, held_out: Ints) -> Material:
        texts = [text.upper() for text in rows.texts(seen)]
        return Material(rows=seen, texts=texts, labels=rows.names(seen), counts={"augmented": len(texts)})

    spec = TuneSpec.model_validate(first.card["spec"])
    changed = trained(spec, training(rows, name="upper", kind="upper", change=upper), name="upper")
    assert changed.facts["chosen"] == first.facts["chosen"], "a row change is tuned as the champion that it changes"
    assert changed.facts["augmented"] == 4 * len(rows.parts.dev)


@pytest.mark.parametrize("where", ["of", "space"])
@pytest.mark.parametrize("edited", ["corpus", "weights", "metric"])
def test_what_its_settings_name_names_it_and_its_studies(
    parted: Parted,
    training: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    edited: str,
) -> None:
    (tmp_path / "base").mkdir()
    files = {"corpus": "notes.txt", "weights": "base/model.safetensors", "metric": "my_keep.py"}
    for name in files.values():
        (tmp_path / name).write_text("def good(right, given): return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_keep", raising=False)
    corpus = str(tmp_path / "notes.txt")
    choices: dict[str, Any] = {
        "corpus": ("pretrain", {"corpus": [corpus]}, "pretrain.corpus", [corpus]),
        "weights": ("source", str(tmp_path / "base"), "source", str(tmp_path / "base")),
        "metric": ("keep", "my_keep:good", "keep", "my_keep:good"),
    }
    at, value, key, choice = choices[edited]
    # the metric of the study is not the edited one, and pretraining is of models that begin from nothing
    of = {"kind": "decoder", **({at: value} if where == "of" else {"pretrain": {}} if edited == "corpus" else {})}
    of.setdefault("source", "scratch")
    space = {key: [choice]} if where == "space" else {"lr": [0.1, 0.2]}
    spec = TuneSpec.model_validate({"kind": "tune", "of": of, "space": space, "metric": "exact_match", "folds": 2})
    made = training(parted("generation", LABELS), kind="tune")
    seen = made.rows.parts.dev

    def names() -> tuple[str, str]:
        return key_of(Tune().named_by(spec)), Tuner.of(Decoder(), spec, made, seen).key

    before = names()
    assert names() == before
    (tmp_path / files[edited]).write_text("def good(right, given): return 2.0\n")
    assert not {*names()} & {*before}


def test_the_served_model_is_tuned_on_all_rows(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows, kind="tune")
    (made.store / "served").mkdir(parents=True)
    Tune().refit(made.store / "served", SPEC, made)
    found = Contender.load(made.store / "served")
    assert found.card["spec"]["kind"] == "linear"
    assert found.card["spec"]["C"] == found.facts["chosen"][0]["C"]
    assert len(found.facts["chosen"]) == 1
    assert found.model(threads=1).predict(["my card did not arrive"]).shape == (1, len(rows.labels))


def test_further_seeds_share_the_study(parted: Parted, training: Trained) -> None:
    made = training(parted(), kind="tune", folds=(0, 1), seeds=2)
    found = trained(SPEC, made)
    assert found.facts["seeds"] == 2
    assert np.load(found.folder / "seeds.npy").shape == (1, *found.answers.shape)
    assert len([*(made.store / "studies").glob("*.log")]) == 2


@pytest.mark.parametrize(
    ("of", "space", "error"),
    [
        (NearestSpec(), {"low": (1, 2)}, "must be for classification but nearest is for generation"),
        (
            LinearSpec(),
            {"features.0.low": (4,), "features.0.high": (3,)},
            "all failed, the first by: .*must be at least low",
        ),
    ],
)
def test_what_cannot_be_tuned_is_one_sentence(
    parted: Parted, training: Trained, of: Section, space: dict[str, tuple[int, ...]], error: str
) -> None:
    spec = TuneSpec(of=of, space={key: Range(choices=choices) for key, choices in space.items()}, trials=2)
    with pytest.raises(RatchetError, match=error):
        trained(spec, training(parted(), kind="tune"))


@pytest.mark.parametrize(
    "base",
    [
        LinearSpec(),
        EmbeddingSpec(),
        EncoderSpec(),
        EncoderSpec(source="scratch"),
        BlendSpec(),
        DecoderSpec(),
        DecoderSpec(source="scratch"),
        DecoderSpec(source="a/directory"),
        DecoderSpec(source="a/directory", tuning="freeze"),
        DecoderSpec(source="a/directory", tuning="dora", rejected="worse"),
    ],
    ids=repr,
)
def test_the_usual_spaces_are_right(parted: Parted, base: Section) -> None:
    rows = parted()
    settled = Blend().resolve(base, rows) if isinstance(base, BlendSpec) else base
    space = usual_space(settled, rows)
    assert space
    require_space(settled, space)
    with pytest.raises(RecipeError, match="has no usual space"):
        usual_space(NearestSpec(), rows)


def test_the_usual_space_of_a_generator_is_about_what_is_trained(parted: Parted) -> None:
    rows = parted("generation", LABELS)
    scratch = usual_space(DecoderSpec(source="scratch"), rows)
    adapter = usual_space(DecoderSpec(source="a/directory"), rows)
    frozen = usual_space(DecoderSpec(source="a/directory", tuning="freeze"), rows)
    preferring = usual_space(DecoderSpec(source="a/directory", rejected="worse"), rows)
    assert {*scratch} == {"lr", "epochs"}
    assert {*adapter} == {"lr", "epochs", "rank", "dropout"}
    assert {*frozen} == {"lr", "epochs", "trained_layers"}
    assert {*preferring} == {*adapter, "beta"}
    for space, usual in ((scratch, SCRATCH_RATE), (adapter, ADAPTER_RATE), (frozen, FULL_RATE)):
        low, high = space["lr"].low, space["lr"].high
        assert low is not None
        assert high is not None
        assert low < usual < high, "what is taken where nobody says a rate is inside"
    assert preferring["lr"].high == pytest.approx(0.1 * (adapter["lr"].high or 0))


def test_a_generator_is_tuned_end_to_end(parted: Parted, training: Trained) -> None:
    replies = [f"see {label}" for label in LABELS[:60]]
    of = DecoderSpec(
        source="scratch", layers=1, width=32, heads=2, vocabulary=400, max_tokens=96, max_new_tokens=8, epochs=1
    )
    made = training(parted("generation", replies), kind="tune", folds=(0,))
    spec = TuneSpec(of=of, space={"lr": usual_space(of, made.rows)["lr"]}, trials=2, folds=2)
    found = trained(spec, made)
    record = json.loads((found.folder / TUNING).read_bytes())
    assert ({*record["space"]}, record["metric"]) == ({"lr"}, made.rows.task.metrics[0])
    (study,) = record["studies"]
    assert [trial["state"] for trial in study["trials"]] == ["complete", "complete"]
    assert found.card["runtime"] == "decoder"
    model = found.model(threads=1)
    assert model.predict(made.rows.texts(found.rows)).tolist() == found.answers.tolist()
    assert {path.name for path in made.store.iterdir()} == {"mine", "studies", "mine-key.fold-0"}


@pytest.mark.slow
def test_an_adapter_is_tuned_end_to_end(parted: Parted, training: Trained, tmp_path: Path) -> None:
    replies = [f"see {label}" for label in LABELS[:60]]
    shape = Shape(layers=1, width=32, heads=2, vocabulary=400)
    base = build_decoder("scratch", texts=replies, max_tokens=96, max_new_tokens=8, shape=shape, seed=2)
    base.save(tmp_path / "generator")
    of = DecoderSpec(source=str(tmp_path / "generator"), max_tokens=96, max_new_tokens=8)
    made = training(parted("generation", replies), kind="tune", folds=(0,))
    found = trained(TuneSpec(of=of, trials=3, folds=2), made)
    assert found.facts["chosen"][0]["rank"] in (4, 8, 16, 32, 64)
    assert (found.folder / "model" / "adapter").is_dir()
    (made.store / "served").mkdir()
    Tune().refit(made.store / "served", TuneSpec(of=of, trials=3, folds=2), made)
    assert Contender.load(made.store / "served").card["spec"]["rank"] in (4, 8, 16, 32, 64)


@pytest.mark.parametrize(("task", "cells"), [("regression", [str(len(text)) for text in TEXTS]), ("multilabel", None)])
def test_other_tasks_are_tuned_by_their_own_metric(parted: Parted, training: Trained, task: str, cells: Any) -> None:
    rows = parted(task, cells or [f'["{label}"]' for label in LABELS])
    found = trained(SPEC, training(rows, kind="tune", folds=(0,)))
    record = json.loads((found.folder / TUNING).read_bytes())
    assert record["metric"] == rows.task.metrics[0]
    assert found.answers.shape == (len(rows.parts.valid), len(rows.labels))


def test_inner_folds_keep_together_what_belongs_together(parted: Parted) -> None:
    rows = parted()
    unit = np.arange(len(rows.dataset)) // 3
    rows = replace(rows, parts=replace(rows.parts, unit=unit))
    seen, _ = held(rows, 1)
    parts = inner_parts(rows, seen, count=3, seed=1)
    assert len(parts) == 3
    assert sorted(np.concatenate([one.parts.valid for one in parts]).tolist()) == sorted(seen.tolist())
    for one in parts:
        assert not {*unit[one.parts.train]} & {*unit[one.parts.valid]}
        assert {*one.parts.dev.tolist()} == {*seen.tolist()}
        assert one.corpus is parts[0].corpus, "n-grams are counted once for all trials of a study"
    with pytest.raises(DataError, match="must form at least two folds but belong together"):
        inner_parts(replace(rows, parts=replace(rows.parts, unit=np.zeros_like(unit))), seen, count=3, seed=1)


def test_in_time_order_every_inner_fold_is_later_than_what_it_is_predicted_from(table: Table) -> None:
    times = [f"2024-{1 + row // 25:02}-{1 + row % 25:02}" for row in range(len(TEXTS))]
    dataset = table({"text": TEXTS, "label": LABELS, "time": times}, time="time")
    fold = np.where(np.arange(len(dataset)) < 120, 1, np.where(np.arange(len(dataset)) < 150, 0, -1))
    parts = parts_of(dataset, fold, order="time", unit=np.arange(len(dataset)) % 170)
    task = task_of("classification")
    rows = PartedRows(dataset=dataset, parts=parts, language="en", seal="", key="k", task=task)
    inner = inner_parts(rows, parts.train, count=3, seed=1)
    assert len(inner) == 3
    for one in inner:
        assert one.parts.train.max() < one.parts.valid.min()
        assert one.parts.valid.max() < 120
    sizes = [len(one.parts.valid) for one in inner]
    assert sizes == [30, 30, 30]


def test_trials_of_an_encoder_are_numbered_and_leave_nothing(
    parted: Parted, training: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = EncoderSpec(source="scratch", layers=1, width=16, heads=2, vocabulary=100, max_tokens=16, epochs=1, lr=1e-2)
    spec = TuneSpec(of=of, space={"dropout": Range(choices=(0.0, 0.2))}, trials=2, folds=2)
    told, named = list[tuple[int, int, str]](), list[str]()
    fit = train_encoder.fit_encoder

    def noted(*args: Any, **how: Any) -> Any:
        named.append(how["watching"].name)
        return fit(*args, **how)

    monkeypatch.setattr(train_encoder, "fit_encoder", noted)
    made = training(parted(), kind="tune", folds=(0,))
    made = replace(made, advance=lambda done, total, text: told.append((done, total, text)))
    found = trained(spec, made)
    words = [text for _, _, text in told]
    for trial, part in ((1, 1), (1, 2), (2, 1), (2, 2)):
        assert f"fold 1 of 1: trial {trial} of 2, part {part} of 2" in words
        assert [
            one for one in words if one.startswith(f"fold 1 of 1: trial {trial} of 2, part {part} of 2: fold 0 epoch 1")
        ]
    assert {(done, total) for done, total, text in told if ": trial 2 of 2" in text} == {(1, 2)}
    assert named[:4] == [f"fold 1 of 1, trial {trial} of 2 fold 0" for trial in (1, 1, 2, 2)]
    assert found.card["runtime"] == "onnx"
    assert found.facts["chance"] is True
    assert {path.name for path in made.store.iterdir()} == {"mine", "studies", "mine-key.fold-0"}


@pytest.mark.slow
def test_a_hopeless_trial_of_an_encoder_ends_between_two_epochs_also_after_a_kill(
    parted: Parted, training: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = EncoderSpec(source="scratch", layers=1, width=16, heads=2, vocabulary=100, max_tokens=16, epochs=4, lr=3e-2)
    space = {"lr": Range(choices=(3e-2, 1e-9)), "epochs": Range(choices=(4, 6))}
    spec = TuneSpec(of=of, space=space, trials=9, folds=2)
    whole = training(parted(), kind="tune", folds=(0,))
    quiet = json.loads((trained(spec, whole).folder / TUNING).read_bytes())["studies"][0]
    pruned = [trial for trial in quiet["trials"] if trial["state"] == "pruned"]
    assert pruned
    assert all(trial["values"]["lr"] == 1e-9 for trial in pruned)
    assert quiet["trials"][quiet["best"]]["values"]["lr"] == 3e-2
    calls, plain = [0], folded.follow

    def dies(now: Progress, *, training: Training, about: str) -> None:
        calls[0] += bool(now.valid)
        if calls[0] == 7:
            raise KeyboardInterrupt
        plain(now, training=training, about=about)

    again = replace(whole, store=whole.store.parent / "again", key="again-key")
    monkeypatch.setattr("ratchet.contenders.encoder.follow", dies)
    with pytest.raises(KeyboardInterrupt):
        trained(spec, again)
    monkeypatch.undo()
    found = json.loads((trained(spec, again).folder / TUNING).read_bytes())["studies"][0]
    known = [[{**trial, "seconds": 0} for trial in one["trials"]] for one in (quiet, found)]
    assert known[0] == known[1]
    assert {path.name for path in again.store.iterdir()} == {"mine", "studies", "again-key.fold-0"}


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_who_looks_at_a_training_may_end_it_and_nothing_is_left(parted: Parted, training: Trained, kind: str) -> None:
    tiny = {
        "source": "scratch",
        "layers": 1,
        "width": 16,
        "heads": 2,
        "vocabulary": 400,
        "max_tokens": 192,
        "epochs": 4,
    }
    shares: list[float] = []

    def reached(share: float, score: float) -> None:
        shares.append(share)
        assert score < 0, "less of it is better"
        if share >= 0.5:
            raise Pruned(score)

    made = training(parted(cells=LABELS[:60]), kind=kind)
    rows = made.rows.apart(made.rows.parts.train, made.rows.parts.valid)
    looked = replace(made, rows=rows, look=Look(metric="log_loss", reached=reached))
    learner, spec = (Encoder(), EncoderSpec(**tiny)) if kind == "encoder" else (Decoder(), DecoderSpec(**tiny))  # type: ignore[arg-type]
    with pytest.raises(Pruned):
        learner.tried(spec, looked)  # type: ignore[arg-type]
    assert shares == [0.25, 0.5]
    assert not [*made.store.iterdir()]
