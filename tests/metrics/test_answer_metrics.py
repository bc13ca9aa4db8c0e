"""Metrics of generated answers, and what they cost."""

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.gate.verdict import compare
from ratchet.metrics.answer_metrics import SCORES
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metric import Setting
from ratchet.metrics.metrics import find_metric, score
from ratchet.metrics.proportions import mcnemar, wilson

N = 200


def evidence(name: str, **outcomes: np.ndarray) -> Evidence:
    return Evidence(name=name, rows=np.arange(N), targets={"reference": np.arange(N)}, outcomes=outcomes)


def draw(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", [*SCORES, "my.module:politeness", "politeness"])
def test_a_score_of_rows_is_their_mean(name: str) -> None:
    right, other = (draw(1).random(N) < 0.8).astype(float), (draw(2).random(N) < 0.5).astype(float)
    a, b = evidence("b", **{name: right}), evidence("a", **{name: other})
    wins, losses = int((right > other).sum()), int((other > right).sum())
    found = compare(a, b, [name]).findings[0]
    assert (found.p, found.test) == (mcnemar(wins, losses, N).at_most(), "mid-p McNemar")
    whole = score(a, name)
    assert (whole.value, whole.low, whole.high) == (right.mean(), *wilson(right.sum(), N))


def test_graded_scores_are_flipped() -> None:
    a, b = evidence("b", token_f1=draw(1).random(N) ** 0.5), evidence("a", token_f1=draw(2).random(N))
    verdict = compare(a, b, ["token_f1"])
    assert verdict.outcome == "better"
    assert verdict.findings[0].test == "sign flips, t"
    assert "points" in verdict.line


def test_rare_deep_failures_are_not_overlooked() -> None:
    """A gain of .02 on nearly all rows, and two of two hundred that lose all: no proof at 5 %."""
    a = np.full(N, 0.92)
    a[:2] = 0.0
    plain = 0.9 + draw(0).normal(scale=0.01, size=N)
    found = find_metric("token_f1", evidence("b", token_f1=a)).compare(
        evidence("b", token_f1=a), evidence("a", token_f1=plain), Setting()
    )
    difference = a - plain
    assert found.score(0.0) < difference.mean() / (difference.std(ddof=1) / N**0.5)


def test_likelihood_is_of_a_token_not_of_a_row() -> None:
    tokens = np.where(np.arange(N) % 2, 100.0, 10.0)
    a, b = (
        np.stack([tokens * (2.0 + gap + 0.1 * draw(seed).normal(size=N)), tokens], axis=1)
        for seed, gap in ((1, 0), (2, 0.1))
    )
    first = evidence("b", nll=a)
    assert score(first, "nll_per_token").value == pytest.approx(-a[:, 0].sum() / a[:, 1].sum())
    found = compare(first, evidence("a", nll=b), ["nll_per_token"])
    assert found.outcome == "better"
    assert "nats" in found.line


def test_perplexity_is_of_all_tokens_and_of_one_tokenizer() -> None:
    tokens = np.where(np.arange(N) % 2, 100.0, 10.0)
    sums = [tokens * (2.0 + gap + 0.1 * draw(seed).normal(size=N)) for seed, gap in ((1, 0.0), (2, 0.1))]
    a, b = (evidence(name, nll=np.stack([one, tokens], axis=1)) for name, one in zip("ba", sums, strict=True))
    found = score(a, "perplexity")
    assert found.shown[0] == pytest.approx(np.exp(sums[0].sum() / tokens.sum()))
    spread = np.exp([one.sum() / tokens[rows].sum() for rows, one in drawn_rows(sums[0])])
    assert (found.shown[1], found.shown[2]) == pytest.approx(np.quantile(spread, [0.025, 0.975]), abs=0.02)
    verdict = compare(a, b, ["perplexity"])
    assert verdict.outcome == "better"
    assert verdict.findings[0].estimate == pytest.approx(score(b, "perplexity").shown[0] - found.shown[0])
    assert "+ is better" in verdict.line
    other = evidence("a", nll=np.stack([sums[1], tokens + (np.arange(N) < 3)], axis=1))
    with pytest.raises(RatchetError, match=rf"of the same tokens but their counts differ in 3 of {N} rows"):
        compare(a, other, ["perplexity"])


def drawn_rows(values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows drawn anew, with their values: a plain bootstrap."""
    rng = np.random.default_rng(5)
    return [(rows, values[rows]) for rows in rng.integers(0, len(values), (2_000, len(values)))]


@pytest.mark.parametrize(("metric", "width"), [("bleu", 10), ("chrf", 18)])
def test_sums_of_another_width_are_refused(metric: str, width: int) -> None:
    with pytest.raises(RatchetError, match=rf"'{metric}' of 'a' must be \(rows, {width}\) but got \(200, 4\)"):
        score(evidence("a", **{metric: np.ones((N, 4))}), metric)


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_corpora_are_judged(metric: str) -> None:
    orders = 4 if metric == "bleu" else 6
    totals = np.maximum(draw(0).integers(8, 40, size=(N, 1)) - np.arange(orders), 0)

    def counts(seed: int, quality: float) -> np.ndarray:
        matches = draw(seed).binomial(totals, quality ** np.arange(1, orders + 1))
        rest = (totals[:, :1], totals[:, :1]) if metric == "bleu" else (totals,)
        return np.concatenate([matches, totals, *rest], axis=1).astype(float)

    good, poor = evidence("b", **{metric: counts(1, 0.8)}), evidence("a", **{metric: counts(2, 0.7)})
    assert compare(good, poor, [metric]).outcome == "better"
    found = score(good, metric)
    assert 0.3 < found.low < found.value < found.high < 1


def test_less_is_better_for_what_an_answer_costs() -> None:
    cheap, dear = evidence("b", cost=1 + draw(1).random(N)), evidence("a", cost=2 + draw(2).random(N))
    verdict = compare(cheap, dear, ["cost"])
    (found,) = verdict.findings
    saved = 1 - cheap.outcomes["cost"].mean() / dear.outcomes["cost"].mean()
    assert (verdict.outcome, found.estimate) == ("better", pytest.approx(saved))
    assert f"cost {100 * saved:+.2f} [" in verdict.line
    assert f" % saved, {1 / (1 - saved):.3g} [" in verdict.line
    assert "times less" in verdict.line
    assert score(cheap, "cost").shown[0] == pytest.approx(cheap.outcomes["cost"].mean())
    assert compare(dear, cheap, ["cost"]).outcome == "worse"
