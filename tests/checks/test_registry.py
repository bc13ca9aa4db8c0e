"""The contract that every check keeps, and the function that runs them."""

from __future__ import annotations

import json
import re
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from ratchet.checks import CHECKS, Check, Context, Finding, run_checks
from ratchet.checks import registry as registry_module
from ratchet.checks.finding import ID, SEVERITIES
from ratchet.errors import DataError, RatchetError
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import CheckConfig, ColumnRule, Recipe
from ratchet.tables.dataset import Dataset

EVERY = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)


def run(check: Check, dataset: Dataset, **extra: Any) -> list[Finding]:
    return list(check.run(Context(dataset=dataset, recipe=Recipe(), seed=5, **extra)))


def keeps_the_contract(check: Check, dataset: Dataset, findings: list[Finding]) -> None:
    for finding in findings:
        assert ID.fullmatch(finding.id)
        assert finding.id in check.gives
        assert finding.severity in SEVERITIES
        assert finding.message.endswith((".", "?"))
        assert finding.why.endswith(".")
        assert "  " not in finding.message
        assert finding.share is None or 0 <= finding.share <= 1
        assert len(finding.examples) <= 3
        limits = {file: dataset.origin[dataset.file_index == i].max() for i, file in enumerate(dataset.files)}
        for example in finding.examples:
            assert 1 <= example.row <= limits[example.file]
            assert example.column in dataset.table.column_names
            assert len(example.text) <= 480
        for file, rows in finding.row_numbers.items():
            assert (rows[:-1] < rows[1:]).all()
            assert 1 <= rows[0] <= rows[-1] <= limits[file]
        if finding.row_numbers:
            assert sum(map(len, finding.row_numbers.values())) == finding.rows
        if finding.fix:
            parse_recipe(finding.fix, folder=".")
        json.dumps(finding.to_dict(), allow_nan=False)


@EVERY
def test_a_chinese_table(check: Check, chinese: Dataset) -> None:
    keeps_the_contract(check, chinese, run(check, chinese))


@EVERY
def test_an_english_table_in_two_files(check: Check, english: Dataset) -> None:
    keeps_the_contract(check, english, run(check, english))


@EVERY
def test_the_same_table_gives_the_same_findings(check: Check, chinese: Dataset, english: Dataset) -> None:
    for dataset in (chinese, english):
        first, second = ([f.to_dict() for f in run(check, dataset)] for _ in range(2))
        assert first == second


@EVERY
@pytest.mark.parametrize(
    "columns",
    [
        {"text": []},
        {"text": [None, None, None]},
        {"text": ["a", None], "label": [None, None]},
        {"text": [None, "b"], "label": ["x", "y"]},
        {"text": ["same"] * 70, "label": ["x", "y"] * 35},
        {"text": ["same"] * 70, "label": ["x"] * 70},
        {"text": ["\u200b", "!", "\u0092", "\x00"], "label": ["x", "y", "x", "y"]},
        {"text": ["a b", "c d"], "other": [None, None]},
        {"text": ['["a"]', '{"b": 1}'] * 30, "label": ["[1, 2]", '{"c": 3}'] * 30},
        {"text": [f"text {i}" for i in range(60)], "label": [f"label {i}" for i in range(60)]},
    ],
    ids=[
        "no rows",
        "empty column",
        "no label",
        "missing text",
        "all copies",
        "one class",
        "odd",
        "no labels",
        "json",
        "ids",
    ],
)
def test_tables_that_hold_nothing_usual(check: Check, columns: dict[str, list[str | None]], table: Any) -> None:
    dataset = table(columns)
    keeps_the_contract(check, dataset, run(check, dataset))


@EVERY
def test_rows_of_the_test_files(check: Check, english: Dataset) -> None:
    test = english.take(range(30))
    keeps_the_contract(check, english, run(check, english, test=test))


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
