from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from ratchet.gate.ledger import Challenge
from ratchet.metrics.metrics import Score
from ratchet.report.ended import BestBet, Ended, GateState, Opened, Tried
from ratchet.report.summary import summary

SCORE = Score(value=0.8, low=0.7, high=0.9, n=10, metric="accuracy")


def test_what_was_not_reached_is_none(checked: Ended) -> None:
    found = summary(checked)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    absent = ("champion", "best_bet", "gate", "bundle")
    assert all(found[key] is None for key in absent)
    assert (found["verdicts"], found["compression"], found["test_opened"]) == ([], [], [])
    assert found["test_openings_lost"] is False
    assert found["scores"] | {"naive": None} == dict.fromkeys(("naive", "honest", "champion", "test"))
    assert found["ledger"] == {"records": 3, "head": "5d41"}
    assert found["stages"]["check"] == {"seconds": 1.5, "status": "skipped"}
    assert found["seconds"] == 1.75


def test_the_data_are_those_of_the_check(checked: Ended) -> None:
    found, facts = summary(checked), checked.health.facts
    assert facts.naive is not None
    assert facts.naive.naive is not None
    assert found["data"] == {
        "rows": 240,
        "unique_rows": facts.unique_rows,
        "conflicting_texts": 3,
        "naive_leak_share": facts.naive.leaked_rows / facts.naive.test_rows,
        "removed": None,
        "changed": None,
        "version": checked.version,
        "tags": ["raw"],
    }
    assert found["scores"]["naive"] == facts.naive.naive.to_dict()


def test_a_verdict_has_the_figures_of_its_first_claim(checked: Ended, judged: Callable[..., Challenge]) -> None:
    macro = {"metric": "macro_f1", "estimate": 0.02, "low": 0.001, "high": 0.03, "p": 1e-5}
    better = judged("wide", 0.01, outcome="better", promoted=True, others=[macro])
    copy = judged("wide-int8", -0.001, outcome="not_worse", against="wide", kind="int8", saved=0.74)
    first, second = summary(replace(checked, judged=(better, copy)))["verdicts"]
    assert (first["name"], first["against"], first["outcome"], first["promoted"]) == (
        "wide",
        "champion",
        "better",
        True,
    )
    assert (first["estimate"], first["p"], first["level"]) == (0.01, 1e-4, 0.0125)
    assert first["also"] == [macro]
    assert first["line"] == better.verdict.line
    assert (second["claim"], second["kind"], second["also"]) == ("noninferior", "int8", [])
    assert second["p"] == copy.verdict.findings[0].p_margin
    assert second["remark"] == "Margin: 1 points. 74.0 % of the bytes saved."


def test_what_was_reached_is_there(checked: Ended) -> None:
    bet = BestBet(
        name="b", against="a", metric="accuracy", estimate=0.1, low=0.0, high=0.2, n=9, rows_needed=None, decide="d"
    )
    gate = GateState(
        anchor="a", margin=0.01, margin_used=0.0, level_left=0.04, level_left_copies=0.05, looks=2, optimism=0.1
    )
    tried = Tried(contenders=(), start=SCORE, honest=SCORE, reached=SCORE, best_bet=bet, forms=())
    test = Opened(scores=(SCORE,), opened=("2026-11-24",), lost=True, judged=SCORE, refit_rows=None)
    found = summary(replace(checked, tried=tried, gate=gate, test=test))
    assert found["scores"]["test"] == found["scores"]["honest"] == found["scores"]["champion"] == SCORE.to_dict()
    assert found["best_bet"]["decide"] == "d"
    assert found["gate"]["looks"] == 2
    assert (found["test_opened"], found["test_openings_lost"]) == (["2026-11-24"], True)


@pytest.mark.parametrize("key", ["run", "name", "finished", "alpha"])
def test_a_run_says_which_it_is(checked: Ended, key: str) -> None:
    assert (
        summary(checked)[key]
        == {
            "run": checked.run,
            "name": "shop",
            "finished": checked.finished,
            "alpha": checked.recipe.gate.alpha,
        }[key]
    )
