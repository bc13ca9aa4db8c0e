"""Claims: who is not worse and cheaper replaces the champion, once, and only when all claims hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.trial import Trial, rows_for, trial

from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.stages.trade import ROUNDS, side_by_side

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


class Timed:
    """Takes so long for each text, and longer while the machine is busy."""

    labels = ("a",)

    def __init__(self, seconds: float, log: list[str], name: str) -> None:
        self.seconds, self.log, self.name = seconds, log, name

    def predict(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        self.log.append(self.name)
        busy = 5 if len(self.log) < 40 else 1  # the machine is busy with something else at first
        time.sleep(self.seconds * busy)
        return np.ones((len(texts), 1), np.float32)


def test_rounds_are_interleaved_so_that_a_busy_machine_meets_all(
    bought: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bought()
    made.run(WIDE, until="train")
    folder = next((made.folder / "w" / "data").glob("rows-*"))
    rows = PartedRows.load(folder)
    log: list[str] = []
    of = [Contender.load(path.parent) for path in sorted((made.folder / "w" / "models").glob("*/contender.json"))][:2]
    models = {of[0].folder: Timed(0.001, log, "fast"), of[1].folder: Timed(0.002, log, "slow")}
    monkeypatch.setattr(Contender, "model", lambda self, threads=0: models[self.folder])
    few = np.sort(of[0].placed(rows)[:12]), np.sort(of[0].placed(rows)[4:16])  # they share 8 rows
    places = dict(zip([one.folder for one in of], few, strict=True))
    monkeypatch.setattr(Contender, "placed", lambda self, rows: places[self.folder])
    steps: list[int] = []
    fast, slow = side_by_side(of, rows, threads=1, advance=lambda done, total, words: steps.append(done))
    assert fast.shape == slow.shape == (12,)
    assert 0.3 < float(np.median(fast) / np.median(slow)) < 0.8
    assert len(steps) == ROUNDS * 16
    calls = "".join("f" if name == "fast" else "s" for name in log[2:])
    assert "fffffff" not in calls
    assert "sssssss" not in calls
    assert calls.count("f") == calls.count("s") == ROUNDS * 12


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
