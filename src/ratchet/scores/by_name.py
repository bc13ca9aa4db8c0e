"""The scores of generated texts, by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ratchet.errors import RatchetError
from ratchet.metrics.own_function import is_own
from ratchet.scores.bleu import bleu_counts
from ratchet.scores.chrf import chrf_counts
from ratchet.scores.exact import contains, exact_match, token_f1
from ratchet.scores.json_answers import json_fields, json_valid
from ratchet.scores.numbers import numeric_match
from ratchet.scores.rouge import rouge_l
from ratchet.scores.rows import Floats
from ratchet.scores.user_score import user_score

Score = Callable[[Sequence[str | None], Sequence[str]], Floats]
SCORES: dict[str, Score] = {
    "exact_match": exact_match,
    "token_f1": token_f1,
    "contains": contains,
    "numeric_match": numeric_match,
    "json_valid": lambda answers, _: json_valid(answers),
    "json_fields": json_fields,
    "rouge_l": rouge_l,
    "chrf": chrf_counts,
    "bleu": bleu_counts,
}
"""What is computed of each answer and its reference: one number a row, or the counts of a corpus metric."""


def text_score(name: str) -> Score:
    """The score of a name; ``module:function`` is one of the user's.

    Raises:
        RatchetError: there is no such score.
    """
    if name in SCORES:
        return SCORES[name]
    if is_own(name):
        return user_score(name)
    raise RatchetError(
        f"The metric must be one of {', '.join(SCORES)} or module:function but got {name!r}.",
        next_step="Correct the name of the metric.",
    )
