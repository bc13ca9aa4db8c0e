from __future__ import annotations

import io
import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ratchet.monitoring.alerts import Stopped
from ratchet.monitoring.monitor import Monitor
from ratchet.monitoring.watching import Watching
from ratchet.recipe.watch import AlertSpec, WatchConfig
from ratchet.screen import Screen


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


def watching(tmp: list[str] | None = None, **how: Any) -> Watching:
    said = tmp if tmp is not None else []
    return Watching(config=WatchConfig(every=0.1), say=said.append, **how)


def test_the_machine_is_read_now_and_then_and_not_every_step(tmp_path: Path) -> None:
    with Monitor(tmp_path, steps=1000, watching=watching(price=7200)) as monitor:
        for step in range(30):
            monitor.write(step, {"train/loss": 1.0})
            time.sleep(0.01)
    found = lines(tmp_path)
    read = [line for line in found if "hardware/memory" in line]
    assert 1 <= len(read) <= 10
    assert all(line["watch/steps"] == 1000 for line in read)
    last = read[-1]
    assert last["watch/cost"] == pytest.approx(2 * last["watch/seconds"])
    done = last["step"] + 1
    assert last["watch/left"] == pytest.approx((1000 - done) * last["watch/seconds"] / done)
    assert found[-1]["watch/ended"] == 1


def test_the_shares_are_those_of_the_batches(tmp_path: Path) -> None:
    peaks = iter([4000.0, 8000.0])

    def peak(*, anew: bool = False) -> float:
        return next(peaks)

    with Monitor(tmp_path, watching=watching(), flops=lambda tokens: 10 * tokens, peak=peak) as monitor:
        for step in range(12):
            with monitor.waiting():
                time.sleep(0.02)
            monitor.batch(tokens=15, computed=20)
            monitor.write(step, {"train/loss": 1.0})
    last = [line for line in lines(tmp_path) if "train/mfu" in line][-1]
    assert last["train/padding"] == pytest.approx(0.25)
    assert 0.8 < last["train/wait"] <= 1
    # some 700 tokens a second: above the peak that a busy machine gave, which is therefore measured again
    assert 0.2 < last["train/mfu"] < 1
    assert next(peaks, None) is None


def test_time_and_money_of_a_killed_run_count(tmp_path: Path) -> None:
    def train() -> None:
        with Monitor(tmp_path, steps=9, watching=watching(price=3600)) as monitor:
            for step in range(3):
                time.sleep(0.12)
                monitor.write(step, {"train/loss": 1.0})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert "watch/ended" not in lines(tmp_path)[-1]
    before = lines(tmp_path)[1]["watch/seconds"]
    with Monitor(tmp_path, step=2, steps=9, watching=watching(price=3600)) as monitor:
        time.sleep(0.12)
        monitor.write(2, {"train/loss": 1.0})
    assert lines(tmp_path)[-1]["watch/seconds"] > before + 0.1
    assert lines(tmp_path)[-1]["watch/cost"] == pytest.approx(lines(tmp_path)[-1]["watch/seconds"])
    assert [line["step"] for line in lines(tmp_path)] == [0, 1, 2, 2]


def test_an_epoch_is_told_where_no_view_shows_it(tmp_path: Path) -> None:
    said: list[str] = []
    with Monitor(tmp_path, steps=4, watching=watching(said, name="encoder fold 0"), goals={"loss": -1}) as monitor:
        monitor.write(0, {"train/loss": 0.5})
        monitor.validated(0, {"loss": 0.7, "accuracy": 0.25})
    assert len(said) == 1
    assert said[0].startswith("encoder fold 0, step 1 of 4, loss 0.5000, valid accuracy 0.2500, valid loss 0.7000")
    assert lines(tmp_path)[1]["valid/loss"] == 0.7
    assert lines(tmp_path)[1]["hardware/memory"] > 1e6


def test_an_alert_stops_after_the_checkpoint_and_is_in_the_file(tmp_path: Path) -> None:
    said: list[str] = []
    alerts = (AlertSpec(metric="train/norm", above=10, times=2, action="stop"),)
    saved: list[int] = []

    def train() -> None:
        with Monitor(tmp_path, watching=watching(said, alerts=alerts)) as monitor:
            for step in range(9):
                monitor.write(step, {"train/loss": 1.0, "train/norm": 20.0 if step > 3 else 1.0})
                if monitor.stop is not None:
                    saved.append(step)
                    raise monitor.stop.error()

    with pytest.raises(Stopped, match="train/norm must be at most 10"):
        train()
    assert saved == [5]
    assert {"step": 5, "alert/train/norm": 20.0} in lines(tmp_path)
    assert said == ["alert: train/norm is 20, 2 times in a row (must be at most 10), step 6"]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_view_takes_the_place_of_the_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    screen = Screen(terminal)
    alerts = (AlertSpec(metric="train/loss", below=1),)
    with screen.bar("encoder") as bar:
        told = Watching(alerts=alerts, name="the encoder", say=lambda line: screen.say("train", line), aside=bar.aside)
        with Monitor(tmp_path, steps=2, watching=told) as monitor:
            monitor.write(0, {"train/loss": 0.5})
            monitor.validated(0, {"accuracy": 0.5})
            bar(1, 2, "half")
    found = terminal.getvalue()
    opened, closed = found.index("\x1b[?1049h"), found.rindex("\x1b[?1049l")
    assert "train      " not in found[opened:closed]
    assert "alert: train/loss is 0.5" in found[closed:]
    assert "the encoder, step 1 of 2" in found[closed:]


def test_a_dumb_terminal_gets_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    with Screen(terminal).bar("encoder") as bar:
        told = Watching(say=lambda line: Screen(terminal).say("train", line), aside=bar.aside)
        with Monitor(tmp_path, watching=told) as monitor:
            monitor.write(0, {"train/loss": 0.5})
            monitor.validated(0, {"accuracy": 0.5})
    assert "\x1b[?1049h" not in terminal.getvalue()
    assert "train      step 1, loss 0.5000" in terminal.getvalue()


def test_it_changes_no_random_number_and_no_weight(tmp_path: Path) -> None:
    import random

    import numpy as np

    state = random.getstate(), np.random.get_state()[1].tobytes()  # type: ignore[union-attr]
    with Monitor(tmp_path, watching=watching()) as monitor:
        time.sleep(0.12)
        monitor.write(0, {"train/loss": 0.5})
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == state  # type: ignore[union-attr]
