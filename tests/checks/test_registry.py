"""The registry of checks, and the function that runs them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from ratchet.checks import CHECKS, Check, Context, Finding, Health, Suspect, run_checks
from ratchet.checks import registry as registry_module
from ratchet.checks.finding import SEVERITIES
from ratchet.errors import DataError, RatchetError
from ratchet.recipe.sections import CheckConfig, ColumnRule, Recipe
from ratchet.tables.dataset import Dataset


def test_ids_are_of_one_check_each() -> None:
    names = [check.id for check in CHECKS]
    given = [id for check in CHECKS for id in check.gives]
    assert len(set(names)) == len(names)
    assert len(set(given)) == len(given)


def test_findings_come_by_severity_and_then_by_rows(chinese: Dataset) -> None:
    health = run_checks(chinese)
    order = [(SEVERITIES.index(finding.severity), -finding.rows) for finding in health.findings]
    assert order == sorted(order)
    assert health.worst == "error"
    ids = {finding.id for finding in health.findings}
    assert {"duplicates.exact", "labels.conflict", "leaks.naive_split"} <= ids


def test_threads_change_nothing(chinese: Dataset, english: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for dataset in (chinese, english):
        found = []
        for threads in (1, 8):
            monkeypatch.setattr(registry_module, "THREADS", threads)
            found.append(run_checks(dataset, cost="cheap").to_dict())
        assert found[0] == found[1]
        assert found[0]["findings"]


def test_costs_and_only_choose_the_checks(chinese: Dataset) -> None:
    told: list[tuple[str, int, int]] = []
    cheap = run_checks(chinese, cost="cheap", progress=lambda *step: told.append(step))
    assert [title for title, _, _ in told] == [check.title for check in CHECKS if check.cost == "cheap"]
    assert [done for _, done, _ in told] == list(range(len(told)))
    assert cheap.facts.naive is None
    assert cheap.facts.near_clusters is None
    one = run_checks(chinese, only=["labels"])
    assert {finding.id for finding in one.findings} == {"labels.conflict"}
    assert one.facts.naive is None
    with pytest.raises(RatchetError, match=re.escape("got 'label'. Did you mean 'labels'?")):
        run_checks(chinese, only=["label"])


def test_a_cheap_run_fits_no_model(chinese: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.models.linear_fit.fit_rows", lambda *_, **__: pytest.fail("a model was fitted"))
    run_checks(chinese, cost="pairs")


def test_a_check_that_fails_does_not_hide_the_others(chinese: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: Context) -> Any:
        yield context.finding("odd.thing", severity="note", message="One.", why="It is.")
        raise DataError("The moon must be up but is not.", next_step="Wait.")

    odd = Check(id="odd", title="Odd", cost="cheap", gives=("odd.thing",), run=fail)
    monkeypatch.setattr(registry_module, "CHECKS", (odd, *CHECKS))
    ids = {finding.id: finding for finding in run_checks(chinese, cost="cheap").findings}
    assert {"odd.thing", "check.failed", "duplicates.exact"} <= set(ids)
    assert "The moon must be up" in ids["check.failed"].message
    assert ids["check.failed"].severity == "warning"


def test_what_is_no_error_of_ours_comes_through(chinese: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: Context) -> Any:
        raise ZeroDivisionError(len(context.groups))

    odd = Check(id="odd", title="Odd", cost="cheap", gives=(), run=fail)
    monkeypatch.setattr(registry_module, "CHECKS", (*CHECKS, odd))
    with pytest.raises(ZeroDivisionError):
        run_checks(chinese, cost="cheap")


def outside(name: str, value: object) -> EntryPoint:
    class Point(EntryPoint):
        def load(self) -> Any:
            if isinstance(value, Exception):
                raise value
            return value

    return Point(name=name, value=f"package:{name}", group="ratchet.checks")


def short(context: Context) -> list[Finding]:
    return [
        context.finding("own.short", severity="note", message="A text is short.", why="It says little.", positions=[0])
    ]


def test_checks_of_other_packages(chinese: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Check(id="own", title="Own", cost="cheap", gives=("own.short",), run=short)
    points = [outside("own", own), outside("broken", ImportError("no module named x")), outside("odd", 3)]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points if group == "ratchet.checks" else [])
    findings = run_checks(chinese, cost="cheap").findings
    assert "own.short" in {finding.id for finding in findings}
    failed = {finding.column: finding.message for finding in findings if finding.id == "check.failed"}
    assert "must be importable but got: no module named x" in failed["broken"]
    assert "must be a ratchet.checks.Check but is int" in failed["odd"]
    with pytest.raises(RatchetError, match="must be importable"):
        registry_module.checks()


def test_a_check_of_another_package_does_not_hide_one_of_the_same_name(
    chinese: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Check(id="duplicates", title="Own", cost="cheap", gives=("own.short",), run=short)
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [outside("own", own)])
    ids = [finding.id for finding in run_checks(chinese, cost="cheap").findings]
    assert (ids.count("own.short"), ids.count("duplicates.exact")) == (1, 1)


def test_wrong_rules_are_refused_before_anything_runs(chinese: Dataset) -> None:
    def recipe(**rules: ColumnRule) -> Recipe:
        return Recipe(check=CheckConfig(columns=rules))

    with pytest.raises(RatchetError, match=re.escape("but got 'txt'. Did you mean 'text'?")):
        run_checks(chinese, config=recipe(txt=ColumnRule()))
    with pytest.raises(
        RatchetError, match=r"check.columns.text.pattern must be a regular expression of RE2 .*look-around"
    ):
        run_checks(chinese, config=recipe(text=ColumnRule(pattern="(?=a)")))


def test_health_survives_json_with_the_row_numbers_that_were_written(chinese: Dataset) -> None:
    doubted = Suspect(
        file="a.csv",
        row=3,
        text="x",
        label="pos",
        suggested="neg",
        probability=0.1,
        suggested_probability=0.9,
        copies=2,
    )
    health = replace(run_checks(chinese), suspects=(doubted,))
    assert health.findings
    again = Health.from_dict(json.loads(json.dumps(health.to_dict())))
    assert again.to_dict() == health.to_dict()
    assert again.facts == health.facts
    assert again.suspects == health.suspects
