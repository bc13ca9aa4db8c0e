"""The registry of checks, and the one function that runs them over a table."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from ratchet.checks import (
    balance,
    chat,
    columns,
    completeness,
    consistency,
    diversity,
    duplicates,
    feature_leaks,
    giveaway,
    label_noise,
    labels,
    near_duplicates,
    pii,
    random_split,
    test_rows,
    text,
)
from ratchet.checks.context import Context
from ratchet.checks.facts import Facts, gather
from ratchet.checks.finding import SEVERITIES, Finding, Severity
from ratchet.checks.label_noise import Suspect
from ratchet.errors import RatchetError
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset
from ratchet.tables.workers import THREADS
from ratchet.tasks.registry import AUTO, task_of

Cost = Literal["cheap", "pairs", "model"]
COSTS: tuple[Cost, ...] = ("cheap", "pairs", "model")
GROUP = "ratchet.checks"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look for.

    Attributes:
        id: its name; also that of ``only``.
        title: what a progress bar says.
        cost: ``cheap``: a pass over the table; ``pairs``: near-duplicates are searched; ``model``: the baseline is fitted.
        gives: the ids of the findings that it may give.
        run: yields them; raises nothing but a RatchetError. Cheap checks run at the same time, on threads of one process.
    """

    id: str
    title: str
    cost: Cost
    gives: tuple[str, ...]
    run: Callable[[Context], Iterable[Finding]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Health:
    """All findings, the most severe first; the facts; and the rows whose label is doubted, for the review queue."""

    findings: tuple[Finding, ...]
    facts: Facts
    suspects: tuple[Suspect, ...] = ()

    @property
    def worst(self) -> Severity | None:
        """The highest severity that was found."""
        return self.findings[0].severity if self.findings else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "facts": self.facts.to_dict(),
            "suspects": [asdict(suspect) for suspect in self.suspects],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Health:
        """The inverse of ``to_dict``; of a finding's row numbers those that were written."""
        return cls(
            findings=tuple(Finding.from_dict(finding) for finding in plain["findings"]),
            facts=Facts.from_dict(plain["facts"]),
            suspects=tuple(Suspect(**suspect) for suspect in plain["suspects"]),
        )


def run_checks(
    dataset: Dataset,
    *,
    config: Recipe | None = None,
    seed: int | None = None,
    test: Dataset | None = None,
    only: Collection[str] | None = None,
    cost: Cost = "model",
    progress: Progress | None = None,
) -> Health:
    """Look at a table as it was read.

    Args:
        dataset: the rows, nothing taken out.
        config: the recipe; its sections ``check``, ``data``, ``prepare``, ``split`` and ``baseline`` matter, and its task,
            where it names one: what does not apply to that is left out.
        seed: of everything random; the recipe's when absent.
        test: the rows of ``data.test_files``, if there are any.
        only: ids of the checks to run; all when absent.
        cost: leave out checks that cost more.
        progress: told the title of the check that is waited for, how many are done, and how many there are.

    Returns:
        The findings, sorted by severity and then by rows; a check that could not run is a finding ``check.failed``.

    Raises:
        RatchetError: ``only`` names an unknown check, or a rule of ``check.columns`` an unknown column or no pattern.
    """
    recipe = config or Recipe()
    consistency.require_rules(recipe, dataset)
    apart = checks_apart(recipe)
    chosen, failed = _chosen(only, cost=cost)
    chosen = [check for check in chosen if check.id not in apart]
    context = Context(
        dataset=dataset, recipe=recipe, seed=recipe.seed if seed is None else seed, test=test, scored=cost == "model"
    )
    findings = [one for one in failed + _run_all(chosen, context, progress=progress) if one.id not in apart]
    ran, costs = {check.id for check in chosen}, {check.cost for check in chosen}
    facts = gather(context, pairs=bool(costs & {"pairs", "model"}), naive="leaks" in ran, terms="diversity" in ran)
    return Health(
        findings=tuple(sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), -f.rows, f.id, f.column))),
        facts=facts,
        suspects=label_noise.suspects_of(context)
        if any(finding.id in label_noise.GIVES for finding in findings)
        else (),
    )


def checks_apart(recipe: Recipe) -> frozenset[str]:
    """Ids of checks and findings that do not apply to the task of a recipe; none where it leaves the task open."""
    return frozenset() if recipe.task == AUTO else task_of(recipe.task).checks_apart


def checks() -> tuple[Check, ...]:
    """Every check: those of this package, then those of other installed packages (entry point group ``ratchet.checks``).

    Raises:
        RatchetError: an entry point cannot be loaded, or is no :class:`Check`.
    """
    return CHECKS + tuple(_load(point) for point in _outside())


def _outside() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda point: point.name)


def _load(point: EntryPoint) -> Check:
    try:
        check = point.load()
    except (ImportError, AttributeError) as problem:
        raise RatchetError(
            f"The check {point.name!r} ({point.value}) must be importable but got: {problem}.",
            next_step="Repair or uninstall the package that brings it.",
        ) from problem
    if not isinstance(check, Check):
        raise RatchetError(
            f"The entry point {point.name!r} ({point.value}) must be a ratchet.checks.Check but is {type(check).__name__}.",
            next_step="Repair or uninstall the package that brings it.",
        )
    return check


def _chosen(only: Collection[str] | None, *, cost: Cost) -> tuple[list[Check], list[Finding]]:
    known, failed = list(CHECKS), []
    for point in _outside():
        try:
            known.append(_load(point))
        except RatchetError as problem:
            failed.append(_failed(point.name, problem))
    names = [check.id for check in known]
    for name in only or ():
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            raise RatchetError(
                f"A check must be one of {', '.join(names)} but got {name!r}.",
                next_step=f"Did you mean {close[0]!r}?" if close else "",
            )
    within = COSTS[: COSTS.index(cost) + 1]
    return [check for check in known if check.cost in within and (only is None or check.id in only)], failed


def _run_all(chosen: list[Check], context: Context, *, progress: Progress | None) -> list[Finding]:
    """The cheap checks side by side, since each spends most of its time outside of Python; then the others in turn."""
    found: list[Finding] = []
    pool = ThreadPoolExecutor(THREADS)
    try:
        begun = [pool.submit(_run, check, context) if check.cost == "cheap" else None for check in chosen]
        for done, (check, running) in enumerate(zip(chosen, begun, strict=True)):
            if progress is not None:
                progress(check.title, done, len(chosen))
            found += _run(check, context) if running is None else running.result()
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _run(check: Check, context: Context) -> list[Finding]:
    found: list[Finding] = []
    try:
        for finding in check.run(context):
            found.append(finding)  # one by one: what was found before a failure is kept
    except RatchetError as problem:
        found.append(_failed(check.id, problem))
    return found


def _failed(name: str, problem: RatchetError) -> Finding:
    return Finding(
        id="check.failed",
        severity="warning",
        message=f"The check {name!r} failed: {problem}",
        why="What it looks for was not looked for.",
        rows=0,
        column=name,
    )


# The long ones among the cheap ones first, so that none of them runs alone at the end.
CHECKS: tuple[Check, ...] = (
    Check(id="completeness", title="Missing cells", cost="cheap", gives=completeness.GIVES, run=completeness.check),
    Check(id="consistency", title="Rules of columns", cost="cheap", gives=consistency.GIVES, run=consistency.check),
    Check(id="labels", title="Labels", cost="cheap", gives=labels.GIVES, run=labels.check),
    Check(id="diversity", title="Vocabulary", cost="cheap", gives=diversity.GIVES, run=diversity.check),
    Check(id="pii", title="Personal data", cost="cheap", gives=pii.GIVES, run=pii.check),
    Check(id="balance", title="Class balance", cost="cheap", gives=balance.GIVES, run=balance.check),
    Check(id="duplicates", title="Copies", cost="cheap", gives=duplicates.GIVES, run=duplicates.check),
    Check(id="text", title="Health of the texts", cost="cheap", gives=text.GIVES, run=text.check),
    Check(id="columns", title="Texts in other columns", cost="cheap", gives=columns.GIVES, run=columns.check),
    Check(id="chat", title="Conversations", cost="cheap", gives=chat.GIVES, run=chat.check),
    Check(id="giveaway", title="Labels in texts", cost="cheap", gives=giveaway.GIVES, run=giveaway.check),
    Check(id="features", title="Features", cost="cheap", gives=feature_leaks.GIVES, run=feature_leaks.check),
    Check(id="near", title="Near-duplicates", cost="pairs", gives=near_duplicates.GIVES, run=near_duplicates.check),
    Check(id="parts", title="Test rows in train", cost="pairs", gives=test_rows.GIVES, run=test_rows.check),
    Check(id="leaks", title="A random split", cost="model", gives=random_split.GIVES, run=random_split.check),
    Check(id="noise", title="Doubted labels", cost="model", gives=label_noise.GIVES, run=label_noise.check),
)
