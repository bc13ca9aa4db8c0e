"""Rows that came without an answer: read, mended as all texts are, and freed of what stands in the valid and the test part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ratchet.augment.filters import Protected, near_to
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError
from ratchet.near.copies import same_words
from ratchet.prepare.fixes import fix
from ratchet.prepare.saved import load_dataset, save_dataset
from ratchet.recipe.sections import DataConfig, Recipe
from ratchet.stages.job import Job
from ratchet.tables.dataset import Dataset
from ratchet.tables.read import RawTable, read_dataset
from ratchet.text.columns import Rows
from ratchet.workspace.finished import finished, key_of, load_json, save_json


def read_unlabelled(config: DataConfig, *, base: Path, each: Callable[[RawTable], None]) -> Dataset | None:
    """The rows of ``data.unlabelled`` with the columns of texts and features that the training rows have.

    Raises:
        DataError: as `tables.read.read_dataset`.
    """
    if not config.unlabelled:
        return None
    without = {"label": "", "group": None, "time": None, "id": None}
    files = [Path(name) for name in config.unlabelled]
    return read_dataset(files, config=config.model_copy(update=without), base=base, each=each)


def with_unlabelled(job: Job, given: Dataset | None, rows: PartedRows) -> PartedRows:
    """The prepared rows with those that may be labelled, none of which is near a valid or a test row.

    Raises:
        DataError: there is none.
    """
    if given is None:
        return rows
    recipe = job.recipe
    near = {"ngram": recipe.check.near_ngram, "threshold": recipe.check.near_threshold}
    key = key_of("unlabelled", given.content_hash, rows.key, recipe.prepare.text, near, job.code)
    folder = job.workspace.data / f"unlabelled-{key}"
    finished(folder, partial(_freed, given=given, rows=rows, recipe=recipe), final=True)
    out: dict[str, int] = load_json(folder / "left_out.json")
    kept = load_dataset(folder) if (folder / "rows.parquet").is_file() else None
    told = ", ".join(f"{count:,} {reason}" for reason, count in out.items() if count)
    if kept is None:
        raise DataError(
            f"data.unlabelled must hold rows that are new but all {len(given):,} are left out: {told}.",
            next_step="Name files of other rows, or remove it.",
        )
    job.screen.say("prepare", f"{len(kept):,} unlabelled rows stay" + (f"; left out: {told}" if told else ""))
    return replace(rows, unlabelled=kept)


def _freed(target: Path, *, given: Dataset, rows: PartedRows, recipe: Recipe) -> None:
    """Write the rows that stay, and how many do not, by reason."""
    mended = fix(given, config=recipe.prepare).dataset
    parts = rows.parts
    guards = {
        name: near_to(rows.texts(own), threshold=recipe.check.near_threshold, ngram=recipe.check.near_ngram)
        for name, own in (("near_test", parts.test), ("near_valid", parts.valid))
    }
    train = {same_words(text) for text in rows.texts(parts.train)}
    kept, out = new_rows(mended.texts, train=train, guards=guards)
    if len(kept):
        save_dataset(target, mended.take(kept))
    save_json(target / "left_out.json", out)


def new_rows(texts: list[str], *, train: set[str], guards: dict[str, Protected]) -> tuple[Rows, dict[str, int]]:
    """The places of the texts that are new, and how many are not, by reason."""
    reasons: list[str] = [""] * len(texts)
    taken = set[str]()
    for place, text in enumerate(texts):
        words = same_words(text)
        reasons[place] = (
            "no_text" if not words else "copy" if words in taken else "copy_of_train" if words in train else ""
        )
        taken.add(words)
    for reason, guard in guards.items():
        left = [place for place, why in enumerate(reasons) if not why]
        for place, met in zip(left, guard([texts[place] for place in left]).tolist(), strict=True):
            reasons[place] = reason if met else ""
    counts = Counter(filter(None, reasons))
    return np.array([place for place, why in enumerate(reasons) if not why], np.int64), dict(sorted(counts.items()))
