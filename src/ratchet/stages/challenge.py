"""Which contenders are tried, in which order, and against whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.compress.compressor import Compressor, compressors
from ratchet.contenders.base import Contender
from ratchet.contenders.change import Change
from ratchet.contenders.corpus import require_unseen
from ratchet.contenders.incumbent import defend, trained_in
from ratchet.contenders.kind import Kind
from ratchet.contenders.linear import Majority
from ratchet.contenders.refit import MADE_OF, changed, made_of, replaced
from ratchet.contenders.registry import changes, kind_of, kinds, tasks_of
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.sources import SOURCES
from ratchet.errors import DataError, ExtraMissing, RatchetError, RecipeError
from ratchet.models.checkpoints import ENGLISH_PACKAGE
from ratchet.models.linear_defaults import default_specs
from ratchet.plugins import chosen
from ratchet.prepare.saved import load_dataset, load_parts
from ratchet.recipe.augment import PseudoSpec
from ratchet.recipe.sections import BalanceSpec, EdaSpec, EmbeddingSpec, Recipe, Section
from ratchet.stages.contest import contest
from ratchet.stages.entrants import Entrant, anchor, champion, content, entered, family_of, key_of_folds, training_of
from ratchet.stages.job import Job, skip, train_once
from ratchet.stages.names import Stage
from ratchet.workspace.finished import key_of

BEFORE = " (before)"
TOGETHER = 5_000
"""Below so many judged rows the linear models are judged in one round with the baseline."""
PLAIN = 0.25
"""Weight of a model that has to beat the most frequent label only: little of the level is enough for that."""


def baseline(job: Job, rows: PartedRows, beside: Sequence[Section], *, later: int) -> None:
    """The first champion answers the most frequent label; TF-IDF with logistic regression must beat it.

    On a small table the other contenders that cost seconds stand ``beside`` it: all must beat the first champion, and the
    best of those that do takes the place.
    """
    with job.stage(Stage.BASELINE) as skipped:
        family, seed = family_of(rows), job.recipe.seed
        key = key_of("majority", content(job, rows), seed)
        train = _trained(job, rows, Majority(), Section(), name="majority", key=key)
        first = Contender.load(train_once(job, key, train, skipped))
        if job.ledger.champion(family) is None:
            job.ledger.root(family, first.ref, run=job.run, key=f"root:{family}")
        entrants = [
            entrant for other in (_baseline(job, rows), *beside) if (entrant := _entrant(job, rows, other)) is not None
        ]
        contest(job, rows, entrants, skipped, later=later, weight=PLAIN, required=True)


def _baseline(job: Job, rows: PartedRows) -> Section:
    """The recipe's baseline, or, where that cannot answer the task, the first kind that can and costs seconds."""
    spec = job.recipe.baseline
    if rows.task.name in tasks_of(spec.kind):
        return spec.model_copy(update={"name": baseline_name(job.recipe)})
    kind = next((kind for kind in kinds().values() if kind.cheap and rows.task.name in kind.tasks), None)
    if kind is None:
        raise RecipeError(
            f"No kind of contender that is installed can answer {rows.task.name}.", next_step="Set task in the recipe."
        )
    return kind.spec.model_validate({"kind": kind.name, "name": kind.name})


def baseline_name(recipe: Recipe) -> str:
    """What the recipe's baseline is called."""
    return recipe.baseline.name or "tfidf-lr"


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
        if of.learns and not kind_of(of)[0].trained:
            reason = "It is no model of ours; as a challenger of this recipe it answers the new rows too."
        reason = reason or ("" if known.is_dir() else f"{known} is gone, so nobody knows what it was trained on.")
        if not reason and PartedRows.load(known).task.name != rows.task.name:
            reason = "It answers another task."
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


def challengers(job: Job, rows: PartedRows) -> tuple[Section, ...]:
    """What the recipe says, or what is known to be worth a try for this language and with what is installed."""
    more = job.recipe.augment
    if job.recipe.challengers is not None:
        return (*job.recipe.challengers, *more)
    size, kind = len(rows.parts.dev), rows.targets.kind
    usual = default_specs(rows.language, n_rows=size, n_labels=len(rows.labels), kind=kind)
    linear = [spec for name, spec in usual.items() if name in ("linear-wide", "blend")]
    spec = BalanceSpec(name="balance")
    uneven = rows.task.imbalance(rows.targets.take(rows.parts.dev)) > spec.ratio
    # By accuracy alone the largest class would always be right.
    balance = (spec,) if uneven and set(job.recipe.gate.metrics) != {"accuracy"} else ()
    frozen = (EmbeddingSpec(name="embedding", source=job.recipe.train.source),) if _pretrained(job, rows) else ()
    pseudo = (PseudoSpec(name="pseudo"),) if rows.unlabelled is not None else ()
    usual_made = [spec for spec in (EdaSpec(name="eda"), *pseudo) if spec.kind not in map(_name, more)]
    plan = (*linear, *balance, *usual_made, *frozen, job.recipe.train)
    return (*(spec for spec in plan if rows.task.name in tasks_of(spec.kind)), *more)


def require_trainable(job: Job, rows: PartedRows, specs: Sequence[Section]) -> None:
    """Refuse challengers that cannot be trained on these rows, before any is trained; those that are there are not asked.

    Raises:
        RecipeError: naming the challenger, the key and what is there.
    """
    known: dict[str, Kind[Any] | Change[Any]] = {**kinds(), **changes()}
    for spec in specs:
        one = known[_name(spec)]
        if rows.task.name not in one.tasks or one.missing() is not None:
            continue  # it is skipped with its reason
        try:
            if isinstance(one, Change):
                one.require(spec, rows)
                continue
            if _is_there(job, rows, one, spec):
                continue
            one.require(spec, rows)
            if corpus := one.corpus(spec):
                require_unseen(corpus, rows, choosing=one.chooses(spec))
        except RatchetError as error:
            raise RecipeError(f"The challenger {called(spec)!r}: {error.problem}", next_step=error.next_step) from None


def _is_there(job: Job, rows: PartedRows, kind: Kind[Any], spec: Section) -> bool:
    """Whether a challenger was trained by an earlier run, as it is before anybody looks."""
    key, folds = _key(job, rows, kind, spec), kind.learner(spec).folds_at_first(rows)
    return (job.workspace.models / (key_of_folds(key, folds) if folds else key)).is_dir()


def _key(job: Job, rows: PartedRows, kind: Kind[Any], spec: Section) -> str:
    """What names a challenger for good."""
    threads = job.recipe.threads if kind.learner(spec).threaded else 0
    return key_of("challenger", content(job, rows), kind.named_by(spec), job.recipe.seed, threads)


def called(spec: Section) -> str:
    """The name of a challenger, or its kind where it has none."""
    return str(getattr(spec, "name", "") or _name(spec))


def _pretrained(job: Job, rows: PartedRows) -> bool:
    """Whether the encoder that this run would train begins from a checkpoint, whose vectors can be used as they are."""
    source = job.recipe.train.source
    if source == "scratch" or kinds()[EmbeddingSpec().kind].missing() is not None:
        return False
    return source != "auto" or (rows.language == "en" and find_spec(ENGLISH_PACKAGE) is not None)


def waves(plan: Sequence[Section], rows: PartedRows) -> tuple[list[Section], list[Section], list[Section]]:
    """Those judged beside the baseline, those that stand for themselves, and those made from whoever wins among them.

    Between two such models a point of accuracy takes some 4,000 rows to prove (benchmarks/gate_power.py). On fewer rows those
    that cost seconds (linear models, embeddings) are judged together against the first champion, and the best of those that
    are proven goes on.
    """
    few = len(rows.parts.compared) < TOGETHER
    made = [spec for spec in plan if _name(spec) in changes()]
    known = kinds()
    beside = [spec for spec in plan if few and spec not in made and known[_name(spec)].cheap]
    return beside, [spec for spec in plan if spec not in (*beside, *made)], made


def _name(spec: Section) -> str:
    """The kind of a challenger."""
    return str(getattr(spec, "kind", ""))


def challenge(job: Job, rows: PartedRows, specs: Sequence[Section], *, later: int = 0) -> None:
    """Train challengers, then judge them together: the best of those that are proven better is the next champion."""
    if not specs:
        return
    with job.stage(Stage.CHALLENGERS) as skipped:
        entrants = [entrant for spec in specs if (entrant := _entrant(job, rows, spec)) is not None]
        contest(job, rows, entrants, skipped, later=later)


def _entrant(job: Job, rows: PartedRows, spec: Section) -> Entrant | None:
    """How a challenger is trained; ``None``, with the reason said, where it cannot be."""
    name = called(spec)
    able = tasks_of(_name(spec))
    if rows.task.name not in able:
        skip(job, name, f"It is for {' and '.join(able)}, and this is {rows.task.name}.")
        return None
    if _name(spec) in changes():
        return _made(job, rows, spec, name=name)
    kind = chosen(_name(spec), kinds(), noun="The kind of a challenger")
    missing, learner = kind.missing(), kind.learner(spec)
    if missing is not None:
        skip(job, name, str(ExtraMissing(missing, extra=kind.extra, why=f"The challenger {name!r}")))
        return None
    if rows.kinds and kind.trained and not learner.featured:
        job.screen.say("challenge", f"{name}: {_unused(rows)} not used")
    key = _key(job, rows, kind, spec)
    train = _trained(job, rows, kind, spec, name=name, key=key)
    return entered(job, name, key, train, folds=learner.folds_at_first(rows))


def _unused(rows: PartedRows) -> str:
    names = ", ".join(rows.kinds)
    return f"the features {names} are" if len(rows.kinds) > 1 else f"the feature {names} is"


def _made(job: Job, rows: PartedRows, spec: Section, *, name: str) -> Entrant | None:
    """A challenger with the champion's own settings, trained on other rows."""
    change, of, store = changes()[_name(spec)], anchor(job, rows), job.workspace.models
    missing = change.missing()
    if missing is not None:
        skip(job, name, str(ExtraMissing(missing, extra=change.extra, why=f"The challenger {name!r}")))
        return None
    while "from_key" in of.facts:  # made from another one itself: what is made is made from the origin
        of = Contender.load(store / str(of.facts["from_key"]))
    if not of.learns:
        skip(job, name, "The champion is the majority model, which learns nothing from other training rows.")
        return None
    kind, settings = kind_of(of)
    if not kind.trained:
        skip(job, name, f"The champion {of.name!r} is not trained here, so other rows make no other model of it.")
        return None
    if change.weights(spec) and not kind.learner(settings).weighted:
        skip(job, name, f"It weights rows, which the kind {kind.name} of the champion {of.name!r} does not take.")
        return None
    if reason := replaced(of, rows):
        skip(job, name, reason)
        return None
    made = made_of(change, spec, rows)
    key = key_of("challenger", content(job, rows), made, job.recipe.seed, of.folder.name, rows.near)
    facts = {"from": of.name, "from_key": of.folder.name, "made_by": spec.model_dump(mode="json"), MADE_OF: made}
    facts |= {SOURCES: of.facts[SOURCES]} if SOURCES in of.facts else {}

    def train(folder: Path) -> None:
        if remark := change.remark(spec):
            job.screen.say("challenge", f"{name}: {remark}")
        to = change.sends_to(spec)
        if to is not None:
            job.screen.say("challenge", f"{name}: texts of training rows are sent to {to}")
        with job.screen.bar(name) as advance:
            training = training_of(job, rows, name=name, kind=change.name, key=key, advance=advance)
            training = replace(training, folds=of.folds, facts=facts)
            kind.train(folder, settings, changed(facts, training))

    return entered(job, name, key, train)


def _trained(job: Job, rows: PartedRows, kind: Kind[Any], spec: Section, *, name: str, key: str) -> Callable[..., None]:
    """Fills the folder of a contender."""
    files = kind.sources(spec)
    facts = {SOURCES: files} if files else {}

    def train(folder: Path, folds: Sequence[int] = (), seeds: int = 1) -> None:
        to = kind.sends_to(spec)
        if to is not None:
            job.screen.say("answers", f"{name}: the text of every row is sent to {to}")
        with job.screen.bar(name) as advance:
            training = training_of(job, rows, name=name, kind=kind.name, key=key, advance=advance)
            kind.train(folder, spec, replace(training, folds=tuple(folds), seeds=seeds, facts=facts))

    return train


def compress(job: Job, rows: PartedRows) -> None:
    """Smaller forms of the champion: one is promoted when it is not worse by the margin, and smaller."""
    with job.stage(Stage.COMPRESS) as skipped:
        methods = job.recipe.compress.methods
        for number, method in enumerate(methods):
            of, compressor = champion(job, rows), chosen(method, compressors(), noun="A method of compress")
            if not of.learns or method in _forms(job, of) or of.runtime not in compressor.runtimes:
                skipped.append(True)
                continue
            key, name = key_of("compress", method, of.folder.name, job.code), f"{of.name}-{method}"
            train = partial(_compressed, job=job, rows=rows, compressor=compressor, of=of, name=name, key=key)
            entrants = [entered(job, name, key, train)]
            contest(job, rows, entrants, skipped, later=len(methods) - number - 1, copies=True)


def _forms(job: Job, of: Contender) -> list[str]:
    """The methods that a contender was made by, from the last to the first."""
    found = []
    while "of_key" in of.facts:
        found.append(of.ref.kind)
        of = Contender.load(job.workspace.models / str(of.facts["of_key"]))
    return found


def _compressed(
    folder: Path, *, job: Job, rows: PartedRows, compressor: Compressor, of: Contender, name: str, key: str
) -> None:
    kind, _ = kind_of(of)
    with job.screen.bar(name) as advance:
        training = training_of(job, rows, name=name, kind=compressor.name, key=key, advance=advance)
        facts = {"of": of.name, "of_key": of.folder.name}
        kind.compress(folder, compressor, of, replace(training, facts=facts))
