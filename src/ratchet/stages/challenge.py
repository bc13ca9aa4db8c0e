"""Which contenders are tried, in which order, and against whom."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ratchet.contenders import (
    Contender,
    PartedRows,
    defend,
    folds_at_first,
    shrink,
    train_augmented,
    train_balanced,
    train_embedding,
    train_encoder,
    train_linear,
    trained_in,
)
from ratchet.errors import DataError, ExtraMissing
from ratchet.models.checkpoints import ENGLISH_PACKAGE
from ratchet.models.linear_defaults import default_specs
from ratchet.prepare.saved import load_dataset, load_parts
from ratchet.recipe.sections import BalanceSpec, BlendSpec, Challenger, EdaSpec, EmbeddingSpec, EncoderSpec, LinearSpec
from ratchet.stages.contest import contest
from ratchet.stages.entrants import Entrant, anchor, champion, content, entered, family_of
from ratchet.stages.job import Job, Json, skip, train_once
from ratchet.stages.names import Stage
from ratchet.workspace.finished import key_of

BEFORE = " (before)"
TOGETHER = 5_000
"""Below so many judged rows the linear models are judged in one round with the baseline."""
PLAIN = 0.25
"""Weight of a model that has to beat the most frequent label only: little of the level is enough for that."""


def baseline(job: Job, rows: PartedRows, beside: Sequence[Challenger], *, later: int) -> None:
    """The first champion answers the most frequent label; TF-IDF with logistic regression must beat it.

    On a small table the other contenders that cost seconds stand ``beside`` it: all must beat the first champion, and the
    best of those that do takes the place.
    """
    with job.stage(Stage.BASELINE) as skipped:
        family, seed = family_of(rows), job.recipe.seed
        key = key_of("majority", content(job, rows), seed)
        train = partial(train_linear, rows=rows, name="majority", spec="majority", seed=seed)
        first = Contender.load(train_once(job, key, train, skipped))
        if job.ledger.champion(family) is None:
            job.ledger.root(family, first.ref, run=job.run, key=f"root:{family}")
        spec = job.recipe.baseline
        name = spec.name or "tfidf-lr"
        train = partial(train_linear, rows=rows, name=name, spec=spec, seed=seed)
        entrants = [entered(job, name, key_of(name, content(job, rows), spec, seed), train)]
        entrants += [entrant for other in beside if (entrant := _entrant(job, rows, other)) is not None]
        contest(job, rows, entrants, skipped, later=later, weight=PLAIN, required=True)


def incumbent(job: Job, rows: PartedRows, *, later: int) -> None:
    """The table changed: the champion of the rows before must be beaten too, on rows that it was not trained on."""
    before = job.ledger.champion_before(family_of(rows))
    if before is None:
        return
    with job.stage(Stage.CHALLENGERS) as skipped:
        of = Contender.load(job.workspace.models / before.contender.key)
        name = f"{of.name.removesuffix(BEFORE)}{BEFORE}"
        trained, left_out = trained_in(of)
        known = job.workspace.data / f"rows-{trained}"
        reason = "Its labels are others." if tuple(of.card["labels"]) != rows.labels else ""
        reason = reason or ("" if known.is_dir() else f"{known} is gone, so nobody knows what it was trained on.")
        if not reason:
            fold = load_parts(known).fold
            trained_on = load_dataset(known).take(np.flatnonzero((fold >= 0) & (fold != left_out)))
            train = partial(defend, rows=rows, name=name, of=of, trained_on=trained_on)
            try:
                key = key_of("incumbent", of.folder.name, content(job, rows))
                contest(job, rows, [entered(job, name, key, train)], skipped, later=later)
            except DataError as error:
                reason = error.problem
        if reason:
            skip(job, name, reason)


def challengers(job: Job, rows: PartedRows) -> tuple[Challenger, ...]:
    """What the recipe says, or what is known to be worth a try for this language and with what is installed."""
    if job.recipe.challengers is not None:
        return job.recipe.challengers
    usual = default_specs(rows.language, n_rows=len(rows.parts.dev), n_labels=len(rows.labels))
    linear = [spec for name, spec in usual.items() if name in ("linear-wide", "blend")]
    counts = np.bincount(rows.truth[rows.parts.dev])
    spec = BalanceSpec(name="balance")
    uneven = set(job.recipe.gate.metrics) != {"accuracy"} and counts.max() > spec.ratio * counts.min()
    balance = (spec,) if uneven else ()  # by accuracy alone the largest class would always be right
    frozen = (EmbeddingSpec(name="embedding", source=job.recipe.train.source),) if _pretrained(job, rows) else ()
    return (*linear, *balance, EdaSpec(name="eda"), *frozen, job.recipe.train)


def _pretrained(job: Job, rows: PartedRows) -> bool:
    """Whether the encoder that this run would train begins from a checkpoint, whose vectors can be used as they are."""
    if _missing_extra() is not None:
        return False
    source = job.recipe.train.source
    return source != "scratch" and (
        source != "auto" or (rows.language == "en" and find_spec(ENGLISH_PACKAGE) is not None)
    )


def _missing_extra() -> str | None:
    """The first package of the extra ``train`` that is not installed."""
    return next((package for package in ("torch", "transformers", "onnx") if find_spec(package) is None), None)


def waves(plan: Sequence[Challenger], rows: PartedRows) -> tuple[list[Challenger], list[Challenger], list[Challenger]]:
    """Those judged beside the baseline, those that stand for themselves, and those made from whoever wins among them.

    Between two such models a point of accuracy takes some 4,000 rows to prove (benchmarks/gate_power.py). On fewer rows those
    that cost seconds (linear models, embeddings) are judged together against the first champion, and the best of those that
    are proven goes on.
    """
    few = len(rows.parts.compared) < TOGETHER
    beside: list[Challenger] = [
        spec for spec in plan if few and isinstance(spec, LinearSpec | BlendSpec | EmbeddingSpec)
    ]
    made: list[Challenger] = [spec for spec in plan if isinstance(spec, EdaSpec | BalanceSpec)]
    return beside, [spec for spec in plan if spec not in (*beside, *made)], made


def challenge(job: Job, rows: PartedRows, specs: Sequence[Challenger], *, later: int = 0) -> None:
    """Train challengers, then judge them together: the best of those that are proven better is the next champion."""
    if not specs:
        return
    with job.stage(Stage.CHALLENGERS) as skipped:
        entrants = [entrant for spec in specs if (entrant := _entrant(job, rows, spec)) is not None]
        contest(job, rows, entrants, skipped, later=later)


def _entrant(job: Job, rows: PartedRows, spec: Challenger) -> Entrant | None:
    """How a challenger is trained; ``None``, with the reason said, where it cannot be."""
    name, seed, threads = spec.name or spec.kind, job.recipe.seed, job.recipe.threads
    deep = isinstance(spec, EncoderSpec | EmbeddingSpec)
    key = key_of("challenger", content(job, rows), spec, seed, threads if deep else 0)
    if isinstance(spec, LinearSpec | BlendSpec):
        return entered(job, name, key, partial(train_linear, rows=rows, name=name, spec=spec, seed=seed))
    missing = _missing_extra()
    if deep and missing is not None:
        skip(job, name, str(ExtraMissing(missing, extra="train", why=f"The challenger {name!r}")))
        return None
    of, store = anchor(job, rows), job.workspace.models
    if isinstance(spec, EdaSpec | BalanceSpec):
        while "from_key" in of.card["facts"]:  # made from another one itself: what is made is made from the origin
            of = Contender.load(store / str(of.card["facts"]["from_key"]))
        if of.spec() is None:
            skip(job, name, "The champion is the majority model, which learns nothing from other training rows.")
            return None
        key = key_of("challenger", content(job, rows), spec, seed, of.folder.name)

    def train(folder: Path, folds: Sequence[int] = (), seeds: int = 1) -> None:
        with job.screen.bar(name) as advance:
            common: Json = {"name": name, "threads": threads, "store": store, "advance": advance}
            if isinstance(spec, EncoderSpec):
                train_encoder(folder, rows, spec=spec, seed=seed, key=key, folds=folds, seeds=seeds, **common)
            elif isinstance(spec, EmbeddingSpec):
                train_embedding(folder, rows, spec=spec, **common)
            elif isinstance(spec, BalanceSpec):
                train_balanced(folder, rows, spec=spec, of=of, seed=seed, key=key, **common)
            elif isinstance(spec, EdaSpec):
                train_augmented(folder, rows, spec=spec, of=of, seed=seed, key=key, **common)

    if isinstance(spec, EncoderSpec):
        return entered(job, name, key, train, folds=folds_at_first(rows))
    return entered(job, name, key, train)


def compress(job: Job, rows: PartedRows) -> None:
    """Smaller forms of the champion: one is promoted when it is not worse by the margin, and smaller."""
    with job.stage(Stage.COMPRESS) as skipped:
        methods = job.recipe.compress.methods
        for number, method in enumerate(methods):
            of = champion(job, rows)
            if of.spec() is None or of.ref.kind == method:
                skipped.append(True)
                continue
            key, name = key_of("compress", method, of.folder.name, job.code), f"{of.name}-{method}"
            train = partial(shrink, rows=rows, name=name, of=of, threads=job.recipe.threads, store=job.workspace.models)
            entrants = [entered(job, name, key, train)]
            contest(job, rows, entrants, skipped, later=len(methods) - number - 1, copies=True)
