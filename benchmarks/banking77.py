"""Fine-tuned MiniLM on Banking77 over three seeds, beside TF-IDF with logistic regression, on its own test rows.

    python benchmarks/banking77.py ../shared/corpora/banking77

The encoder has the settings of a recipe that says nothing (`EncoderSpec()`), and no look at the test rows.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from ratchet.metrics.proportions import mcnemar
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train import fit_encoder
from ratchet.train.records import read_history


def read(path: Path) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["category"] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    texts, names = read(args.folder / "train.csv")
    rest, right = read(args.folder / "test.csv")
    train = Targets.of_labels(names)
    test = Targets.of_labels(right, names=train.names)
    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    linear = LogisticRegression(C=10, max_iter=1000).fit(vectors.fit_transform(texts), train.values)
    plain = linear.predict(vectors.transform(rest))
    result: dict[str, object] = {
        "train": len(texts),
        "test": len(rest),
        "tfidf_lr": float((plain == test.values).mean()),
        "tfidf_lr_macro_f1": float(f1_score(test.values, plain, average="macro")),
    }
    found = []
    for seed in range(args.seeds):
        with tempfile.TemporaryDirectory() as place:
            begun, used = time.perf_counter(), time.process_time()
            fitted = fit_encoder(
                texts, train, [], test.take(np.zeros(0, np.int64)), spec=EncoderSpec(), language="en", seed=seed,
                threads=args.threads, folder=Path(place),
            )  # fmt: skip
            said = fitted.predict(rest).argmax(axis=1)
            hit = said == test.values
            found.append(
                {
                    "seed": seed,
                    "accuracy": float(hit.mean()),
                    "macro_f1": float(f1_score(test.values, said, average="macro")),
                    "wins": int((hit & (plain != test.values)).sum()),
                    "losses": int((~hit & (plain == test.values)).sum()),
                    "wall": time.perf_counter() - begun,
                    "cpu": time.process_time() - used,
                    "precision": fitted.facts["precision"],
                    "padding": read_history(Path(place))[-1].padding,
                }
            )
            found[-1]["p"] = float(mcnemar(found[-1]["wins"], found[-1]["losses"], len(rest)).at_most())
            print(json.dumps(found[-1]), flush=True)
    values = np.array([one["accuracy"] for one in found])
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    result |= {
        "seeds": found,
        "accuracy": float(values.mean()),
        "interval_over_seeds": [values.mean() - half, values.mean() + half],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
