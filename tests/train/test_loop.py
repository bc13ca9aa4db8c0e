from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.errors import ExtraMissing, RatchetError, RecipeError, WorkspaceError
from ratchet.models.encoder import FittedEncoder
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.encoder import fit_encoder
from ratchet.train.records import Progress, read_history

Rows = tuple[list[str], list[str]]
Fit = Callable[..., FittedEncoder]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stop_at(step: int) -> Callable[[Progress], None]:
    def progress(now: Progress) -> None:
        if now.step == step:
            raise KeyboardInterrupt

    return progress


def test_it_learns_and_tells_how(tmp_path: Path, fit_tiny: Fit, valid_rows: Rows) -> None:
    seen: list[Progress] = []
    fitted = fit_tiny(tmp_path, progress=seen.append)
    chances = fitted.predict(valid_rows[0])
    found = [fitted.labels[column] for column in chances.argmax(axis=1)]
    accuracy = np.mean([a == b for a, b in zip(found, valid_rows[1], strict=True)])
    records = read_history(tmp_path)
    assert accuracy > 0.9
    assert records[-1].valid_accuracy == pytest.approx(accuracy)
    assert [record.epoch for record in records] == [1, 2, 3]
    assert records[-1].train_loss < records[0].train_loss
    assert all(0 <= record.padding < 0.2 and record.tokens_per_second > 0 for record in records)
    assert [now.step for now in seen if not now.valid] == list(range(1, seen[-1].steps + 1))
    ends = np.cumsum([record.steps for record in records]).tolist()
    assert [(now.step, now.valid) for now in seen if now.valid] == [
        (end, record.valid) for end, record in zip(ends, records, strict=True)
    ], "and once more after each epoch"
    assert seen[-1].steps == sum(record.steps for record in records)
    assert seen[-1].epoch == 3
    assert not (tmp_path / "checkpoints").exists()
    assert (fitted.facts["epochs"], fitted.facts["kept_epoch"]) == (3, 3)
    assert fitted.facts["precision"].startswith("float32: ")


def test_the_same_inputs_give_the_same_bytes_and_another_seed_others(tmp_path: Path, fit_tiny: Fit) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        fit_tiny(tmp_path / name, seed=seed)
    one, same, other = (contents(tmp_path / name / "model") for name in ("one", "same", "other"))
    assert one == same
    assert one["model.safetensors"] != other["model.safetensors"]


@pytest.mark.parametrize("keep", ["last", "loss"])
def test_an_interrupted_training_goes_on_to_the_same_bytes(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec, keep: str
) -> None:
    spec = tiny_spec.model_copy(update={"keep": keep})
    fit_tiny(tmp_path / "whole", spec=spec)
    steps = read_history(tmp_path / "whole")[0].steps
    with pytest.raises(KeyboardInterrupt):
        fit_tiny(tmp_path / "cut", spec=spec, progress=stop_at(steps + 3))
    there = sorted(path.name for path in (tmp_path / "cut" / "checkpoints").iterdir())
    assert there[-1] == f"step-{steps + 3:08d}", "an interrupted training writes a checkpoint where it stands"
    assert not (tmp_path / "cut" / "model").exists()
    seen: list[Progress] = []
    fit_tiny(tmp_path / "cut", spec=spec, progress=seen.append)
    assert seen[0].step == steps + 4
    assert contents(tmp_path / "cut" / "model") == contents(tmp_path / "whole" / "model")
    lines = [json.loads(line) for line in (tmp_path / "cut" / "steps.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["step"] for line in lines if "train/loss" in line]
    assert losses == list(range(seen[-1].steps)), "each step is recorded once"


def test_a_checkpoint_of_other_inputs_is_refused_with_what_differs(tmp_path: Path, fit_tiny: Fit) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit_tiny(tmp_path, seed=1, progress=stop_at(30))
    with pytest.raises(WorkspaceError, match=r"another one \(seed: 1 then, 2 now\)"):
        fit_tiny(tmp_path, seed=2)


def test_a_finished_training_is_loaded_and_not_repeated(tmp_path: Path, fit_tiny: Fit, valid_rows: Rows) -> None:
    one = fit_tiny(tmp_path)
    again = fit_tiny(tmp_path, progress=stop_at(1))
    assert np.array_equal(one.predict(valid_rows[0]), again.predict(valid_rows[0]))


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec) -> None:
    with pytest.raises(RatchetError, match=r"must be finite but got \S+ .*at step \d+, epoch 1") as caught:
        fit_tiny(tmp_path, spec=tiny_spec.model_copy(update={"lr": 1e30}))
    assert "Lower lr" in caught.value.next_step
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("keep", ["loss", "accuracy"])
def test_the_best_epoch_is_kept_and_patience_ends_the_training(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec, valid_rows: Rows, keep: str
) -> None:
    wrong = (valid_rows[0], list(reversed(valid_rows[1])))  # what is learnt makes these rows worse and worse
    labels = tuple(sorted(set(valid_rows[1])))
    spec = tiny_spec.model_copy(update={"keep": keep, "patience": 2, "epochs": 8, "schedule": "constant"})
    fitted = fit_encoder(
        valid_rows[0], Targets.of_labels(valid_rows[1], names=labels), wrong[0],
        Targets.of_labels(wrong[1], names=labels), spec=spec, language="mixed", seed=1, threads=1, folder=tmp_path,
    )  # fmt: skip
    records = read_history(tmp_path)
    score = [record.valid_loss if keep == "loss" else -(record.valid_accuracy or 0) for record in records]
    best = int(np.argmin(score))
    assert fitted.facts["kept_epoch"] == best + 1
    assert len(records) == min(best + 1 + 2, 8)
    right = np.array([fitted.labels.index(label) for label in wrong[1]])
    chances = fitted.predict(wrong[0])
    assert float((chances.argmax(axis=1) == right).mean()) == pytest.approx(records[best].valid_accuracy)


def test_without_valid_rows_nothing_is_validated(tmp_path: Path, tiny_spec: EncoderSpec, train_rows: Rows) -> None:
    right = Targets.of_labels(train_rows[1])
    none = right.take(np.zeros(0, np.int64))
    fit_encoder(train_rows[0], right, [], none, spec=tiny_spec, language="mixed", seed=1, threads=1, folder=tmp_path)
    assert [record.valid_loss for record in read_history(tmp_path)] == [None, None, None]


@pytest.mark.parametrize(
    ("texts", "names", "labels", "problem"),
    [
        ([], [], ["a", "b"], "at least one row"),
        (["x"], ["a", "b"], ["a", "b"], "1 texts and 2 labels"),
        (["x", "y"], ["a", "a"], ["a"], "at least two labels"),
    ],
)
def test_rows_that_cannot_be_trained_are_told(
    tmp_path: Path, tiny_spec: EncoderSpec, texts: list[str], names: list[str], labels: list[str], problem: str
) -> None:
    right = Targets.of_labels(names, names=tuple(labels))
    none = right.take(np.zeros(0, np.int64))
    with pytest.raises(RatchetError, match=problem):
        fit_encoder(texts, right, [], none, spec=tiny_spec, language="en", seed=1, threads=1, folder=tmp_path)


def test_torch_is_left_as_it_was(tmp_path: Path, fit_tiny: Fit) -> None:
    import torch

    torch.manual_seed(11)
    wanted = torch.rand(2)
    torch.manual_seed(11)
    threads = torch.get_num_threads()
    fit_tiny(tmp_path)
    assert torch.equal(torch.rand(2), wanted)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == threads


KILLED = """
import os, signal, sys
from pathlib import Path
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.encoder import fit_encoder
texts = [f"{word} {n % 7} {n % 3}" for n in range(120) for word in ("good", "bad")]
spec = EncoderSpec(source="scratch", layers=1, width=32, heads=2, vocabulary=99, max_tokens=8, epochs=3, batch_tokens=99)
def progress(now):
    if now.step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
right = Targets.of_labels(["good", "bad"] * 120)
import numpy as np
fit_encoder(texts, right, texts[:9], right.take(np.arange(9)), spec=spec,
            language="en", seed=3, threads=1, folder=Path(sys.argv[1]), progress=progress)
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    def run(folder: str, step: int) -> int:
        return subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / folder), str(step)], check=False).returncode

    assert run("whole", 0) == 0
    steps = [record.steps for record in read_history(tmp_path / "whole")]
    for step in (steps[0], steps[0] + 1, steps[0] + steps[1] + 2):
        assert run("cut", step) == -signal.SIGKILL
    assert run("cut", 0) == 0
    assert contents(tmp_path / "cut" / "model") == contents(tmp_path / "whole" / "model")


ENVIRONMENT = """
import os, sys
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train import encoder as loop
class Stop(Exception): pass
def stop(*_, **__):
    assert "torch" not in sys.modules, "torch was imported before its environment was set"
    raise Stop
loop.locate = stop
try:
    right = Targets.of_labels(["a", "b"])
    loop.fit_encoder(["a", "b"], right, ["a", "b"], right, spec=EncoderSpec(), language="en", seed=1, threads=1, folder=None)
except Stop:
    print(os.environ["OMP_WAIT_POLICY"], os.environ["HF_HUB_OFFLINE"])
"""


def test_the_environment_is_set_before_torch_is_imported() -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "HF_HUB_OFFLINE")
    }
    done = subprocess.run(
        [sys.executable, "-c", ENVIRONMENT],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert done.stdout.split() == ["PASSIVE", "1"]


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fit_tiny: Fit) -> None:
    from ratchet.models import encoder as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"ratchetml\[train\]"):
        fit_tiny(tmp_path)


def test_a_rate_that_is_too_high_goes_back_and_on_with_half_of_it(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ratchet.train import encoder

    loss, spoilt = encoder.RowObjective.loss, {"calls": 0}

    def broken(self: encoder.RowObjective, rows: np.ndarray) -> object:
        spoilt["calls"] += 1
        return loss(self, rows) * (float("nan") if spoilt["calls"] == 30 else 1.0)

    monkeypatch.setattr(encoder.RowObjective, "loss", broken)
    seen: list[Progress] = []
    fitted = fit_tiny(
        tmp_path, spec=tiny_spec.model_copy(update={"schedule": "constant", "warmup": 0.0}), progress=seen.append
    )
    steps = read_history(tmp_path)[0].steps
    assert len(fitted.facts["notes"]) == 1
    assert "must be finite but got nan" in fitted.facts["notes"][0]
    assert "0.5 times the rate" in fitted.facts["notes"][0]
    again = seen.index(
        next(now for before, now in itertools.pairwise(seen) if now.step <= before.step and not now.valid)
    )
    assert seen[again].step - 1 == (30 // steps) * steps, "from the start of the epoch"
    assert {now.rate for now in seen[again:]} == {seen[0].rate / 2}
    lines = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["step"] for line in lines if "train/loss" in line]
    assert losses == list(range(seen[-1].steps)), "each step is recorded once"


@pytest.mark.parametrize(
    "more",
    [
        {"ema": 0.9},
        {"accumulate": 3},
        {"unfreeze": "gradual"},
        {"unfreeze": "head_first", "layer_decay": 0.5},
        {"schedule": "wsd", "keep": "macro_f1", "ema": 0.5},
        {"gradient_checkpointing": True},
        {"precision": "bf16"},
        {"precision": "bf16", "frozen_layers": 1},
        {"class_weights": "balanced", "focal": 2.0},
    ],
)
def test_whatever_is_trained_goes_on_to_the_same_bytes(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec, more: dict[str, object]
) -> None:
    spec = EncoderSpec.model_validate({**tiny_spec.model_dump(), "layers": 2, "epochs": 3, **more})
    fit_tiny(tmp_path / "whole", spec=spec)
    records = read_history(tmp_path / "whole")
    for stop in (2, records[0].steps, records[0].steps + 2, records[0].steps + records[1].steps + 1):
        with pytest.raises(KeyboardInterrupt):
            fit_tiny(tmp_path / "cut", spec=spec, progress=stop_at(stop))
    fit_tiny(tmp_path / "cut", spec=spec)
    assert contents(tmp_path / "cut" / "model") == contents(tmp_path / "whole" / "model")
    resumed = read_history(tmp_path / "cut")
    assert [(r.train_loss, r.valid) for r in resumed] == [(r.train_loss, r.valid) for r in records]


def test_what_waits_is_not_trained_yet(tmp_path: Path, tiny_spec: EncoderSpec, train_rows: Rows) -> None:
    from ratchet.models.encoder import build_encoder
    from ratchet.train.optimizer import hold_back

    how = EncoderSpec.model_validate({**tiny_spec.model_dump(), "layers": 2, "unfreeze": "gradual"})
    network = build_encoder(how, labels=["a", "b"], language="en", texts=train_rows[0], seed=1).network
    trained = []
    for epoch in range(4):
        hold_back(network.stages(), spec=how, epoch=epoch)
        trained.append([any(w.requires_grad for w in stage.parameters()) for stage in network.stages()])
    assert trained == [
        [False, False, False, True],
        [False, False, True, True],
        [False, True, True, True],
        [True, True, True, True],
    ]


def test_a_metric_that_there_is_not_cannot_choose_the_epoch(
    tmp_path: Path, fit_tiny: Fit, tiny_spec: EncoderSpec
) -> None:
    with pytest.raises(RecipeError, match=r"one of loss, accuracy, macro_f1, .* but got 'mae'"):
        fit_tiny(tmp_path, spec=tiny_spec.model_copy(update={"keep": "mae"}))


def test_one_process_trains_in_a_folder(tmp_path: Path, fit_tiny: Fit) -> None:
    from ratchet.workspace.workspace import Workspace

    with Workspace(tmp_path).lock(), pytest.raises(WorkspaceError, match=f"process {os.getpid()}"):
        fit_tiny(tmp_path)


def test_ctrl_c_ends_after_a_whole_step_with_a_checkpoint(tmp_path: Path, fit_tiny: Fit) -> None:
    seen: list[Progress] = []

    def interrupt(now: Progress) -> None:
        seen.append(now)
        if now.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit_tiny(tmp_path / "cut", progress=interrupt)
    assert seen[-1].step == 5
    fit_tiny(tmp_path / "cut")
    fit_tiny(tmp_path / "whole")
    assert contents(tmp_path / "cut" / "model") == contents(tmp_path / "whole" / "model")


def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(
    tmp_path: Path, fit_tiny: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from ratchet.train import checkpoint

    write, calls = checkpoint.save_json, {"n": 0}

    def full(path: Path, value: object) -> None:
        calls["n"] += 1
        if calls["n"] == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, value)

    monkeypatch.setattr(checkpoint, "save_json", full)
    with pytest.raises(WorkspaceError, match="full"):
        fit_tiny(tmp_path / "cut")
    assert [path.name for path in (tmp_path / "cut" / "checkpoints").iterdir()] == ["step-00000000"]
    fit_tiny(tmp_path / "cut")
    fit_tiny(tmp_path / "whole")
    assert contents(tmp_path / "cut" / "model") == contents(tmp_path / "whole" / "model")


def test_a_training_that_an_alert_ended_stays_ended_until_the_alert_is_changed(tmp_path: Path, fit_tiny: Fit) -> None:
    from ratchet.monitoring.alerts import Stopped
    from ratchet.monitoring.watching import Watching
    from ratchet.recipe.watch import AlertSpec

    stop = AlertSpec(metric="train/loss", above=1e-9, action="stop", times=3)
    for _ in range(3):
        with pytest.raises(Stopped, match="at step 3"):
            fit_tiny(tmp_path / "cut", watching=Watching(alerts=(stop,)))
    fit_tiny(tmp_path / "cut", watching=Watching(alerts=(stop.model_copy(update={"above": 99.0}),)))
    fit_tiny(tmp_path / "whole")
    assert contents(tmp_path / "cut" / "model") == contents(tmp_path / "whole" / "model")


def test_what_a_checkpoint_has_done_is_told_before_it(
    tmp_path: Path, fit_tiny: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ratchet.train import loop

    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    missing: list[int] = []

    def look(now: Progress) -> None:  # as a process that is killed here would leave it
        saved = max(int(path.name[5:]) for path in (tmp_path / "checkpoints").glob("step-*"))
        lines = (tmp_path / "steps.jsonl").read_text(encoding="utf-8").splitlines()
        told = {json.loads(line)["step"] for line in lines}
        missing.extend(set(range(saved)) - told)
        assert saved >= now.step - 1

    fit_tiny(tmp_path, progress=look)
    assert missing == []


def test_a_damaged_checkpoint_of_the_best_epoch_costs_epochs_but_no_byte(
    tmp_path: Path, tiny_spec: EncoderSpec, valid_rows: Rows
) -> None:
    spec = tiny_spec.model_copy(update={"keep": "loss", "epochs": 5})
    right = Targets.of_labels(valid_rows[1])
    wrong = Targets.of_labels(list(reversed(valid_rows[1])))  # what is learnt makes these rows worse and worse

    def train(name: str, progress: Callable[[Progress], None] | None = None) -> FittedEncoder:
        how = {"language": "mixed", "seed": 1, "threads": 1, "folder": tmp_path / name, "progress": progress}
        return fit_encoder(valid_rows[0], right, valid_rows[0], wrong, spec=spec, **how)  # type: ignore[arg-type]

    whole = train("whole")
    steps = read_history(tmp_path / "whole")[0].steps
    assert whole.facts["kept_epoch"] < 3, "the best epoch is none of the newest two"
    with pytest.raises(KeyboardInterrupt):
        train("cut", stop_at(5 * steps - 1))
    kept = min((tmp_path / "cut" / "checkpoints").iterdir()) / "model.safetensors"
    data = bytearray(kept.read_bytes())
    data[-1] ^= 1  # the file itself can be read
    kept.write_bytes(data)
    cut = train("cut")
    one, other = contents(tmp_path / "cut" / "model"), contents(tmp_path / "whole" / "model")
    assert [name for name in one if one[name] != other[name]] == ["encoder.json"], "the card tells of it"
    assert "it began anew" in cut.facts["notes"][-1]
