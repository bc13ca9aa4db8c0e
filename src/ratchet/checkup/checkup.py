"""A check-up: one target looked at once, with the time that each check took, narrowed to what was asked for."""

from __future__ import annotations

import difflib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ratchet.checks.finding import SEVERITIES, Finding, Severity
from ratchet.checks.registry import CHECKS, Check, Cost, Health, Progress, checks, checks_apart, run_checks
from ratchet.checkup.target import Target
from ratchet.errors import RatchetError
from ratchet.recipe.sections import Recipe

FAILED = "check.failed"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A check, whether it ran and for how long (seconds), and why it did not run."""

    check: Check
    seconds: float = 0.0
    skipped: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkup:
    """What was looked at, what was found, and what was done for it."""

    target: Target
    health: Health
    steps: tuple[Step, ...]
    seconds: float

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The most severe first."""
        return self.health.findings

    @property
    def counts(self) -> dict[Severity, int]:
        """Findings of each severity."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    def fails(self, least: Severity) -> bool:
        """Whether there is a finding of this severity or a more severe one."""
        return any(at_least(finding, least) for finding in self.findings)

    def of(self, check: Check) -> tuple[Finding, ...]:
        """The findings that a check gave."""
        return tuple(
            finding
            for finding in self.findings
            if finding.id in check.gives or (finding.id == FAILED and finding.column == check.id)
        )


def at_least(finding: Finding, least: Severity) -> bool:
    """Whether a finding is of this severity or a more severe one."""
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(least)


def check_up(
    target: Target, *, only: Sequence[str] = (), cost: Cost = "model", progress: Progress | None = None
) -> Checkup:
    """Run the checks over a target.

    Args:
        target: the rows.
        only: ids of checks ("duplicates") or of findings ("duplicates.exact"); everything when empty.
        cost: leave out checks that cost more.
        progress: as of :func:`ratchet.checks.run_checks`.

    Raises:
        RatchetError: ``only`` names nothing that there is, or only what ``cost`` leaves out.
    """
    known = _known()
    wanted = {_check_of(name, known) for name in only}
    _require_within(only, [check for check in known if check.id in wanted], cost=cost)
    begun: list[tuple[str, float]] = []

    def watch(title: str, done: int, total: int) -> None:
        begun.append((title, time.perf_counter()))
        if progress is not None:
            progress(title, done, total)

    start = time.perf_counter()
    health = run_checks(
        target.dataset, config=target.recipe, test=target.test, only=wanted or None, cost=cost, progress=watch
    )
    end = time.perf_counter()
    if only:
        kept = [finding for finding in health.findings if _is_wanted(finding, only, known)]
        health = replace(health, findings=tuple(kept))
    ends = [moment for _, moment in begun[1:]] + [end]
    took = {title: until - since for (title, since), until in zip(begun, ends, strict=False)}
    steps = tuple(_step(check, took, asked=not wanted or check.id in wanted, recipe=target.recipe) for check in known)
    return Checkup(target=target, health=health, steps=steps, seconds=end - start)


def _known() -> tuple[Check, ...]:
    try:
        return checks()
    except RatchetError:
        return CHECKS  # run_checks reports the broken one as a finding


def _step(check: Check, took: dict[str, float], *, asked: bool, recipe: Recipe) -> Step:
    if check.id in checks_apart(recipe):
        return Step(check=check, skipped=f"does not apply to {recipe.task}")
    if check.title in took:
        return Step(check=check, seconds=took[check.title])
    return Step(check=check, skipped="left out by --fast" if asked else "not asked for by --only")


def _check_of(name: str, known: Sequence[Check]) -> str:
    """The check of this name, or the one that gives this finding."""
    found = next((check.id for check in known if name == check.id or name in check.gives), None)
    if found is not None:
        return found
    names = [known_name for check in known for known_name in (check.id, *check.gives)]
    near = difflib.get_close_matches(name, names, n=1)
    raise RatchetError(
        f"A check must be one of {', '.join(check.id for check in known)}, or a finding of theirs, but got {name!r}.",
        next_step=f"Did you mean {near[0]!r}?" if near else "An example: duplicates.exact",
    )


def _is_wanted(finding: Finding, only: Sequence[str], known: Sequence[Check]) -> bool:
    if finding.id in only or finding.id == FAILED:
        return True
    return any(finding.id in check.gives for check in known if check.id in only)


def _require_within(only: Sequence[str], wanted: Sequence[Check], *, cost: Cost) -> None:
    if cost != "model" and wanted and all(check.cost == "model" for check in wanted):
        raise RatchetError(
            f"--fast leaves out what fits a model, but --only asks for nothing else: {', '.join(only)}.",
            next_step="Leave out --fast.",
        )
