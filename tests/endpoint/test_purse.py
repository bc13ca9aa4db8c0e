from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import LIMIT, ask
from ratchet.endpoint.prompt import Prompt
from ratchet.endpoint.purse import Purse
from ratchet.recipe.endpoint import EndpointLimit, EndpointSpec

Asking = Server = Any  # they are in conftest.py
Prompts = Callable[[str], Prompt]

PRICE = {"input": 1000.0, "output": 2000.0}
"""A reply of the server, 10 and 5 tokens, costs .02."""


def texts(count: int) -> list[str]:
    return [f"row {number}" for number in range(count)]


def test_the_limit_of_requests_holds_and_a_higher_one_goes_on(server: Server, asking: Asking) -> None:
    asked = asking(*texts(10), limit={"requests": 4}, concurrency=3)
    assert len(server.requests) == asked.requests == 4
    assert asked.reasons == {LIMIT: 6}
    assert not asking(*texts(10), limit={"requests": 6}).failures
    assert len(server.requests) == 10
    assert not asking(*texts(10), limit={"requests": 0}).failures


def test_further_tries_count_as_requests(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.json(503, {"error": "busy"})
    asked = asking("a", "b", limit={"requests": 3}, retries=9)
    assert len(server.requests) == 3
    assert asked.failures == {0: LIMIT, 1: LIMIT}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_limit_of_cost_is_used_but_never_exceeded(server: Server, asking: Asking, concurrency: int) -> None:
    # At worst a request costs (5 bytes + 32) * .001 + 10 * .002 = .057; it really costs .02.
    keys = {"price": PRICE, "max_tokens": 10, "concurrency": concurrency}
    asked = asking(*texts(10), limit={"cost": 0.1}, **keys)
    assert asked.spent == pytest.approx(0.06)  # a fourth one could have ended at .117
    assert asked.reasons == {LIMIT: 7}
    assert len(server.requests) == 3
    further = asking(*texts(10), limit={"cost": 1.0}, **keys)
    assert not further.failures
    assert further.spent == pytest.approx(0.14)
    assert further.cost == pytest.approx(0.2)
    assert asking(*texts(10), limit={"cost": 0.0}, **keys).failures == {}


def test_what_nobody_knows_the_price_of_counts_at_its_worst(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.json(200, {})
    asked = asking(*texts(10), price=PRICE, max_tokens=10, limit={"cost": 0.12}, concurrency=1)
    assert len(server.requests) == 2
    assert (asked.spent, asked.unsure) == (0, pytest.approx(0.114))


def test_a_purse_is_shared_by_several_calls(server: Server, tmp_path: Path, prompt: Prompts) -> None:
    spec = EndpointSpec(url=server.url, model="m")
    purse = Purse(EndpointLimit(requests=5))
    with Cache(tmp_path / "c") as cache:
        first = ask([prompt(text) for text in texts(3)], spec=spec, cache=cache, purse=purse)
        second = ask([prompt(text) for text in texts(9)[3:]], spec=spec, cache=cache, purse=purse)
    assert (first.requests, second.requests) == (3, 2)
    assert second.reasons == {LIMIT: 4}
