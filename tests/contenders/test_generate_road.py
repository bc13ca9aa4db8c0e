"""New rows from an endpoint through whole runs, against a server on the loopback address."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.augment.conftest import writes
from tests.endpoint.conftest import Server
from tests.trial import Trial

from ratchet.contenders.rows import PartedRows

SEES = "baseline.C=10"
"""A champion that learns."""


def challenger(server: Server, *more: str) -> str:
    keys = [f"endpoint: {{{', '.join([f'url: {server.url!r}', 'model: m', 'timeout: 5', 'retries: 0', *more])}}}"]
    return f"{{{', '.join(['kind: generate', 'name: gen', 'shots: 3', *keys])}}}"


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_new_rows_challenge_and_each_request_is_paid_for_once(
    trial: Callable[..., Trial], server: Server, task: str
) -> None:
    made = trial(task)
    server.play = writes
    summary = made.run(challenger(server, "price: {input: 1}"), SEES, until="train")
    assert "gen" in [verdict["name"] for verdict in summary["verdicts"]]
    assert made.lines(f"gen: texts of training rows are sent to {server.url}")
    assert len(set(server.asked)) == len(server.requests)
    rows = PartedRows.load(next((made.folder / "w" / "data").glob("rows-*")))
    hidden = {rows.dataset.texts[row] for row in rows.parts.test.tolist()}
    assert hidden
    assert not [text for text in hidden for prompt in server.asked if text in prompt]
    files = sorted((made.folder / "w" / "models" / "made").glob("*/fold-*.jsonl"))
    assert len(files) == 3
    for file in files:
        lines: list[dict[str, Any]] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert lines
        for line in lines:
            parents = line.get("parent_rows", [line["parent_row"]])
            folds = set(rows.parts.fold[parents].tolist())
            assert parents[0] == line["parent_row"]
            assert len(folds) == 1
            assert folds.isdisjoint({int(file.stem.split("-")[1])})
            assert line["model"] == "m-1"
    told = made.card("gen")["facts"]["made_with"]
    assert [one["model"] for one in told] == ["m-1"] * 3, "one for each fold"
    assert sum(one["sent"] for one in told) == len(server.requests)
    assert all(one["cost"] > 0 and one["tokens"]["input"] > 0 for one in told)
    sent = len(server.requests)
    made.run(challenger(server, "price: {input: 1}", "concurrency: 1"), SEES)
    assert len(server.requests) == sent


def test_a_limit_skips_the_challenger_and_a_higher_one_goes_on(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()
    server.play = writes
    summary = made.run(challenger(server, "limit: {requests: 7}"), SEES, until="train")
    assert "gen" not in [verdict["name"] for verdict in summary["verdicts"]]
    assert len(server.requests) == 7
    assert "limit is reached" in made.lines("gen: skipped")[0]
    summary = made.run(challenger(server, "limit: {requests: 1000}"), SEES, until="train")
    assert "gen" in [verdict["name"] for verdict in summary["verdicts"]]
    assert len(set(server.asked)) == len(server.requests)
