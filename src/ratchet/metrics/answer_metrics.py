"""Metrics of generated answers: scores of each row, BLEU, chrF and the likelihood of a corpus; and what an answer costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ratchet.errors import RatchetError
from ratchet.metrics.corpus import BLEU, CHARACTERS, CHRF, ORDERS
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.means import few_decide, mean_interval, relative_saving
from ratchet.metrics.metric import Metric, Setting, column, over_seeds, row_mean
from ratchet.metrics.paired_tests import Floats, Paired
from ratchet.metrics.smooth import PERPLEXITY, RATIO, Smooth, smooth_difference, smooth_interval

SCORES = ("exact_match", "numeric_match", "contains", "json_valid", "json_fields", "token_f1", "rouge_l", "judge")
"""Scores of one answer each, 0 ... 1, whose mean is the metric of their name."""


def _of_sums(name: str, function: Smooth, *, width: int) -> Metric:
    """A function of the sums of the column of its name."""

    def sums(evidence: Evidence) -> Floats:
        return column(evidence, name, width=width)

    return Metric(
        name=name,
        needs=(name,),
        value=lambda evidence: function.of(sums(evidence)),
        compare=lambda a, b, setting: smooth_difference(
            sums(a), sums(b), function, seed=setting.seed, draws=setting.draws
        ),
        interval=lambda evidence, alpha, seed: smooth_interval(
            sums(evidence), function, alpha=alpha, generator=np.random.default_rng(seed)
        ),
    )


def _compare_nll(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    first, second = (column(side, "nll", width=2) for side in (a, b))
    found = smooth_difference(first, second, RATIO, unbounded=True, seed=setting.seed, draws=setting.draws)
    return replace(found, doubt=few_decide(first[:, 0], second[:, 0]))


def _compare_perplexity(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    first, second = (column(side, "nll", width=2) for side in (a, b))
    if not np.array_equal(first[:, 1], second[:, 1]):
        raise RatchetError(
            f"The perplexities of {a.name!r} and {b.name!r} must be of the same tokens but their counts differ in "
            f"{int((first[:, 1] != second[:, 1]).sum()):,} of {len(first):,} rows: two tokenizers cannot be compared so.",
            next_step="Compare by a score of the answers, such as rouge_l or chrf.",
        )
    found = smooth_difference(first, second, PERPLEXITY, unbounded=True, seed=setting.seed, draws=setting.draws)
    return replace(found, doubt=few_decide(first[:, 0], second[:, 0]))


def _less(name: str) -> Metric:
    """A quantity of each row of which less is better; two are compared by the relative saving."""

    def rows(evidence: Evidence) -> Floats:
        return column(evidence, name)

    def compare(a: Evidence, b: Evidence, setting: Setting) -> Paired:
        first, second = over_seeds(a, rows), over_seeds(b, rows)
        return relative_saving(first, second, factor=setting.factor, seed=setting.seed, draws=setting.draws)

    interval: Callable[[Evidence, float, int], tuple[float, float]] = lambda evidence, alpha, seed: mean_interval(  # noqa: E731
        -over_seeds(evidence, rows), alpha=alpha, generator=np.random.default_rng(seed)
    )
    return Metric(
        name=name,
        needs=(name,),
        value=lambda evidence: -float(over_seeds(evidence, rows).mean()),
        compare=compare,
        interval=interval,
        unit="%",
        sign=-1,
        seeds=True,
        bounded=False,
        saving=True,
    )


def _of_tokens(
    name: str, smooth: Smooth, compare: Callable[[Evidence, Evidence, Setting], Paired], *, unit: str
) -> Metric:
    """A metric of the likelihood of the right answers: sums and tokens of each row; less is better."""
    return Metric(
        name=name,
        needs=("nll",),
        value=lambda evidence: smooth.of(column(evidence, "nll", width=2)),
        compare=compare,
        interval=lambda evidence, alpha, seed: smooth_interval(
            column(evidence, "nll", width=2), smooth, alpha=alpha, generator=np.random.default_rng(seed)
        ),
        unit=unit,
        scale=1.0,
        sign=-1,
        bounded=False,
    )


ANSWER_METRICS = (
    *(row_mean(name, unit="points", scale=100.0) for name in SCORES),
    _of_sums("bleu", BLEU, width=2 * ORDERS + 2),
    _of_sums("chrf", CHRF, width=3 * CHARACTERS),
    _of_tokens("nll_per_token", RATIO, _compare_nll, unit="nats"),
    _of_tokens("perplexity", PERPLEXITY, _compare_perplexity, unit=""),
    _less("cost"),
    _less("latency"),
)
