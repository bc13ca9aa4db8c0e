"""Any metric of the valid rows after each epoch: what it may be, what it gives, and what is said where it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss
from tests.train import own_metrics

from ratchet.errors import MetricFailed, RatchetError, RecipeError
from ratchet.models.encoder import FittedEncoder
from ratchet.models.targets import Targets
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.sections import EncoderSpec
from ratchet.scores.business import score_of
from ratchet.train.encoder import GOALS as ENCODER
from ratchet.train.encoder import fit_encoder, require_trainable
from ratchet.train.finetune import ASKED, Asked, _asked_of, fit_decoder, require_tunable
from ratchet.train.language import GOALS as LANGUAGE
from ratchet.train.preference import GOALS as PREFERENCE
from ratchet.train.records import read_history
from ratchet.train.scoring import Scoring, without_value

Fit = Callable[..., FittedEncoder]
Rows = tuple[list[str], list[str]]
OWN = "tests.train.own_metrics"
LABELS = Targets.of_labels(["a", "b", "b", "a"])
WORDS = ["card", "rate", "refund", "fee", "post", "loan"]
ASKED_ROWS = Asked(texts=[f"say {one} now" for one in WORDS], answers=[one.upper() for one in WORDS])
SCRATCH = DecoderSpec(
    source="scratch", layers=1, width=32, heads=2, vocabulary=320, max_tokens=48, max_new_tokens=12, epochs=30, lr=1e-2
)


def test_a_metric_that_is_given_already_is_not_computed_twice() -> None:
    found = Scoring.of(
        ("last", "loss", "log_loss", f"{OWN}:wrong:min", "log_loss"), given=("loss", "accuracy"), right=LABELS
    )
    assert found.metrics == ("log_loss", f"{OWN}:wrong:min")
    assert found.goals == {"log_loss": -1, f"{OWN}:wrong:min": -1}
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    scores = found.scores(chances)
    assert scores["log_loss"] == pytest.approx(log_loss(LABELS.values, chances), rel=1e-6)
    assert scores[f"{OWN}:wrong:min"] == 1


@pytest.mark.parametrize(
    ("right", "name", "error"),
    [
        (LABELS, "rmse", "keep must be last or one of loss, accuracy, macro_f1, .* but got 'rmse'"),
        (LABELS.take(np.array([0])), "auc", "Before the first epoch, on right answers: .*both classes"),
        (LABELS, f"{OWN}:raises", "Before the first epoch, on right answers: .*own_metrics:raises' .*failed: KeyError"),
        (LABELS, f"{OWN}:nothing_here", "must be a function of"),
    ],
)
def test_what_cannot_choose_is_refused_before_anything_is_trained(right: Targets, name: str, error: str) -> None:
    with pytest.raises(RecipeError, match=error) as caught:
        Scoring.of((name,), given=("loss", "accuracy", "macro_f1"), right=right)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("targets", "name"),
    [
        (Targets.of_sets([{"x"}, {"x", "y"}, ()]), "micro_f1"),
        (Targets.of_values([1.0, 2.0, 4.0]), "rmse"),
        (Targets(kind="texts", names=("answer",), values=np.array(["the cat", "北京"], dtype=object)), "rouge_l"),
    ],
)
def test_right_answers_of_every_kind_are_best(targets: Targets, name: str) -> None:
    found = Scoring.of((name,), given=(), right=targets)
    right = targets.values.astype(np.float32) if targets.kind == "labels" else targets.values.reshape(-1, 1)
    assert found.scores(right) == {name: 0.0 if name == "rmse" else 1.0}


def test_what_is_only_told_beside_is_left_out_where_it_has_no_value() -> None:
    found = Scoring.of(("mcc",), beside=("auc", "mcc"), given=(), right=Targets.of_labels(["a", "b", "c"]))
    assert found.scores(np.eye(3)) == {"mcc": 1.0}
    assert Scoring.of((), beside=("auc",), given=(), right=LABELS).scores(np.eye(2)[LABELS.values]) == {"auc": 1.0}
    with pytest.raises(RecipeError, match="keep must be last or one of"):
        Scoring.of((), beside=("rmse",), given=(), right=LABELS)


@pytest.mark.parametrize(
    ("name", "right", "reason"),
    [
        ("auc", Targets.of_labels(["a", "b", "c"]), "must have two classes but got 3"),
        ("auc", LABELS.take(np.array([0])), "both classes"),
        ("r2", Targets.of_values([2.0, 2.0]), "must have targets that differ"),
        ("auc", LABELS, ""),
        ("r2", Targets.of_values([2.0, 3.0]), ""),
        ("loss", LABELS, ""),
        (f"{OWN}:raises", LABELS, ""),
    ],
)
def test_it_is_known_before_whether_a_metric_can_have_a_value(name: str, right: Targets, reason: str) -> None:
    found = without_value(name, right)
    assert (found is not None) == bool(reason)
    assert found is None or reason in found.problem


def test_the_gates_own_metrics_are_what_is_told_and_kept_by(
    tmp_path: Path, tiny_spec: EncoderSpec, train_rows: Rows, valid_rows: Rows
) -> None:
    names = tuple(sorted({*train_rows[1]}))
    few = [row for row, label in enumerate(valid_rows[1]) if label != names[0]][:5]  # a label is missing
    texts, labels = [valid_rows[0][row] for row in few], [valid_rows[1][row] for row in few]
    right = Targets.of_labels(labels, names=names)
    fitted = fit_encoder(
        *train_rows[:1], Targets.of_labels(train_rows[1], names=names), texts, right,
        spec=tiny_spec.model_copy(update={"keep": "macro_f1", "epochs": 3}),
        language="mixed", seed=1, threads=1, folder=tmp_path, metrics=("auc",),
    )  # fmt: skip
    records = read_history(tmp_path)
    told = records[fitted.facts["kept_epoch"] - 1].valid
    assert {*told} == {"loss", "accuracy", "macro_f1"}
    answers = fitted.predict(texts)
    assert told["macro_f1"] == pytest.approx(score_of("macro_f1", right, answers)[0])
    assert told["accuracy"] == pytest.approx((answers.argmax(axis=1) == right.values).mean())


@pytest.mark.parametrize("keep", [f"{OWN}:share_right", f"{OWN}:wrong:min", "mcc", "log_loss"])
def test_any_metric_chooses_the_epoch_and_patience_ends_the_training(
    tmp_path: Path, tiny_spec: EncoderSpec, valid_rows: Rows, keep: str
) -> None:
    names = tuple(sorted(set(valid_rows[1])))
    wrong = [*reversed(valid_rows[1])]  # what is learnt makes these rows worse and worse
    spec = tiny_spec.model_copy(update={"keep": keep, "patience": 2, "epochs": 8, "schedule": "constant"})
    fitted = fit_encoder(
        valid_rows[0], Targets.of_labels(valid_rows[1], names=names), valid_rows[0],
        Targets.of_labels(wrong, names=names), spec=spec, language="mixed", seed=1, threads=1, folder=tmp_path,
    )  # fmt: skip
    records = read_history(tmp_path)
    values = [record.valid[keep] for record in records]
    best = int(np.argmin(values) if keep.endswith(":min") or keep == "log_loss" else np.argmax(values))
    assert fitted.facts["kept_epoch"] == best + 1
    assert len(records) == min(best + 1 + 2, 8)
    given = np.array(fitted.labels)[fitted.predict(valid_rows[0]).argmax(axis=1)]
    if keep.startswith(OWN):
        assert getattr(own_metrics, keep.split(":")[1])(np.array(wrong), given) == pytest.approx(values[best])
    lines = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert [line[f"valid/{keep}"] for line in lines if f"valid/{keep}" in line] == pytest.approx(values)


def test_an_own_metric_reads_the_columns_beside_the_texts(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec, valid_rows: Rows
) -> None:
    size = np.array(["long" if len(text) > 40 else "short" for text in valid_rows[0]], dtype=object)
    spec = tiny_spec.model_copy(update={"keep": f"{OWN}:of_long"})
    fitted = fit_tiny(tmp_path, spec=spec, features={"size": size})
    record = read_history(tmp_path)[fitted.facts["kept_epoch"] - 1]
    given = np.array(fitted.labels)[fitted.predict(valid_rows[0]).argmax(axis=1)]
    assert record.valid[spec.keep] == pytest.approx((given == np.array(valid_rows[1]))[size == "long"].mean())


@pytest.mark.parametrize(
    ("name", "got"), [("nan_later", "returned nan"), ("text_later", "returned str"), ("raises_later", "ZeroDivision")]
)
def test_a_metric_that_fails_ends_the_training_with_its_name_and_the_epoch(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec, name: str, got: str
) -> None:
    own_metrics.CALLS.clear()
    spec = tiny_spec.model_copy(update={"keep": f"{OWN}:{name}"})
    with pytest.raises(MetricFailed, match=f"After epoch 2: The metric '{OWN}:{name}' .*{got}") as caught:
        fit_tiny(tmp_path, spec=spec)
    assert caught.value.next_step
    assert not (tmp_path / "model").exists()


def test_a_killed_training_with_an_own_metric_ends_with_the_same_bytes(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec
) -> None:
    spec = tiny_spec.model_copy(update={"keep": f"{OWN}:share_right"})
    whole = fit_tiny(tmp_path / "whole", spec=spec)

    def killed(now: object) -> None:
        if getattr(now, "epoch", 0) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_tiny(tmp_path / "again", spec=spec, progress=killed)
    again = fit_tiny(tmp_path / "again", spec=spec)
    assert again.facts["kept_epoch"] == whole.facts["kept_epoch"]
    weights = [(tmp_path / one / "model" / "model.safetensors").read_bytes() for one in ("whole", "again")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("keep", ["exact_match", f"{OWN}:letters"])
def test_a_generator_is_asked_and_its_answers_choose_the_epoch(tmp_path: Path, keep: str) -> None:
    own_metrics.CALLS.clear()
    spec = SCRATCH.model_copy(update={"keep": keep, "patience": 8})
    model = fit_decoder(ASKED_ROWS, ASKED_ROWS, spec=spec, language="en", seed=3, threads=1, folder=tmp_path)
    records = read_history(tmp_path)
    values = [record.valid[keep] for record in records]
    best = model.decoder.facts["kept_epoch"]
    assert best == int(np.argmax(values)) + 1
    assert len(records) == min(best + 8, 30)
    answers = model.predict(ASKED_ROWS.texts)[:, 0].tolist()
    own = own_metrics.letters(answers, ASKED_ROWS.answers)
    exact = [answer == right for answer, right in zip(answers, ASKED_ROWS.answers, strict=True)]
    assert values[best - 1] == pytest.approx(np.mean(exact if keep == "exact_match" else own))


def test_a_generator_that_chooses_among_labels_is_kept_by_their_probabilities(tmp_path: Path) -> None:
    rows = Asked(texts=[f"say {one} now" for one in WORDS], answers=["yes", "no"] * 3)
    spec = SCRATCH.model_copy(update={"keep": "log_loss", "epochs": 4, "max_tokens": 120})
    fit_decoder(rows, rows, spec=spec, choices=("no", "yes"), language="en", seed=3, threads=1, folder=tmp_path)
    assert all(record.valid["log_loss"] > 0 for record in read_history(tmp_path))


def test_a_generator_is_asked_about_so_many_rows_at_most(tmp_path: Path) -> None:
    own_metrics.CALLS.clear()
    valid = Asked(texts=["say card now"] * (ASKED + 30), answers=["CARD"] * (ASKED + 20) + [" "] * 10)
    spec = SCRATCH.model_copy(update={"keep": f"{OWN}:letters", "epochs": 2, "max_new_tokens": 3})
    fit_decoder(ASKED_ROWS, valid, spec=spec, language="en", seed=3, threads=1, folder=tmp_path)
    assert own_metrics.CALLS == [ASKED] * 3, "on right answers, and after each epoch"


def test_a_rare_label_is_among_the_rows_that_are_asked_about() -> None:
    labels = ["no"] * 5_000
    labels[4_321] = "yes"
    valid = Asked(texts=[f"row {row}" for row in range(5_000)], answers=labels)
    asked = _asked_of(valid, metrics=(), spec=SCRATCH.model_copy(update={"keep": "auc"}), choices=("no", "yes"), seed=3)
    assert len(asked.texts) == ASKED + 1
    assert "row 4321" in asked.texts
    assert len({*asked.texts}) == ASKED + 1


def test_an_edited_metric_is_another_training(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "edited_keep.py"
    module.write_text("def one(right, given):\n    return float((right == given).mean())\n")
    spec = tiny_spec.model_copy(update={"keep": "edited_keep:one", "epochs": 1})
    first = fit_tiny(tmp_path / "t", spec=spec)
    module.write_text("def one(right, given):\n    return float((right == given).sum())\n")
    second = fit_tiny(tmp_path / "t", spec=spec)
    assert first.facts["key"]["own_metrics"] != second.facts["key"]["own_metrics"]


@pytest.mark.parametrize(
    ("name", "error"), [("nomod:fn", "No module named"), (f"{OWN}:nofunc", "must be a function of")]
)
def test_one_that_cannot_be_imported_is_refused_before_any_row_is_read(name: str, error: str) -> None:
    for wanted in (name, f"{name}:min"):
        with pytest.raises(RecipeError, match=error):
            require_trainable(EncoderSpec(source="scratch", keep=wanted), kind="classes", language="en")
    with pytest.raises(RecipeError, match=error):
        require_tunable(DecoderSpec(source="scratch", keep=name), language="en", choices=())


def test_a_recipe_takes_a_goal_and_refuses_what_no_answer_tells() -> None:
    spec = EncoderSpec.model_validate({"keep": {"metric": f"{OWN}:wrong", "goal": "min"}})
    assert spec.keep == f"{OWN}:wrong:min"
    for name, goal in {
        **LANGUAGE,
        **PREFERENCE,
        **{key: one for each in ENCODER.values() for key, one in each.items()},
    }.items():
        right, wrong = ("max", "min") if goal > 0 else ("min", "max")
        assert EncoderSpec.model_validate({"keep": {"metric": name, "goal": right}}).keep == name
        with pytest.raises(ValueError, match=f"goal must be {right} for {name}, which is its own, but got '{wrong}'"):
            EncoderSpec.model_validate({"keep": {"metric": name, "goal": wrong}})
    with pytest.raises(ValueError, match="of the answers alone but got 'latency'"):
        EncoderSpec(keep="latency")
    with pytest.raises(ValueError, match="should be a metric"):
        EncoderSpec(keep="acuracy")
    with pytest.raises(RatchetError, match="keep must be last or one of"):
        Scoring.of(("exact_match",), given=(), right=LABELS)
