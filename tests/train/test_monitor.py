from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from ratchet.train.monitor import Monitor


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()]


def test_each_step_is_a_line(tmp_path: Path) -> None:
    with Monitor(tmp_path) as monitor:
        monitor.write(0, {"train/loss": 2.0, "train/rate": 0.1})
        monitor.write(1, {"train/loss": 1.0})
    assert lines(tmp_path) == [{"step": 0, "train/loss": 2.0, "train/rate": 0.1}, {"step": 1, "train/loss": 1.0}]


@pytest.mark.parametrize("torn", ["", '{"step": 9, "train/lo', "null\n", "\x00\n"])
def test_a_resumed_run_keeps_what_was_before_it(tmp_path: Path, torn: str) -> None:
    with Monitor(tmp_path) as monitor:
        for step in range(4):
            monitor.write(step, {"train/loss": float(step)})
    with (tmp_path / "steps.jsonl").open("a", encoding="utf-8") as file:
        file.write(torn)
    with Monitor(tmp_path, step=2) as monitor:
        monitor.write(2, {"train/loss": 20.0})
    assert [line["train/loss"] for line in lines(tmp_path)] == [0.0, 1.0, 20.0]


def test_a_new_run_begins_anew(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        with Monitor(tmp_path) as monitor:
            monitor.write(0, {"train/loss": value})
    assert [line["train/loss"] for line in lines(tmp_path)] == [2.0]


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_can_read_it(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    with Monitor(tmp_path) as monitor:
        monitor.write(3, {"train/loss": 0.5})
    (file,) = (tmp_path / "tensorboard").iterdir()
    values = {
        value.tag: (event.step, value.simple_value)
        for event in LegacyEventFileLoader(str(file)).Load()
        for value in event.summary.value
    }
    assert values == {"train/loss": (3, 0.5)}
