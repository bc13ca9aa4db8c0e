from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from ratchet.contenders.base import CARD, Contender
from ratchet.contenders.latency import Timed
from ratchet.contenders.rows import PartedRows
from ratchet.metrics.evidence import Evidence
from ratchet.stages import offers
from ratchet.stages.entrants import champion
from ratchet.stages.job import Job
from ratchet.stages.offers import measured


@pytest.fixture(scope="module")
def rows(job: Job) -> PartedRows:
    return PartedRows.load(next(job.workspace.data.glob("rows-*")))


@pytest.fixture(scope="module")
def contenders(job: Job) -> list[Contender]:
    return [Contender.load(path.parent) for path in sorted(job.workspace.models.glob(f"*/{CARD}"))]


def told(contender: Contender, **facts: object) -> Contender:
    return replace(contender, card={**contender.card, "facts": {**contender.card["facts"], **facts}})


def test_the_champion_and_the_best_of_each_kind_are_timed_together(
    job: Job, rows: PartedRows, contenders: list[Contender], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def latency(models: list[Timed], **how: int) -> list[np.ndarray]:
        calls.append(len(models))
        assert all(len(one.texts) == len(one.rows) <= offers.TIMED for one in models)
        found = [np.full((how["rounds"], len(one.rows)), 0.001 * (n + 1)) for n, one in enumerate(models)]
        for seconds in found:
            seconds[:, 0] = np.nan  # there was no time for it
        return found

    monkeypatch.setattr(offers, "latency", latency)
    forms, found = measured(job, rows, contenders, metric="accuracy", timed=True)
    assert len(calls) == 1
    names = {one.contender.name for one in found}
    assert champion(job, rows).name in names
    assert {one.contender.ref.kind for one in found} == {one.ref.kind for one in contenders if one.learns}
    assert "majority" not in names
    assert {one.cost_per_row for one in found} == {0.0}
    names = [form.contender.name for form in forms]
    assert len(names) > 1
    assert all(name.startswith(before) for before, name in pairwise(names))
    by_name = {one.contender.name: (one.p50_ms, one.p95_ms) for one in found}
    assert all(by_name[form.contender.name] == (form.p50_ms, form.p95_ms) for form in forms)


def test_without_a_bundle_only_what_is_known_is_told(job: Job, rows: PartedRows, contenders: list[Contender]) -> None:
    assert measured(job, rows, contenders, metric="accuracy", timed=False) == ((), ())
    asked = told(contenders[0], cost_per_row=0.002, latency_ms={"p50": 300.0, "p95": 900.0})
    forms, (one,) = measured(job, rows, [asked, *contenders[1:]], metric="accuracy", timed=False)
    assert forms == ()
    assert (one.cost_per_row, one.p50_ms, one.p95_ms) == (0.002, 300.0, 900.0)
    assert one.score.metric == "accuracy"


def test_cost_and_latency_of_rows_are_known_too(
    job: Job, rows: PartedRows, contenders: list[Contender], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Contender.evidence

    def evidence(self: Contender, of: PartedRows, **more: Any) -> Evidence:
        found = plain(self, of, **more)
        n = len(found.rows)
        cost, took = np.full(n, 0.5), np.full(n, 0.1)
        return replace(found, outcomes={**found.outcomes, "cost": cost, "latency": took})

    monkeypatch.setattr(Contender, "evidence", evidence)
    _, (one,) = measured(job, rows, contenders[:1], metric="accuracy", timed=False)
    assert (one.cost_per_row, one.p50_ms, one.p95_ms) == (0.5, 100.0, 100.0)
