from __future__ import annotations

import pytest

from ratchet.report.ended import BestBet


@pytest.mark.parametrize(
    ("metric", "needed", "said"),
    [
        ("accuracy", 4_000, "+1.20 [-0.30, +2.00] points, about 4,000 rows would decide (there are 900); what would"),
        ("log_loss", None, "+0.01 [-0.00, +0.02] nats; what would"),
    ],
)
def test_a_bet_is_told_in_the_units_of_its_metric(metric: str, needed: int | None, said: str) -> None:
    bet = BestBet(
        name="wide",
        against="blend",
        metric=metric,
        estimate=0.012,
        low=-0.003,
        high=0.02,
        n=900,
        rows_needed=needed,
        decide="more labelled rows",
    )
    assert bet.line == f"wide looks better than blend but is not proven: {said} decide: more labelled rows"
