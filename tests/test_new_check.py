"""CONTRIBUTING's steps for a check, taken for texts that shout: written, registered, run, and judged by the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from tests.checks.contract import UGLY, judge

from ratchet.checks import Check, Context, Finding, registry, run_checks
from ratchet.errors import RecipeError
from ratchet.tables.dataset import Dataset

GIVES = ("shouting.capitals",)
MANY = 0.1


def check(context: Context) -> Iterator[Finding]:
    """Texts without a small letter, where there are many of them."""
    wanted = np.array([text.isupper() and len(text) > 3 for text in context.texts], bool)
    rows = context.texts.rows(wanted)
    if len(rows) >= MANY * len(context.dataset) and len(rows):
        yield context.finding(
            "shouting.capitals",
            severity="note",
            message=f"{len(rows):,} texts are written in capitals.",
            why="A model that was trained on capitals alone knows no small letters.",
            positions=rows,
            fix="prepare:\n  text: [html]\n",
        )


SHOUTING = Check(id="shouting", title="Capitals", cost="cheap", gives=GIVES, run=check)


@pytest.fixture(params=["registry", "entry point"])
def registered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 3: a line in the registry; or, in a package of one's own, an entry point."""
    if request.param == "registry":
        monkeypatch.setattr(registry, "CHECKS", (*registry.CHECKS, SHOUTING))
        return
    point = EntryPoint(name="shouting", value=f"{__name__}:SHOUTING", group="ratchet.checks")
    monkeypatch.setattr(EntryPoint, "load", lambda self: SHOUTING)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])


@pytest.fixture
def shouted(table: Any) -> Dataset:
    texts = [f"PLEASE HELP NUMBER {i}" if i % 5 == 0 else f"please help number {i}" for i in range(50)]
    return table({"text": texts, "label": ["x", "y"] * 25})


def test_it_finds_what_it_looks_for_and_nothing_else(shouted: Dataset, english: Dataset, chinese: Dataset) -> None:
    (finding,) = judge(SHOUTING, shouted)
    assert (finding.id, finding.rows, finding.share) == ("shouting.capitals", 10, 0.2)
    assert finding.row_numbers["a.csv"].tolist() == [*range(1, 51, 5)]
    assert [example.row for example in finding.examples] == [1, 6, 11]
    assert judge(SHOUTING, english) == judge(SHOUTING, chinese) == []


@pytest.mark.parametrize("kind", UGLY)
def test_it_keeps_the_contract_of_the_checks_of_this_package(kind: str, table: Any) -> None:
    judge(SHOUTING, table(UGLY[kind]))


@pytest.mark.usefixtures("registered")
def test_it_runs_with_the_others_and_alone(shouted: Dataset) -> None:
    whole = run_checks(shouted, cost="cheap")
    assert "shouting.capitals" in {finding.id for finding in whole.findings}
    assert "check.failed" not in {finding.id for finding in whole.findings}
    alone = run_checks(shouted, only=["shouting"])
    assert [finding.id for finding in alone.findings] == ["shouting.capitals"]
    assert json.loads(json.dumps(alone.to_dict()))["findings"][0]["fix"].startswith("prepare:")


@pytest.mark.parametrize("fault", ["another id", "a share above one", "a fix that is no recipe"])
def test_the_contract_sees_a_check_that_breaks_it(fault: str, shouted: Dataset) -> None:
    def broken(context: Context) -> Iterator[Finding]:
        finding = context.finding(
            "shouting.other" if fault == "another id" else "shouting.capitals",
            severity="note",
            message="M.",
            why="W.",
            positions=[0, 1],
            fix="prepair: {}" if fault == "a fix that is no recipe" else "",
        )
        yield finding.among(1) if fault == "a share above one" else finding

    with pytest.raises((AssertionError, RecipeError)):
        judge(Check(id="shouting", title="Capitals", cost="cheap", gives=GIVES, run=broken), shouted)
