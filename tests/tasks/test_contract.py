"""What every task must hold to, from a table to predictions; and tables that no model can learn from, task by task."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import score
from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.tables.dataset import Dataset
from ratchet.tasks.generation import BESIDE
from ratchet.tasks.registry import TASKS, guess_task, task_of
from ratchet.tasks.task import Task

Table = Callable[..., Dataset]
ROWS = 240
TEXTS = [f"text {n}" for n in range(ROWS)]


def one_hot(targets: Targets) -> Answers:
    return np.eye(len(targets.names), dtype=np.float32)[targets.values]


def column(targets: Targets) -> Answers:
    return targets.values[:, None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Cells of an answer column, and the answers that are right in every row."""

    cells: list[str]
    perfect: Callable[[Targets], Answers]


CASES = {
    "classification": Case(cells=[("a", "b", "b")[n % 3] for n in range(ROWS)], perfect=one_hot),
    "multilabel": Case(
        cells=[
            json.dumps([name for name, every in (("a", 2), ("b", 3), ("c", 5)) if n % every == 0]) for n in range(ROWS)
        ],
        perfect=lambda targets: targets.values.astype(np.float32),
    ),
    "regression": Case(cells=[f"{(n * 37) % 101 / 4}" for n in range(ROWS)], perfect=column),
    "generation": Case(cells=[json.dumps({"total": 0 if n % 4 == 0 else n}) for n in range(ROWS)], perfect=column),
}

OTHERWISE = {"json_valid": ["no" if n % 4 == 0 else json.dumps({"total": n}) for n in range(ROWS)]}
"""Cells for a metric that those of its task tell nothing about: here most of them are right and one champion is not."""


def dataset(table: Table, name: str) -> Dataset:
    return table({"text": TEXTS, "label": CASES[name].cells})


def evidence(task: Task, targets: Targets, answers: Answers, *, metric: str, name: str) -> Evidence:
    columns = task.columns(targets, answers, metrics=(metric,))
    return Evidence(name=name, rows=np.arange(len(targets)), targets=columns.targets, outcomes=columns.outcomes)


def test_every_task_has_a_case() -> None:
    assert [task.name for task in TASKS] == [*CASES]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_table_becomes_targets_and_strata(table: Table, task: Task) -> None:
    rows = task.read(dataset(table, task.name))
    task.require_trainable(rows)
    assert task.read(rows).labels == rows.labels, "reading twice changes nothing"
    targets = task.targets(rows.labels)
    assert len(targets) == ROWS
    assert task.targets(rows.labels, names=targets.names).values.tolist() == targets.values.tolist()
    strata = task.strata(rows.labels)
    assert strata is None or len(strata) == ROWS
    assert task.imbalance(targets) >= 1
    assert task.margin(targets) > 0
    assert guess_task(rows).name in (task.name, "classification")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_perfect_answers_are_better_than_the_first_champion_by_every_metric(table: Table, task: Task) -> None:
    for metric in (name for name in task.metrics if name not in BESIDE):  # a judge must be asked
        columns = {"text": TEXTS, "label": OTHERWISE.get(metric, CASES[task.name].cells)}
        targets = task.targets(task.read(table(columns)).labels)
        first, perfect = task.first_champion(targets), CASES[task.name].perfect(targets)
        assert first.labels == targets.names
        champion = evidence(task, targets, first.predict(TEXTS), metric=metric, name="first")
        challenger = evidence(task, targets, perfect, metric=metric, name="perfect")
        for side in (champion, challenger):
            found = score(side, metric)
            assert math.isfinite(found.value)
            assert found.low <= found.value <= found.high, (metric, found)
        assert score(challenger, metric).value > score(champion, metric).value, metric
        assert compare(challenger, champion, [metric]).outcome == "better", metric
        assert compare(champion, challenger, [metric]).outcome == "worse", metric
        same = compare(replace(champion, name="again"), champion, [metric])
        assert same.outcome not in ("better", "worse"), metric
        assert not same.promotes


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_worst_rows_are_wrong_ones(table: Table, task: Task) -> None:
    targets = task.targets(task.read(dataset(table, task.name)).labels)
    first, perfect = task.first_champion(targets), CASES[task.name].perfect(targets)
    assert task.worst(targets, perfect, most=5) == [] or task.name == "regression"
    assert 1 <= len(task.worst(targets, first.predict(TEXTS), most=5)) <= 5


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_model_is_at_parity_with_itself_and_not_with_another(table: Table, task: Task) -> None:
    targets = task.targets(task.read(dataset(table, task.name)).labels)
    first, perfect = task.first_champion(targets).predict(TEXTS), CASES[task.name].perfect(targets)
    same = task.parity(first, first.copy())
    assert (same.max_difference, same.disagreements, same.n) == (0.0, 0, ROWS)
    other = task.parity(perfect, first)
    assert other.max_difference > 0.1 or other.disagreement > 0.1


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_predictions_are_json_and_cells_of_a_table(table: Table, task: Task) -> None:
    targets = task.targets(task.read(dataset(table, task.name)).labels)
    perfect = CASES[task.name].perfect(targets)
    facts = task.facts(targets, task.first_champion(targets).predict(TEXTS))
    found = task.predictions(perfect, names=targets.names, facts=facts)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    schema = task.schema(names=targets.names, facts=facts)
    jsonschema.Draft202012Validator.check_schema(schema)
    for one in [*found, *schema["examples"]]:
        jsonschema.validate(one, schema)
        assert {*one} == {*schema["properties"]}
    for each_label in (False, task.shares):
        types = task.cell_types(targets.names, each_label=each_label)
        assert next(iter(types)) == "prediction"
        cells = task.cells(perfect, names=targets.names, facts=facts, each_label=each_label)
        for row in cells:
            assert [*row] == [*types]
            assert all(value is None or isinstance(value, types[name]) for name, value in row.items())
            assert all(isinstance(name, str) for name in task.counted(row))
    assert task.predictions(perfect[:0], names=targets.names, facts=facts) == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_right_answers_from_outside_are_perfect_and_none_are_worst(table: Table, task: Task) -> None:
    rows = task.read(dataset(table, task.name))
    targets = task.targets(rows.labels)
    cells = [task.understood(label, names=targets.names).value for label in rows.labels]
    assert None not in cells
    found = evidence(task, targets, task.answers(cells, targets), metric=task.metrics[0], name="outside")
    perfect = evidence(task, targets, CASES[task.name].perfect(targets), metric=task.metrics[0], name="perfect")
    assert score(found, task.metrics[0]).value == pytest.approx(score(perfect, task.metrics[0]).value)
    nothing = task.answers([None] * ROWS, targets)
    silent = evidence(task, targets, nothing, metric=task.metrics[0], name="silent")
    assert score(silent, task.metrics[0]).value < score(perfect, task.metrics[0]).value


COLUMNS = {
    "classification": (["prediction", "probability"], ["probability_a", "probability_b"]),
    "multilabel": (["prediction"], ["probability_a", "probability_b"]),
    "regression": (["prediction", "prediction_low", "prediction_high"], []),
    "generation": (["prediction"], []),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_columns_of_a_file(name: str) -> None:
    task, (plain, more) = task_of(name), COLUMNS[name]
    assert [*task.cell_types(("a", "b"), each_label=False)] == plain
    assert [*task.cell_types(("a", "b"), each_label=True)] == [*plain, *more]


def cells(*values: str | None) -> dict[str, list[str | None]]:
    return {"text": [f"text {n}" for n in range(len(values))], "label": [*values]}


NAMES = [task.name for task in TASKS]
BAD: list[tuple[str, dict[str, list[str | None]], str]] = [
    *((name, {"text": ["a", "b"]}, "must be a column of its own but is None") for name in NAMES),
    *((name, cells(None, None), "Column 'label' must hold the .* but is empty in all 2 rows") for name in NAMES),
    *((name, {"text": [None, None], "label": ["1", "2"]}, "must hold the texts but is empty") for name in NAMES),
    ("classification", cells("a", "a", "a"), "must hold at least 2 labels but all 3 rows are 'a'"),
    ("classification", cells("a", "a", "b"), r"Every label must have at least 2 rows but 'b' has 1 \(.*row 3"),
    ("multilabel", cells("[]", "[]"), "every list is empty"),
    (
        "multilabel",
        cells('["a", "c"]', '["a", "b"]'),
        "Every label should have at least 2 rows but 2 of 3 have fewer: 'b', 'c'",
    ),
    ("multilabel", cells('["a"]', '["a"]', '["a"]'), "must hold different lists of labels but all 3 rows are"),
    ("multilabel", cells("one text", "another", "a third"), "It looks like free text"),
    ("regression", cells("1", "2", "many"), r"must hold numbers .* but row 3 of a.csv has 'many'\."),
    ("regression", cells("1", "x", "y"), r"row 2 of a.csv has 'x' \(2 such cells\)"),
    ("regression", cells("1", "inf"), "row 2 of a.csv has 'inf'"),
    ("regression", cells("1", "-∞"), "row 2 of a.csv has '-∞'"),
    ("regression", cells("1", "1e400"), "row 2 of a.csv has '1e400'"),
    ("regression", cells("1", "1e31"), "at most 1e\\+30 but row 2 of a.csv has '1e31'"),
    ("regression", cells("1", "nan"), "row 2 of a.csv has 'nan'"),
    ("regression", cells("3", "3.0", "3"), "must hold different numbers but all 3 rows are '3'"),
]


@pytest.mark.parametrize("at", range(len(BAD)))
def test_a_table_that_teaches_nothing_is_refused(table: Table, at: int) -> None:
    name, columns, message = BAD[at]
    roles: dict[str, Any] = {} if "label" in columns else {"label": None}
    with pytest.raises(DataError, match=message):
        task_of(name).require_trainable(task_of(name).read(table(columns, **roles)))


def test_units_and_widths_of_numbers(table: Table) -> None:
    task = task_of("regression")
    rows = table(cells("12万", "3%", "1,200", "￥5", "１.５", "-2e3"))
    task.require_trainable(rows)
    assert task.targets(rows.labels).values.tolist() == pytest.approx([120_000, 0.03, 1_200, 5, 1.5, -2_000])


def test_one_wild_number_moves_neither_margin_nor_strata(table: Table) -> None:
    task = task_of("regression")
    plain = [f"{n % 50}" for n in range(200)]
    wild = task.targets([*plain, "1e9"])
    assert task.margin(wild) == pytest.approx(task.margin(task.targets(plain)), rel=0.05)
    strata = task.strata([*plain, "1e9"]) or []
    assert max(strata.count(one) for one in set(strata)) <= 22
    champion = task.first_champion(wild)
    assert np.isfinite(champion.predict(["a"])).all()


@pytest.mark.parametrize(
    "spelled",
    [
        ['["a", "b"]', '["b"]', '["a"]', "[]"],
        ["['a', 'b']", "['b']", "['a']", "[]"],
        ["a;b", "b", "a", "[]"],
        ["a、b", "b", "a", "[]"],
        ["b | a", "b", " a", "[]"],
    ],
)
def test_lists_in_any_spelling(table: Table, spelled: list[str]) -> None:
    repeated = spelled * 4
    more = [spelled[0].replace("b", "c"), spelled[0].replace("a", "c"), spelled[1].replace("b", "c")] * 4
    rows = task_of("multilabel").read(table(cells(*repeated, *more)))
    assert rows.labels[:4] == ['["a", "b"]', '["b"]', '["a"]', "[]"]
    assert rows.labels[16:19] == ['["a", "c"]', '["b", "c"]', '["c"]']


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_a_thousand_labels(table: Table, name: str) -> None:
    task = task_of(name)
    labels = [f"l{n % 1000:03}" for n in range(3_000)]
    rows = task.read(table(cells(*([json.dumps([label]) for label in labels] if name == "multilabel" else labels))))
    task.require_trainable(rows)
    targets = task.targets(rows.labels)
    first = task.first_champion(targets).predict(["x"])
    assert first.shape == (1, 1_000)
    assert len(task.schema(names=targets.names, facts={})["examples"][0]["probabilities"]) == 3
    assert len(task.cell_types(targets.names, each_label=True)) >= 1_001


def test_answers_with_halves_of_surrogate_pairs() -> None:
    task = task_of("generation")
    targets = task.targets(["a\ud83d", "b", "b"])
    answers = column(targets)
    task.columns(targets, answers, metrics=("exact_match", "token_f1", "contains"))
    found = task.predictions(answers, names=targets.names, facts={})
    assert [one["text"] for one in found] == ["a\ufffd", "b", "b"]
    json.dumps(found, ensure_ascii=False).encode()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=8) | st.none(), min_size=1, max_size=5))
def test_any_text_is_written_whole(texts: list[str | None]) -> None:
    task = task_of("generation")
    answers = np.empty((len(texts), 1), dtype=object)
    answers[:, 0] = texts
    found = [one["text"] for one in task.predictions(answers, names=("answer",), facts={})]
    assert found == texts  # hypothesis draws no halves of pairs


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=4))
def test_any_probabilities_are_predictions(rows: list[list[float]]) -> None:
    answers = np.array(rows, np.float32)
    for name in ("classification", "multilabel"):
        task = task_of(name)
        found = task.predictions(answers, names=("x", "y", "z"), facts={})
        schema = task.schema(names=("x", "y", "z"), facts={})
        for one, row in zip(found, rows, strict=True):
            jsonschema.validate(one, schema)
            assert [*one["probabilities"].values()] == pytest.approx(row, abs=1e-6)
            if name == "classification":
                assert one["probability"] == max(one["probabilities"].values())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=5), st.floats(0, 1e30))
def test_an_interval_holds_its_value(values: list[float], half: float) -> None:
    found = task_of("regression").predictions(np.array(values)[:, None], names=("value",), facts={"half_width": half})
    assert all(one["low"] <= one["value"] <= one["high"] for one in found)
    assert [one["value"] for one in found] == values
