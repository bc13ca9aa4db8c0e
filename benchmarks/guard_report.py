"""The page that ``benchmarks/guard.py`` writes."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence

_TFIDF = "TF-IDF, same rows | TF-IDF, other people's rows"
HEAD = """# The guard: recall on corpora it never saw

{date}, `python benchmarks/guard.py CORPORA --others OTHERS --seed {seed}`, {cpu}, {cores} cores, Python {python}.

Corpora are read from installed packages ([guard_corpora.txt](../guard_corpora.txt)), {rows} attacks in all. A text that
shares its runs of twelve words with an earlier corpus is left out, so that no corpus is half of another one. The threshold
of each model keeps 1 % false positives on one half of 5,000 benign rows; *false positives* are those on the other half. The
benign rows are bank questions, text messages, documentation of scipy and of a red-teaming tool, of which training has
nothing, and Chinese reviews, other rows of a collection of which training has some. Shares have Wilson's 95 % intervals.
*TF-IDF*: words and pairs, logistic regression; on the same texts as the guard's classifier, with our templates of attacks
and of benign prompts, or only on what other people wrote, which is how most begin.
"""


def page(
    *,
    attacks: Mapping[str, int],
    inside: Sequence[str],
    out: Sequence[str],
    disguised: Sequence[str],
    triggers: Sequence[str],
    shipped: Sequence[str],
    others: Sequence[str],
    speed: Sequence[str],
    seed: int,
) -> str:
    """The page, from the rows of its tables."""
    head = HEAD.format(
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        seed=seed,
        cpu=_cpu(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        rows=f"{sum(attacks.values()):,}",
    )
    parts = [
        head,
        "## Rows of the same corpora (half of each, held out at random)\n\nThis is what most guards publish; it says little.\n",
        _table("| model | recall | false positives |", inside),
        "\n## Leave one corpus out\n",
        _table(f"| corpus | attacks | guard | {_TFIDF} | rules alone | false positives of the guard |", out),
        "\n## In disguise\n\nThe models of the table above, up to 60 attacks of each corpus, which they never saw. *kept*: "
        "recall in disguise as a part of the plain recall.\n",
        _table("| disguise | kept | recall | plain recall |", disguised),
        "\n## Benign prompts with trigger words\n\nShare flagged. Templates in English and Chinese of which training saw none, "
        "and prompts of other people: those of bastioncorpus that were written to fool a guard, and the harmless half of "
        "JailbreakBench.\n",
        _table("| model | English templates | Chinese templates | bastioncorpus | JailbreakBench |", triggers),
        "\n## The guard as shipped, at its own threshold\n\nShare flagged. Chinese attacks are from templates that training "
        "never saw; the benign rows are those that did not set the threshold. "
        "That threshold promises 1 % with 95 % probability, so it is stricter than those above.\n",
        _table("| rows | flagged |", shipped),
        "\n## Time a prompt of 128 tokens\n\nCPU time, median of 200, one core.\n",
        _table("| what | ms |", speed),
    ]
    if others:
        note = "Every finding of theirs counts. Ours beside them is the table *Leave one corpus out*."
        head_row = (
            "| guard | recall, all rows | mean of the corpora | false positives | trigger words | in base64 | ms |"
        )
        parts += [f"\n## Other guards that run offline\n\n{note}\n", _table(head_row, others)]
    return "\n".join(parts) + "\n"


def _table(head: str, rows: Sequence[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "|" + "---|" * columns, *rows])


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        return next(
            (line.partition(":")[2].strip() for line in file if line.startswith("model name")), platform.machine()
        )
