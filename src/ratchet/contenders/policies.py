"""The best of several ways to make more rows, chosen inside of each fold's training rows: one challenger comes of it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ratchet.augment.augmenter import Augmenter
from ratchet.augment.registry import augmenters
from ratchet.contenders.augmented import Augmented, require_filters, unrecorded
from ratchet.contenders.change import Change, Changing
from ratchet.contenders.labeller import Labeller, Learner, training_in
from ratchet.contenders.material import Counts, Material, NothingMade, plain
from ratchet.contenders.nested import inner_parts
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.sources import section_files
from ratchet.contenders.tuner import tuned_by
from ratchet.errors import ExtraMissing, RecipeError
from ratchet.metrics.metrics import find_metric, named
from ratchet.models.model import Destination
from ratchet.plugins import chosen
from ratchet.recipe.augment import AugmentKeys, PolicySpec
from ratchet.tuning.halving import Halved, successive_halving
from ratchet.workspace.environment import code_version
from ratchet.workspace.finished import key_of, load_json
from ratchet.workspace.workspace import write_atomic, writing

ALPHAS, COPIES = (0.05, 0.1, 0.2, 0.3), (1, 2, 4)
"""What is drawn of each."""
NOTHING = -math.inf
"""The score of a policy that makes nothing: no score of a metric is below it."""


class Policies(Change[PolicySpec]):
    """The rows, and what the best of several policies makes of them.

    As in `contenders.tune`, what is judged is the whole procedure: each fold has a search of its own, on folds of that fold's
    training rows, so that the number of policies cannot flatter the challenger.
    """

    name, spec = "augment", PolicySpec
    tasks = ("classification", "multilabel", "regression")

    def sends_to(self, spec: PolicySpec) -> Destination | None:
        """As `Change.sends_to`: to all addresses of its policies."""
        sent = (_augmenter(one).sends_to(one) for one in policies_of(spec, seed=0))
        found = tuple(dict.fromkeys(to for to in sent if to is not None))
        return replace(found[0], further=found[1:]) if found else None

    def remark(self, spec: PolicySpec) -> str:
        """As `Change.remark`: those of its policies."""
        said = (_augmenter(one).remark(one) for one in policies_of(spec, seed=0))
        return " ".join(dict.fromkeys(filter(None, said)))

    def named_by(self, spec: PolicySpec) -> object:
        """As `Change.named_by`: each policy as its augmenter names it."""
        own = spec.model_copy(update={"policies": ()})
        return own, _named(policies_of(spec, seed=0)), section_files(spec.filters)

    def require(self, spec: PolicySpec, rows: PartedRows) -> None:
        """As `Change.require`: the augmenters are there, are for this task, and their filters can be asked."""
        for policy in policies_of(spec, seed=0):
            augmenter = _augmenter(policy)
            if rows.task.name not in augmenter.tasks:
                raise RecipeError(
                    f"A policy must be for {rows.task.name} but {augmenter.name} is for {' and '.join(augmenter.tasks)}."
                )
            require_filters(policy.filters, rows)

    def material(self, spec: PolicySpec, changing: Changing, seen: Ints, *, held_out: Ints) -> Material:
        """As `Change.material`."""
        search = _Search.of(spec, changing, seen, held_out)
        record = search.record()
        policy = search.policies[record["best"]]
        made = Augmented(_augmenter(policy)).material(policy, changing, seen, held_out=held_out)
        counts: Counts = {**made.counts, "policy_studies": [record], "told": [search.told(record)]}
        return replace(made, counts=counts)


def policies_of(spec: PolicySpec, *, seed: int) -> tuple[AugmentKeys, ...]:
    """The policies to choose from: those that are named, or some of each augmenter's, its own defaults first.

    Raises:
        RecipeError: no such augmenter is installed.
    """
    if spec.policies:
        return spec.policies
    known = augmenters()
    of = [chosen(name, known, noun="An augmenter of a policy").spec for name in spec.of]
    grids = [[*_grid(section, spec)] for section in of]
    first = [grid[0] for grid in grids]
    others = [policy for grid in grids for policy in grid[1:]]
    wanted = max(0, min(spec.trials - len(first), len(others)))
    order = np.random.default_rng(seed).permutation(len(others))[:wanted]
    return (*first, *(others[place] for place in order.tolist()))[: spec.trials]


def _grid(section: type[AugmentKeys], spec: PolicySpec) -> Iterator[AugmentKeys]:
    """Each operation alone and all of them, times the shares, times the copies, where the augmenter has such keys."""
    base: dict[str, Any] = {"filters": spec.filters}
    yield section(**base)
    fields = section.model_fields
    operations: Sequence[Any] = [None]
    if "operations" in fields:
        every = fields["operations"].default
        operations = [every, *((one,) for one in every)] if isinstance(every, tuple) else [None]
    alphas: Sequence[Any] = ALPHAS if "alpha" in fields else [None]
    for operation, alpha, copies in itertools.product(operations, alphas, COPIES):
        values = {"operations": operation, "alpha": alpha, "copies": copies}
        try:
            policy = section(**base, **{key: value for key, value in values.items() if value is not None})
        except ValidationError:  # outside of what this augmenter takes
            continue
        if policy != section(**base):
            yield policy


def _augmenter(policy: AugmentKeys) -> Augmenter[Any]:
    return chosen(str(getattr(policy, "kind", "")), augmenters(), noun="An augmenter of a policy")


def _named(policies: Sequence[AugmentKeys]) -> object:
    """What makes them other policies."""
    return [_augmenter(policy).named_by(policy) for policy in policies], section_files(*policies)


def _require_installed(policies: Sequence[AugmentKeys]) -> None:
    """Refuse a policy whose packages are not there.

    Raises:
        ExtraMissing: it names the first.
    """
    for augmenter in map(_augmenter, policies):
        missing = Augmented(augmenter).missing()
        if missing is not None:
            raise ExtraMissing(missing, extra=augmenter.extra, why=f"The policy {augmenter.name!r}")


def _called(policy: AugmentKeys) -> str:
    """A policy for people: what it says beside the defaults."""
    values = policy.model_dump(mode="json", exclude={"kind", "name", "filters"}, exclude_defaults=True)
    said = ", ".join(f"{key} {' '.join(map(str, v)) if isinstance(v, list) else v}" for key, v in values.items())
    return f"{getattr(policy, 'kind', '')} ({said or 'as it is'})"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Search:
    """The policies, and the folds of the rows ``seen`` on which they are scored."""

    policies: tuple[AugmentKeys, ...]
    parts: tuple[PartedRows, ...]
    metric: str
    learner: Learner
    changing: Changing
    held_out: Ints
    key: str
    labellers: dict[int, Labeller] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: PolicySpec, changing: Changing, seen: Ints, held_out: Ints) -> _Search:
        rows, learner = changing.rows, Learner.of(changing)
        policies = policies_of(spec, seed=changing.seed)
        _require_installed(policies)
        metric = tuned_by(spec.metric, rows)
        named_by = [rows.key, seen.tolist(), _named(policies), spec.folds, metric, changing.seed]
        return cls(
            policies=policies,
            parts=inner_parts(rows, seen, count=spec.folds, seed=changing.seed),
            metric=metric,
            learner=learner,
            changing=changing,
            held_out=held_out,
            key=key_of("policies", *named_by, learner.kind.name, learner.spec, code_version()),
        )

    def record(self) -> dict[str, Any]:
        """The search for a card; what was scored before the process was killed is not scored again."""
        known, path = self._known()
        total = len(self.policies)

        def score(policy: int, step: int) -> float:
            key = f"{policy}.{step}"
            if key not in known:
                about = f"policy {policy + 1} of {total}" if policy >= 0 else "no policy"
                self.changing.advance(policy if policy >= 0 else total, total, f"{about}, fold {step + 1}")
                known[key] = self._score(self.policies[policy] if policy >= 0 else None, step)
                if path is not None:
                    kept = {name: None if value == NOTHING else value for name, value in known.items()}
                    write_atomic(path, json.dumps(kept).encode())
            return known[key]

        found = successive_halving(total, len(self.parts), score)
        without = [score(-1, step) for step in range(len(self.parts))]
        return self._told(found, without)

    def _told(self, found: Halved, without: list[float]) -> dict[str, Any]:
        """The search as plain values; a policy that made nothing has no scores.

        Raises:
            NothingMade: none of them makes anything.
        """
        best = len(found.scores[found.best])
        if found.mean(found.best) == NOTHING:
            raise NothingMade(
                f"A policy must make rows that may be trained on but none of {len(self.policies)} does.",
                next_step="Loosen their filters or change their settings.",
            )
        return {
            "metric": self.metric,
            "scored_with": self.learner.kind.name,
            "own": self.learner.own,
            "policies": [policy.model_dump(mode="json") for policy in self.policies],
            "scores": [[score for score in scores if score != NOTHING] for scores in found.scores],
            "best": found.best,
            "best_score": found.mean(found.best),
            "without": sum(without[:best]) / best,
        }

    def told(self, record: dict[str, Any]) -> str:
        """The search in one line."""
        metric = named(self.metric)[0]
        scores = " against ".join(metric.shown(record[key]) for key in ("best_score", "without"))
        with_ = (
            "the champion's own settings" if self.learner.own else f"{self.learner.kind.name} in the champion's place"
        )
        return (
            f"best of {len(self.policies)} policies: {_called(self.policies[record['best']])}, {self.metric} {scores} without, "
            f"inside the training rows, with {with_}"
        )

    def _known(self) -> tuple[dict[str, float], Path | None]:
        """The scores of a search that was begun, and where they are kept."""
        folder = self.changing.folder
        if folder is None:
            return {}, None
        path = folder / f"{self.key}.json"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        kept = load_json(path, keys={}) if path.is_file() else {}
        return {name: NOTHING if value is None else value for name, value in kept.items()}, path

    def _score(self, policy: AugmentKeys | None, step: int) -> float:
        """The score of the learner on one fold, trained on what the policy makes too; higher is better."""
        rows = self.parts[step]
        training = training_in(self.changing, rows, kind=self.learner.kind.name)
        if policy is not None:
            augmented, labeller = Augmented(_augmenter(policy)), self._labeller(policy, step)

            def change(rows: Ints, *, held_out: Ints) -> Material:
                unseen = np.union1d(held_out, self.held_out)
                aside = unrecorded(self.changing)
                return augmented.material(policy, aside, rows, held_out=unseen, labeller=labeller)

            training = replace(training, change=change)
        else:
            training = replace(training, change=plain)
        places = rows.parts.valid
        try:
            evidence = rows.evidence(places, self.learner.kind.tried(self.learner.spec, training), metric=self.metric)
        except NothingMade:
            return NOTHING
        return float(find_metric(self.metric, evidence).value(evidence))

    def _labeller(self, policy: AugmentKeys, step: int) -> Labeller | None:
        """Who is asked for labels on a fold; the same for all policies."""
        if not policy.filters.label:
            return None
        if step not in self.labellers:
            self.labellers[step] = Labeller(self.changing, self.parts[step].parts.train)
        return self.labellers[step]
