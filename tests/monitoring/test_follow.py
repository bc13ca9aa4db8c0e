from __future__ import annotations

import io
import json
import os
import threading
import time
from pathlib import Path

import pytest

from ratchet.errors import DataError
from ratchet.monitoring import follow
from ratchet.monitoring.follow import Followed, newest, title, watch
from ratchet.monitoring.monitor import Monitor
from ratchet.monitoring.watching import Watching
from ratchet.recipe.watch import AlertSpec, WatchConfig


def line(step: int, **values: float) -> str:
    return json.dumps({"step": step, **{name.replace("__", "/"): value for name, value in values.items()}}) + "\n"


def test_news_are_read_on_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    path.write_text(line(0, train__loss=2))
    followed = Followed(path)
    assert followed.look()
    assert not followed.look()
    whole = line(1, train__loss=1)
    with path.open("a") as file:
        file.write(whole[:9])
    followed.look()
    assert followed.standing.step == 0
    with path.open("a") as file:
        file.write(whole[9:] + "null\n[1]\n\x00\n" + '{"step": true}\n' + '{"step": 2, "a": "b"}\n')
    followed.look()
    assert followed.standing.step == 1
    assert followed.standing.latest["train/loss"] == 1


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    path.write_text("".join(line(step, valid__accuracy=0.9) for step in range(9)))
    followed = Followed(path)
    followed.look()
    (tmp_path / "new").write_text(line(0, valid__accuracy=0.1) * 20)
    (tmp_path / "new").replace(path)
    followed.look()
    assert followed.standing.step == 0
    assert followed.standing.best["valid/accuracy"].value == 0.1


def test_a_file_that_is_gone_is_no_news(tmp_path: Path) -> None:
    assert not Followed(tmp_path / "steps.jsonl").look()


def test_the_training_that_was_written_last_is_shown(tmp_path: Path) -> None:
    places = [tmp_path / "models" / f"0f3b7a52c1.fold-{fold}.7.training" for fold in range(3)]
    for age, place in zip((30, 10, 20), places, strict=True):
        place.mkdir(parents=True)
        (place / "steps.jsonl").write_text(line(0))
        os.utime(place / "steps.jsonl", (time.time() - age,) * 2)
    assert newest(tmp_path) == places[1] / "steps.jsonl"
    assert newest(places[0]) == newest(places[0] / "steps.jsonl") == places[0] / "steps.jsonl"
    assert newest(tmp_path / "none") is None
    assert title(places[0]) == "fold-0.7"
    (places[0] / "contender.json").write_text('{"name": "enc"}')
    assert title(places[0]) == "enc"


def test_a_pretraining_is_seen_from_its_workspace(tmp_path: Path) -> None:
    place = tmp_path / "models" / "0f3b7a52c1.fold-0.7.training" / "pretraining"
    place.mkdir(parents=True)
    (place / "steps.jsonl").write_text(line(0, train__loss=2))
    for folder in (tmp_path, place.parent.parent, place.parent, place):
        assert newest(folder) == place / "steps.jsonl"
    assert title(place) == "fold-0.7 pretraining"


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("text", ["text,label\na,b\n", '{"text": "a"}\n{"text": "b"}\n', "a\n", "a", "{" * 70_000])
def test_a_file_that_no_training_wrote_is_refused(tmp_path: Path, text: str, once: bool) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    out = io.StringIO()
    with pytest.raises(DataError, match=r"t.csv must be the steps.jsonl of a training but"):
        watch(path, stream=out, once=once, sleep=lambda seconds: pytest.fail("it waits"))
    assert not out.getvalue()


@pytest.mark.parametrize("text", ["", '{"step": 1, "train/lo', "\x00\n" + line(1, train__loss=1)])
def test_a_training_that_has_only_begun_is_waited_for(tmp_path: Path, text: str) -> None:
    (tmp_path / "steps.jsonl").write_text(text)
    followed = Followed(tmp_path / "steps.jsonl")
    followed.look()
    assert not followed.strange


def test_no_training_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must hold a training"):
        watch(tmp_path, stream=io.StringIO())


def test_an_ended_training_is_shown_once_with_its_alerts(tmp_path: Path) -> None:
    alerts = (AlertSpec(metric="train/loss", above=1),)
    with Monitor(tmp_path, steps=2, watching=Watching(alerts=alerts, price=3600)) as monitor:
        monitor.write(0, {"train/loss": 2.0})
        time.sleep(0.02)
        monitor.write(1, {"train/loss": 0.5})
        monitor.validated(1, {"accuracy": 0.75})
    out = io.StringIO()
    watch(tmp_path, stream=out)
    found = out.getvalue()
    assert "ended after" in found
    assert "accuracy    0.7500   best 0.7500 at step 2" in found
    assert "alert: train/loss was 2 at step 1" in found
    assert "memory" in found
    assert "\x1b" not in found
    assert max(map(len, found.splitlines())) <= 80


def test_a_running_one_gives_plain_lines_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "EVERY", 0.02)
    monkeypatch.setattr(follow, "SPOKEN", 0.0)
    monkeypatch.setattr("ratchet.monitoring.monitor.FLUSHED", 0.0)
    begun = threading.Event()

    def train() -> None:
        with Monitor(tmp_path, steps=20, watching=Watching(config=WatchConfig(every=0.1))) as monitor:
            for step in range(20):
                monitor.write(step, {"train/loss": 1 / (step + 1)})
                begun.set()
                time.sleep(0.02)

    worker = threading.Thread(target=train)
    worker.start()
    begun.wait()
    out = io.StringIO()
    watch(tmp_path, stream=out)
    worker.join()
    lines = out.getvalue().splitlines()
    assert len(lines) > 3
    assert any(" left" in line for line in lines)
    assert ", step 20 of 20, loss 0.0500, took" in lines[-1]


def test_once_returns_at_once(tmp_path: Path) -> None:
    (tmp_path / "steps.jsonl").write_text(line(4, train__loss=0.25, watch__steps=10))
    out = io.StringIO()
    watch(tmp_path, stream=out, once=True, sleep=lambda seconds: pytest.fail("it waits"))
    assert "step 5 of 10" in out.getvalue()
