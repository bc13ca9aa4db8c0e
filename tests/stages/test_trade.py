"""Claims: who is not worse and cheaper replaces the champion, once, and only when all claims hold."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.trial import Trial, rows_for, trial

from ratchet.contenders import latency
from ratchet.contenders.base import Contender
from ratchet.errors import RecipeError
from ratchet.screen import Screen
from ratchet.stages.trade import _tell_measured

__all__ = ["trial"]

GPT = "{kind: answers, name: gpt, file: gpt.jsonl}"
WIDE = "{kind: linear, name: wide, features: [{unit: word, low: 1, high: 1}]}"
HUNDRED = "gate.claims=[{metric: accuracy, margin: 0.2}, {metric: cost, times: 100}]"


@pytest.fixture
def bought(trial: Callable[..., Trial]) -> Callable[..., Trial]:
    """A table on which bought answers are right and a linear model nearly is."""

    def make(**measures: float) -> Trial:
        rows = rows_for("classification", 600, seed=9)
        hard = [
            type(row)(row.id, row.text.replace("fee", "post") if n % 9 == 0 else row.text, row.answer)
            for n, row in enumerate(rows)
        ]
        made = trial(rows=hard)
        made.write("gpt.jsonl", [{"id": row.id, "prediction": row.answer, **measures} for row in hard])
        return made

    return make


def traded(summary: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [verdict for verdict in summary["verdicts"] if verdict["line"].startswith(f"{name} against gpt: ")]


def test_a_cheaper_model_replaces_the_champion_once(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.001, latency=0.4)
    summary = made.run(f"{GPT}, {WIDE}", HUNDRED, "gate.hour=2", "compress.methods=[int8]")
    assert summary["champion"].startswith("wide")
    [verdict] = traded(summary, "wide")
    assert verdict["promoted"]
    assert "100 claimed" in verdict["line"]
    assert "margin 20" in verdict["line"]
    assert made.lines("wide-int8 against wide"), "the folds' models were there to be made smaller"
    report = (made.folder / "w" / "runs" / summary["run"] / "report.html").read_text("utf-8")
    assert "100 times less claimed" in report
    again = made.run(f"{GPT}, {WIDE}", HUNDRED, "gate.hour=2", "compress.methods=[int8]")
    assert again["stages"]["trade"]["status"] == "skipped"
    assert len(again["verdicts"]) == len(summary["verdicts"])
    assert again["champion"] == summary["champion"]
    assert len(made.lines("wide against gpt: ")) == 1, "the verdict is told again"


@pytest.mark.parametrize(
    ("claims", "hour"),
    [
        ("[{metric: accuracy, margin: 0.2}, {metric: cost, times: 100}]", 7_200_000),  # costly here
        ("[{metric: accuracy, margin: 0.001}, {metric: cost, times: 100}]", 2),  # worse by more than that
        ("[{metric: accuracy, margin: 0.2}, {metric: cost, times: 2}, {metric: latency, times: 100000}]", 2),
    ],
)
def test_all_claims_must_hold(bought: Callable[..., Trial], claims: str, hour: float) -> None:
    made = bought(cost=0.001, latency=0.4)
    summary = made.run(f"{GPT}, {WIDE}", f"gate.claims={claims}", f"gate.hour={hour}", until="train")
    assert summary["champion"] == "gpt"
    assert [verdict["promoted"] for verdict in traded(summary, "wide")] == [False]


def test_another_price_of_the_hour_is_another_question(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.001, latency=0.4)
    costly = made.run(f"{GPT}, {WIDE}", HUNDRED, "gate.hour=7200000", until="train")
    assert costly["champion"] == "gpt"
    right = made.run(f"{GPT}, {WIDE}", HUNDRED, "gate.hour=2", until="train")
    assert right["champion"] == "wide"


def test_answers_alone_may_trade(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.5)
    made.write("less.jsonl", [{"id": row.id, "prediction": row.answer, "cost": 0.001} for row in made.rows])
    claims = "gate.claims=[{metric: macro_f1, margin: 0.2}, {metric: cost, times: 100}]"
    first = made.run(GPT, claims, "gate.hour=2", until="train")
    assert first["champion"] == "gpt"
    less = "{kind: answers, name: less, file: less.jsonl}"
    assert made.run(f"{GPT}, {less}", claims, "gate.hour=2", until="train")["champion"] == "less"


def test_a_claim_may_be_about_a_metric_that_the_gate_does_not_ask_for(trial: Callable[..., Trial]) -> None:
    made = trial("generation")
    made.write("gpt.jsonl", [{"id": row.id, "prediction": row.answer, "cost": 0.5} for row in made.rows])
    made.write("less.jsonl", [{"id": row.id, "prediction": row.answer, "cost": 0.001} for row in made.rows])
    claims = "gate.claims=[{metric: chrf, margin: 0.2}, {metric: cost, times: 100}]"
    less = "{kind: answers, name: less, file: less.jsonl}"
    made.run(GPT, claims, "gate.hour=7200000", until="train")
    assert made.run(f"{GPT}, {less}", claims, "gate.hour=7200000", until="train")["champion"] == "less"


def test_claims_that_nobody_can_meet_are_refused_at_once(trial: Callable[..., Trial]) -> None:
    made = trial()
    with pytest.raises(RecipeError, match=r"gate.claims must be of accuracy"):
        made.run(WIDE, "gate.claims=[{metric: rmse, margin: 0.2}, {metric: cost, times: 100}]")
    with pytest.raises(RecipeError, match="must have one with times"):
        made.run(WIDE, "gate.claims=[{metric: accuracy, margin: 0.2}]")


def test_an_hour_without_a_price_is_said(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.001)
    made.run(f"{GPT}, {WIDE}", HUNDRED, until="train")
    assert made.lines("gate.hour is 0: models that run here count as costing nothing")


def test_measures_that_nobody_knows_are_said(bought: Callable[..., Trial]) -> None:
    made = bought()
    summary = made.run(f"{GPT}, {WIDE}", HUNDRED, until="train")
    assert summary["champion"] == "gpt"
    assert not traded(summary, "wide")
    assert made.lines("gpt: skipped. Nothing can replace it by the claims: its cost is not known.")


def test_a_challenger_without_measures_is_said(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.001, latency=0.4)
    made.write("bad.jsonl", [{"id": row.id, "prediction": "card"} for row in made.rows])
    other = "{kind: answers, name: bad, file: bad.jsonl}"
    summary = made.run(f"{GPT}, {other}, {WIDE}", HUNDRED, "gate.hour=2", until="train")
    assert made.lines("bad: skipped. Its cost is not known, and a claim is about it.")
    assert summary["champion"] == "wide"


def test_two_models_of_ours_are_measured_side_by_side(bought: Callable[..., Trial]) -> None:
    made = bought()
    deep = "{kind: blend, name: deep}"
    latency = "gate.claims=[{metric: accuracy, margin: 0.4}, {metric: latency, times: 1}]"
    summary = made.run(f"{deep}, {WIDE}", latency, until="train")
    told = [verdict for verdict in summary["verdicts"] if "latency" in verdict["line"]]
    assert told
    assert {verdict["name"] for verdict in told} <= {"deep", "wide", "tfidf-lr"}


class Slow:
    """Answers as the model does, and takes so many seconds for each text by a clock of its own."""

    def __init__(self, model: Any, seconds: float, clock: list[float]) -> None:
        self.model, self.seconds, self.clock, self.labels = model, seconds, clock, model.labels

    def predict(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        self.clock[0] += self.seconds * len(texts)
        return self.model.predict(texts)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("seconds", "told", "outcome"),
    [
        (0.01, "", r"10 claimed, .*n=510, mean saving"),
        (1.0, "latency was measured on 44 of 510 rows, drawn at random", r"10 claimed, .*n=44, mean saving"),
        (
            60.0,
            "latency was measured on 2 of 510 rows",
            r"undecided .*cannot be told: it was measured on 2 of 510 rows",
        ),
    ],
)
def test_slow_models_are_measured_on_a_sample_in_bounded_time(
    bought: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch, seconds: float, told: str, outcome: str
) -> None:
    clock = [0.0]
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock[0])
    plain = Contender.model
    of = {"wide": seconds / 50}
    monkeypatch.setattr(
        Contender,
        "model",
        lambda self, *, threads=0: Slow(plain(self, threads=threads), of.get(self.name, seconds), clock),
    )
    made = bought()
    claims = "gate.claims=[{metric: accuracy, margin: 0.4}, {metric: latency, times: 10}]"
    summary = made.run(f"{{kind: blend, name: deep}}, {WIDE}", claims, until="train")
    lines = [verdict["line"] for verdict in summary["verdicts"] if "latency" in verdict["line"]]
    line = next(line for line in lines if line.startswith("wide against"))
    assert re.search(outcome, line)
    said = made.lines("latency was measured on")
    assert len(said) == bool(told)
    assert all(told in one for one in said)
    assert clock[0] <= 300 + 4 * seconds


def test_without_claims_nothing_is_measured(bought: Callable[..., Trial], tmp_path: Path) -> None:
    made = bought(cost=0.001, latency=0.4)
    summary = made.run(f"{GPT}, {WIDE}", until="train")
    assert "trade" not in summary["stages"]
    assert summary["champion"] == "gpt"


def test_another_price_is_judged_again(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.001, latency=0.4)
    dear = made.run(f"{GPT}, {WIDE}", HUNDRED, "gate.hour=7200000", until="train")
    assert dear["champion"] == "gpt"
    cheap = made.run(f"{GPT}, {WIDE}", HUNDRED, "gate.hour=2", until="train")
    assert cheap["champion"] == "wide"


def test_claims_that_come_later_find_no_models_of_folds(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.001, latency=0.4)
    assert made.run(f"{GPT}, {WIDE}", until="train")["champion"] == "gpt"
    after = made.run(f"{GPT}, {WIDE}", HUNDRED, "gate.hour=2", "compress.methods=[int8]")
    assert after["champion"] == "wide"
    assert made.lines("wide-int8: skipped. 'wide' must have the models of all its folds")


def test_a_claim_is_about_a_metric_of_the_task(bought: Callable[..., Trial]) -> None:
    made = bought(cost=0.001, latency=0.4)
    with pytest.raises(RecipeError, match=r"gate.claims must be of accuracy, .* for classification but got 'rmse'"):
        made.run(GPT, "gate.claims=[{metric: rmse, margin: 0.2}, {metric: cost, times: 100}]")


def test_a_claim_may_be_about_a_metric_that_does_not_gate(trial: Callable[..., Trial]) -> None:
    made = trial("generation")
    made.write("gpt.jsonl", [{"id": row.id, "prediction": row.answer, "cost": 1.0} for row in made.rows])
    summary = made.run(
        f"{GPT}, {{kind: nearest}}",
        "gate.metrics=[exact_match]",
        "gate.claims=[{metric: chrf, margin: 0.4}, {metric: cost, times: 2}]",
        "gate.hour=0.01",
        until="train",
    )
    assert "chrf" in traded(summary, "nearest")[0]["line"]


def test_a_model_without_a_measured_row_is_not_the_slowest() -> None:
    said = io.StringIO()
    job = SimpleNamespace(screen=Screen(said), recipe=SimpleNamespace(gate=SimpleNamespace(seconds=60.0)))
    places = [np.arange(4), np.arange(4, 8), np.arange(3)]
    seconds = [np.array([0.2, 0.2, 0.2, np.nan]), np.full(4, np.nan), np.full(3, 0.5)]
    _tell_measured(job, places, seconds)  # type: ignore[arg-type]
    assert "measured on 3 of 8 rows" in said.getvalue()
    assert "the slowest model takes 0.5 s a row" in said.getvalue()
