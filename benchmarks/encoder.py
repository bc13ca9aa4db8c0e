"""The neural path with its defaults on one table: training time, accuracy, ONNX against torch, int8 against float32.

    python benchmarks/encoder.py train.csv --text text --label category --language en [--test test.csv] [--name NAME]

A fifth of the rows, drawn at random, is held out; figures on the test file, when there is one, are for information.
Rows must be free of duplicates, or the held-out part leaks. CPU seconds of one thread, so that a busy machine matters
less; the rounds of the timing are interleaved. Writes benchmarks/results/encoder_NAME.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from run_all import machine

from ratchet.compress import quantise_onnx
from ratchet.models.onnx_model import OnnxModel
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train import export_onnx, fit_encoder, read_history

ROUNDS = 5


def read(path: Path, *, text: str, label: str) -> tuple[list[str], np.ndarray]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row[text], row[label]) for row in csv.DictReader(file)]
    return [row[0] for row in rows], np.array([row[1] for row in rows])


def tfidf(texts: list[str], names: np.ndarray, *, language: str) -> Callable[[list[str]], np.ndarray]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    features = TfidfVectorizer(
        analyzer="char" if language == "zh" else "word", ngram_range=(1, 2), sublinear_tf=language != "zh"
    )
    return make_pipeline(features, LogisticRegression(C=10, max_iter=500)).fit(texts, names).predict


def seconds(models: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU seconds of each, in interleaved rounds."""
    found: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, work in models.items():
            begun = time.process_time()
            work()
            found[name].append(time.process_time() - begun)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--language", default="en")
    parser.add_argument("--name", default="run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    texts, names = read(args.train, text=args.text, label=args.label)
    order = np.random.default_rng(1).permutation(len(texts))
    held, kept = order[: len(texts) // 5], order[len(texts) // 5 :]
    valid, right = [texts[row] for row in held], names[held]
    train = [texts[row] for row in kept]
    labels = sorted(set(names))
    result: dict[str, object] = {"rows": len(texts), "labels": len(labels)}

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wall, cpu = time.perf_counter(), time.process_time()
        fitted = fit_encoder(
            train, Targets.of_labels(list(names[kept]), names=tuple(labels)), valid,
            Targets.of_labels(list(right), names=tuple(labels)), spec=EncoderSpec(), language=args.language,
            seed=args.seed, threads=args.threads, folder=folder / "fit",
        )  # fmt: skip
        result["fit"] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, **fitted.facts}
        result["epochs"] = [asdict(record) for record in read_history(folder / "fit")]
        result["export"] = asdict(export_onnx(fitted, folder / "float32", texts=valid))
        shrunk = quantise_onnx(folder / "float32", folder / "int8")
        result["int8"] = {**asdict(shrunk), "smaller": shrunk.smaller}
        result["graph_bytes"] = {name: (folder / name / "model.onnx").stat().st_size for name in ("float32", "int8")}
        models = {name: OnnxModel.load(folder / name, threads=1) for name in ("float32", "int8")}

        chances = {"torch": fitted.predict(valid)} | {name: model.predict(valid) for name, model in models.items()}
        columns = np.array(labels)
        correct = {name: columns[values.argmax(axis=1)] == right for name, values in chances.items()}
        correct["tfidf"] = tfidf(train, names[kept], language=args.language)(valid) == right
        result["valid_accuracy"] = {name: float(values.mean()) for name, values in correct.items()}
        result["max_difference"] = {
            "float32 - torch": float(np.abs(chances["float32"] - chances["torch"]).max()),
            "int8 - float32": float(np.abs(chances["int8"] - chances["float32"]).max()),
        }
        change = correct["int8"].astype(float) - correct["float32"].astype(float)
        error = 1.96 * change.std(ddof=1) / len(change) ** 0.5
        result["int8_accuracy_change"] = [
            float(change.mean() - error),
            float(change.mean()),
            float(change.mean() + error),
        ]
        packed = replace(models["int8"], one_by_one=False).predict(valid)
        result["int8_moved_by_its_batch"] = {
            "max_difference": float(np.abs(packed - chances["int8"]).max()),
            "other_labels": int((packed.argmax(axis=1) != chances["int8"].argmax(axis=1)).sum()),
        }
        some = valid[:300]
        alone = {f"{name}, one by one": replace(model, one_by_one=True) for name, model in models.items()}
        together = {f"{name}, in batches": replace(model, one_by_one=False) for name, model in models.items()}
        timed = seconds({name: (lambda m=model: m.predict(some)) for name, model in (alone | together).items()})
        result["cpu_ms_a_text"] = {name: 1000 * value / len(some) for name, value in timed.items()}
        if args.test:
            rest, answers = read(args.test, text=args.text, label=args.label)
            found = {name: columns[model.predict(rest).argmax(axis=1)] for name, model in models.items()}
            result["test_accuracy"] = {name: float((values == answers).mean()) for name, values in found.items()}

    result["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["machine"] = machine()
    result["command"] = f"python benchmarks/encoder.py {shlex.join(sys.argv[1:])}"
    result["date"] = datetime.now(UTC).date().isoformat()
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    target = Path(__file__).parent / "results" / f"encoder_{args.name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
