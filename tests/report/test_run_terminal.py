from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

from ratchet.gate.ledger import Challenge
from ratchet.metrics.metrics import Score
from ratchet.report.ended import BestBet, Ended, GateState, Tried
from ratchet.report.run_terminal import figures, tell
from ratchet.report.summary import summary
from ratchet.screen import Screen

SCORE = Score(value=0.857, low=0.8512, high=0.862, n=14_759, metric="accuracy")


def told(ended: Ended) -> str:
    stream = io.StringIO()
    tell(summary(ended), screen=Screen(stream))
    return stream.getvalue()


def test_a_score_is_told_with_its_interval() -> None:
    assert figures(SCORE.to_dict()) == "accuracy 85.7 % [85.1, 86.2], 14,759 rows"


def test_a_run_that_only_checked_tells_its_data(checked: Ended) -> None:
    said = told(checked)
    assert "version 15f3f25fa6e3 [raw]; `ratchet data restore 15f3f25fa6e3` brings it back" in said
    assert "a random split would promise: accuracy" in said
    assert "240 rows" in said
    assert not [word for word in ("Verdicts", "gate ", "bundle ", "best bet") if word in said]


def test_verdicts_bet_and_gate_are_told(checked: Ended, judged: Callable[..., Challenge]) -> None:
    bet = BestBet(
        name="b", against="a", metric="accuracy", estimate=0.1, low=0.0, high=0.2, n=9, rows_needed=None, decide="d"
    )
    gate = GateState(
        anchor="a", margin=0.01, margin_used=0.002, level_left=0.04, level_left_copies=0.05, looks=2, optimism=0.012
    )
    verdicts = (
        judged("wide", 0.01, outcome="better", promoted=True, p=0.0),
        judged("eda", -0.02, outcome="worse", against="wide"),
    )
    tried = Tried(contenders=(), start=SCORE, honest=SCORE, reached=SCORE, best_bet=bet, forms=())
    said = told(replace(checked, judged=verdicts, gate=gate, tried=tried))
    assert said.startswith("best bet   b looks better than a but is not proven")
    assert "the same model without leaks: accuracy 85.7 % [85.1, 86.2], 14,759 rows" in said
    assert "better ↑" in said
    assert "+1.00 [+0.50, +1.50]" in said
    assert "<1e-99" in said
    assert "0.99 of 0.013" in said
    assert "2 challengers were judged on these rows; 0.04 of the error level 0.05 is left for others." in said
    assert "0.20 of the margin of 1 points is used since a was proven better" in said
