from __future__ import annotations

import io
import math
import threading
import time
from typing import Any

import pytest

from ratchet.monitoring.live import ASCII, REFRESHES, LiveView, drawn, epoch_line, sparkline
from ratchet.monitoring.standing import POINTS, Curve, Standing

FULL = {
    "train/loss": 0.4312,
    "train/rate": 4.7e-4,
    "train/norm": 0.83,
    "train/epoch": 2,
    "train/tokens_s": 1_234_567.0,
    "train/mfu": 0.4231,
    "train/padding": 0.031,
    "train/wait": 0.002,
    "hardware/cpu": 187.0,
    "hardware/memory": 1.2e9,
    "hardware/memory_total": 16e9,
    "hardware/temperature": 54.0,
    "hardware/gpu0": 97.0,
    "hardware/gpu0_memory": 41.2e9,
    "hardware/gpu0_memory_total": 79.6e9,
    "hardware/gpu0_power": 512.0,
    "hardware/gpu0_temperature": 63.0,
    "watch/steps": 1240,
    "watch/left": 192.0,
    "watch/seconds": 70.0,
    "watch/cost": 1.234,
}


def standing(**more: float) -> Standing:
    found = Standing(name="encoder fold 0", goals={"accuracy": 1, "loss": -1})
    for step in range(300):
        found.take(step, {"train/loss": 2.3 * math.exp(-step / 100)})
    found.take(299, {"valid/accuracy": 0.83, "valid/loss": 0.6})
    found.take(311, {**FULL, **more})
    return found


def text(of: Standing, *, width: int = 80, **how: Any) -> str:
    return "\n".join(line.plain for line in drawn(of, width=width, **how))


def test_it_shows_all_that_is_known_at_80_columns() -> None:
    found = text(standing())
    for words in (
        "encoder fold 0",
        "epoch 2 · step 312 of 1,240",
        "25%  3:12 min left",
        "0.4312   █",
        "accuracy    0.8300   best 0.8300 at step 300",
        "valid loss  0.6000   best 0.6000 at step 300",
        "rate 0.00047   gradient norm 0.8300",
        "1,234,567 tokens/s   MFU 42.3%   padding 3.1%   waits for data 0.2%",
        "CPU 187%   memory 1.2 of 16.0 GB   54 °C",
        "GPU 0       97%   memory 41.2 of 79.6 GB   512 W   63 °C",
        "cost        1.23",
        "no alert",
    ):
        assert words in found
    assert len(found.splitlines()) < 24


@pytest.mark.parametrize("width", [1, 10, 20, 40, 56, 80, 81, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for of in (standing(), standing(**{"watch/ended": 1}), Standing(), Standing(name="长" * 60)):
        of.notes.append("alert: train/loss is nan (must be at most 5), step 312, and many further words after it")
        assert all(line.cell_len <= width for line in drawn(of, width=width))


def test_nothing_known_is_shown_as_nothing() -> None:
    found = text(Standing())
    assert "training" in found
    assert "step 0" in found
    assert "nan" not in found


def test_what_is_not_finite_is_shown() -> None:
    of = Standing()
    of.take(0, {"train/loss": math.nan, "valid/loss": math.inf, "train/norm": math.inf})
    assert "loss        nan" in text(of)
    assert "gradient norm inf" in text(of)


def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    found = text(standing(), blocks=ASCII)
    assert "█" not in found
    assert "━" not in found
    assert "###" in found


def test_a_name_cannot_command_the_terminal() -> None:
    of = Standing(name="a\x1b[2Jb")
    of.notes.append("x\x1b[31m\ny")
    assert "\x1b" not in text(of)
    assert "\x1b" not in epoch_line(of)


def test_a_plain_line_says_the_same() -> None:
    assert epoch_line(standing()) == (
        "encoder fold 0, epoch 2 · step 312 of 1,240, loss 0.4312, valid accuracy 0.8300, valid loss 0.6000, "
        "1,234,567 tokens/s, MFU 42.3%, 3:12 min left, cost 1.23"
    )
    assert "took 1:10 min" in epoch_line(standing(**{"watch/ended": 1}))


def test_the_best_value_goes_by_the_goal_or_else_by_the_name() -> None:
    of = Standing(goals={"odd": -1})
    for step, value in enumerate((3.0, 1.0, math.nan, 2.0)):
        of.take(step, {"valid/odd": value, "valid/loss": value, "valid/f1": value, "valid/perplexity": value})
    assert {name: (best.value, best.step) for name, best in of.best.items()} == {
        "valid/odd": (1, 1),
        "valid/loss": (1, 1),
        "valid/perplexity": (1, 1),
        "valid/f1": (3, 0),
    }


def test_an_own_metric_says_in_its_name_that_less_is_better() -> None:
    of = Standing()
    for step, value in enumerate((3.0, 1.0, 2.0)):
        of.take(step, {"valid/mine:cost:min": value, "valid/mine:gain": value})
    assert {name: best.step for name, best in of.best.items()} == {"valid/mine:cost:min": 1, "valid/mine:gain": 0}


def test_a_long_curve_keeps_its_shape() -> None:
    curve = Curve()
    for step in range(100_000):
        curve.add(math.sin(step / 100_000 * 2 * math.pi))
    assert POINTS / 2 <= len(curve.points) <= POINTS
    assert max(curve.points) == pytest.approx(1, abs=1e-3)
    assert curve.points.index(max(curve.points)) / len(curve.points) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("points", "width", "line"), [([], 5, ""), ([1], 5, "▁"), ([2, 2], 5, "▁▁"), ([0, 7], 0, "")])
def test_short_sparklines(points: list[float], width: int, line: str) -> None:
    assert sparkline(points, width=width) == line


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_view_is_on_the_other_screen_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    terminal, of = Terminal(), Standing(name="encoder")
    with LiveView(of, terminal=terminal, hint="Ctrl-C") as view:
        workers = [
            threading.Thread(target=lambda: [view.take(step, {"train/loss": 1.0 / (step + 1)}) for step in range(2000)])
            for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        view.note("alert: x")
        time.sleep(1.5 / REFRESHES)
    found = terminal.getvalue()
    assert found.index("\x1b[?1049h") < found.index("encoder") < found.rindex("\x1b[?1049l")
    assert "alert: x" in found
    assert of.step == 1999
