from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from ratchet.errors import DataError
from ratchet.scores.agreement import agreement, agreement_by_id, human_verdicts, require_agreement


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_its_interval_as_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    human = rng.choice(["A", "B", "tie"], size=80, p=[0.5, 0.3, 0.2])
    judge = np.where(rng.random(80) < 0.7, human, rng.choice(["A", "B", "tie"], size=80))
    table = np.array([[((judge == a) & (human == b)).sum() for b in ("A", "B", "tie")] for a in ("A", "B", "tie")])
    expected, found = cohens_kappa(table), agreement(judge.tolist(), human.tolist())
    assert found.kappa == pytest.approx(expected.kappa)
    assert found.kappa == pytest.approx(cohen_kappa_score(judge, human))
    assert (found.low, found.high) == pytest.approx((expected.kappa_low, expected.kappa_upp))
    assert (found.n, found.same) == (80, pytest.approx((judge == human).mean()))


def test_a_judge_must_be_shown_to_agree() -> None:
    human = ["A", "B"] * 50
    require_agreement(agreement(human, human))
    with pytest.raises(
        DataError, match=r"kappa of at least 0.40 but has 0.00 \(interval -0.20 to 0.20, .* 50% of 100\)"
    ):
        require_agreement(agreement(["A", "B", "B", "A"] * 25, human))
    with pytest.raises(DataError, match="at least 50 verdicts of people but there are 40"):
        require_agreement(agreement(human[:40], human[:40]))
    with pytest.raises(DataError, match="nan"):
        require_agreement(agreement(["A"] * 60, ["A"] * 60))
    flips = [*["B"] * 12, *human[12:]]
    require_agreement(agreement(flips, human), least=0.7)
    with pytest.raises(DataError, match=r"at least 0.85"):
        require_agreement(agreement(flips, human), least=0.85)


def test_verdicts_of_people_are_read_and_matched(tmp_path: Path) -> None:
    path = tmp_path / "human.csv"
    path.write_text("id,verdict\n1,a\n2,平局\n3,\n4,Answer B\n5,Pass\n", encoding="utf-8")
    assert human_verdicts(path) == {"1": "A", "2": "tie", "4": "B", "5": "pass"}
    found = agreement_by_id({"1": "A", "4": "A", "9": "B"}, human_verdicts(path))
    assert (found.n, found.same) == (2, 0.5)
    with pytest.raises(DataError, match="none of 4 is"):
        agreement_by_id({}, human_verdicts(path))
    with pytest.raises(DataError, match="must have the column 'winner' but has id, verdict"):
        human_verdicts(path, verdict="winner")
    path.write_text("id,verdict\n1,A\n1,B\n")
    with pytest.raises(DataError, match="'1' has several"):
        human_verdicts(path)


def test_both_must_have_rated() -> None:
    with pytest.raises(DataError, match="there are 1 and 2 verdicts"):
        agreement(["A"], ["A", "B"])
