from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

import ratchet.stages
from ratchet.errors import RecipeError
from ratchet.report import ReportData
from ratchet.stages.names import SECTIONS, UNTIL, Stage, last_stage


def timed() -> list[ast.expr]:
    """What is handed to each ``job.stage(...)``."""
    found = []
    for path in sorted(Path(ratchet.stages.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "stage":
                found += node.args
    return found


def test_every_stage_is_timed_by_its_name() -> None:
    names = [node.attr for node in timed() if isinstance(node, ast.Attribute)]
    assert len(names) == len(timed()), "a stage is spelled out"
    assert set(names) == {stage.name for stage in Stage}


def test_a_run_may_stop_only_at_stages_in_the_order_of_the_road() -> None:
    order = list(Stage)
    places = [order.index(stage) for stage in UNTIL.values()]
    assert places == sorted(places)


def test_a_run_stops_only_where_it_can() -> None:
    assert [last_stage(until) for until in UNTIL] == [*UNTIL.values()]
    with pytest.raises(RecipeError, match="must stop at one of check, prepare, train but got 'baseline'"):
        last_stage("baseline")


def test_sections_are_those_of_the_report() -> None:
    assert set(SECTIONS) <= {field.name for field in fields(ReportData)}
