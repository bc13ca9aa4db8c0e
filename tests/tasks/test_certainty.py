from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
from scipy.special import softmax

from ratchet.models.targets import Targets
from ratchet.tasks.certainty import ABSTAIN
from ratchet.tasks.registry import TASKS, task_of

NAMES = ("a", "b", "c")
ANSWERS = np.array([[0.9, 0.06, 0.04], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6]], np.float32)
PROMISE = {ABSTAIN: {"below": 0.6, "error": 0.01, "confidence": 0.95}}
NOTHING = {ABSTAIN: {"below": None, "error": 0.01, "confidence": 0.95}}


def test_answers_below_the_threshold_are_left_to_people() -> None:
    task = task_of("classification")
    found = task.predictions(ANSWERS, names=NAMES, facts=PROMISE)
    assert [one["abstain"] for one in found] == [False, True, False], "the threshold itself is answered"
    assert [one["label"] for one in found] == ["a", "a", "c"]
    cells = task.cells(ANSWERS, names=NAMES, facts=PROMISE, each_label=True)
    assert [row["abstain"] for row in cells] == [False, True, False]
    assert [*cells[0]] == [*task.cell_types(NAMES, each_label=True, facts=PROMISE)]
    assert [*cells[0]][:3] == ["prediction", "probability", "abstain"]


def test_a_bundle_without_a_promise_says_nothing_and_one_that_cannot_keep_it_answers_nothing() -> None:
    for name in ("classification", "multilabel"):
        task = task_of(name)
        assert all("abstain" not in one for one in task.predictions(ANSWERS, names=NAMES, facts={}))
        assert "abstain" not in task.cell_types(NAMES, each_label=False)
        assert "abstain" not in task.schema(names=NAMES, facts={})["properties"]
        assert all(one["abstain"] is True for one in task.predictions(ANSWERS, names=NAMES, facts=NOTHING))


@pytest.mark.parametrize("name", ["classification", "multilabel"])
@pytest.mark.parametrize("facts", [PROMISE, NOTHING, {**PROMISE, "temperature": 0.5}, {"temperature": 3.0}])
def test_the_schema_tells_what_is_written(name: str, facts: dict) -> None:
    task = task_of(name)
    schema = task.schema(names=NAMES, facts=facts)
    found = task.predictions(ANSWERS, names=NAMES, facts=facts)
    for one in [*json.loads(json.dumps(found)), *schema["examples"]]:
        jsonschema.validate(one, schema)
        assert {*one} == {*schema["properties"]}
    assert ("at most 1 % are wrong" in json.dumps(schema)) == (ABSTAIN in facts)
    types = task.cell_types(NAMES, each_label=True, facts=facts)
    for row in task.cells(ANSWERS, names=NAMES, facts=facts, each_label=True):
        assert [*row] == [*types]
        assert all(isinstance(value, types[key]) for key, value in row.items())


def test_the_temperature_is_in_the_probabilities_and_the_label_stays() -> None:
    task = task_of("classification")
    plain, cold = (task.predictions(ANSWERS, names=NAMES, facts=facts) for facts in ({}, {"temperature": 0.5}))
    assert [one["label"] for one in cold] == [one["label"] for one in plain]
    wanted = softmax(np.log(ANSWERS.astype(np.float64)) / 0.5, axis=1)
    assert np.array([[*one["probabilities"].values()] for one in cold]) == pytest.approx(wanted, abs=1e-6)
    assert [one["probability"] for one in cold] == pytest.approx(wanted.max(axis=1), abs=1e-6)
    promise = {**PROMISE, "temperature": 0.5}  # the second answer gets surer than .6 at least, .658
    assert [one["abstain"] for one in task.predictions(ANSWERS, names=NAMES, facts=promise)] == [False] * 3
    several = task_of("multilabel").predictions(ANSWERS, names=NAMES, facts={"temperature": 0.5})
    assert [one["labels"] for one in several] == [["a"], ["a"], ["c"]], "a label of .5 is given at every temperature"


def test_confidence_and_right() -> None:
    one, some = task_of("classification"), task_of("multilabel")
    assert one.confidence(ANSWERS) == pytest.approx([0.9, 0.5, 0.6])
    assert some.confidence(ANSWERS) == pytest.approx([0.9 * 0.94 * 0.96, 0.5 * 0.7 * 0.8, 0.8 * 0.8 * 0.6])
    assert one.right(Targets.of_labels(["a", "b", "c"]), ANSWERS).tolist() == [True, False, True]
    assert some.right(Targets.of_sets([["a"], ["a", "b"], ["c"]]), ANSWERS).tolist() == [True, False, True]
    assert one.confidence(ANSWERS[:0]).tolist() == []


def test_tasks_with_probabilities_have_a_confidence() -> None:
    for task in TASKS:
        assert (task.confidence(ANSWERS) is not None) == task.shares
        assert task.served(ANSWERS, {}) is ANSWERS
