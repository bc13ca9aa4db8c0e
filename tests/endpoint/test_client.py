from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import STREAK, Clock, ask, pause, worst_case
from ratchet.endpoint.key import EndpointError
from ratchet.endpoint.prompt import Prompt
from ratchet.recipe.endpoint import EndpointPrice, EndpointSpec

Asking = Server = Stage = Any  # they are in conftest.py
Prompts = Callable[[str], Prompt]

PRICE = {"input": 1000.0, "output": 2000.0}
"""A reply of the server, 10 and 5 tokens, costs .02."""


def texts(count: int) -> list[str]:
    return [f"row {number}" for number in range(count)]


def test_each_row_gets_its_own_answer_in_order_and_the_request_is_as_the_recipe_says(
    server: Server, asking: Asking
) -> None:
    server.play = lambda stage: stage.answer(stage.asked.upper())
    asked = asking(*texts(30), concurrency=8, price=PRICE, max_tokens=7, temperature=0.5)
    assert [reply.text for reply in asked.replies] == [text.upper() for text in texts(30)]
    assert server.requests[0] == {
        "model": "m",
        "messages": [{"role": "user", "content": "row 0"}],
        "temperature": 0.5,
        "max_tokens": 7,
        "stream": False,
    }
    assert set(server.paths) == {"/v1/chat/completions"}
    assert "Authorization" not in server.headers[0]
    assert asked.requests == 30
    assert asked.spent == pytest.approx(30 * 0.02)
    assert asked.cost == pytest.approx(30 * 0.02)
    assert asked.failures == {}
    first = asked.replies[0]
    assert (first.prompt_tokens, first.completion_tokens, first.model, first.cached, first.attempts) == (
        10,
        5,
        "m-1",
        False,
        1,
    )
    assert first.seconds > 0


def test_no_more_at_once_than_allowed(server: Server, asking: Asking) -> None:
    together = threading.Barrier(3, timeout=5)

    def play(stage: Stage) -> None:
        if stage.number > 1:
            together.wait()  # breaks unless three requests are there at the same time
        stage.answer()

    server.play = play
    assert not asking(*texts(10), concurrency=3).failures
    assert server.most_at_once == 3


def test_the_second_run_pays_nothing_but_keeps_the_price(server: Server, asking: Asking) -> None:
    first = asking(*texts(5), price=PRICE)
    second = asking(*texts(5), price={"input": 9.0, "output": 9.0})
    assert len(server.requests) == 5
    assert (second.spent, second.requests) == (0, 0)
    assert second.cost == first.cost > 0
    assert all(reply.cached and not reply.attempts for reply in second.replies)
    assert [reply.text for reply in second.replies] == [reply.text for reply in first.replies]
    asking(*texts(5), temperature=1)  # another question
    assert len(server.requests) == 10


def test_equal_prompts_are_sent_once(server: Server, asking: Asking) -> None:
    asked = asking("same", "other", "same", "same", price=PRICE)
    assert sorted(server.asked) == ["other", "same"]
    assert [reply.cached for reply in asked.replies] == [False, False, True, True]
    assert asked.spent == pytest.approx(0.04)
    assert asked.cost == pytest.approx(0.08)


def test_prompts_with_a_reason_are_not_sent(server: Server, tmp_path: Path, prompt: Prompts) -> None:
    spec = EndpointSpec(url=server.url, model="m")
    long = Prompt(messages=({"role": "user", "content": "long"},), tokens=9, reason="too long")
    with Cache(tmp_path / "c") as cache:
        asked = ask([long, prompt("short")], spec=spec, cache=cache)
    assert asked.failures == {0: "too long"}
    assert server.asked == ["short"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529, 408])
def test_what_may_pass_is_tried_again(server: Server, asking: Asking, status: int) -> None:
    server.play = lambda stage: (
        stage.json(status, {"error": {"message": "busy"}}) if stage.number < 4 else stage.answer()
    )
    asked = asking("a", retries=3)
    assert asked.replies[0].text == "ham"
    assert asked.replies[0].attempts == 4
    for waited, longest in zip(asking.waited, (1, 2, 4), strict=True):
        assert longest / 2 <= waited <= longest


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_what_will_not_pass_is_not_tried_again(server: Server, asking: Asking, status: int) -> None:
    server.play = lambda stage: stage.json(status, {"error": {"message": "context too long"}})
    asked = asking("a", "b")
    assert asked.failures == dict.fromkeys((0, 1), f"status {status}: context too long")
    assert asked.reasons == {f"status {status}: context too long": 2}
    assert len(server.requests) == 2
    assert not asking.waited


def test_retries_end(server: Server, asking: Asking, prompt: Prompts) -> None:
    server.play = lambda stage: stage.json(503, {})
    asked = asking("a", retries=2, price=PRICE)
    assert asked.failures == {0: "status 503"}
    assert asked.replies[0].attempts == len(server.requests) == 3
    assert asked.spent == 0
    assert asked.unsure == pytest.approx(3 * worst_case(prompt("a"), price=EndpointPrice(**PRICE), max_tokens=256))


def test_retry_after_is_honoured_but_bounded(server: Server, asking: Asking) -> None:
    wanted = ["7", "86400", "soon", format_datetime(datetime.now(UTC) + timedelta(days=2)), "-3", "nan"]
    server.play = lambda stage: (
        stage.json(429, {}, Retry_After=wanted[stage.number - 1]) if stage.number <= len(wanted) else stage.answer()
    )
    assert asking("a", retries=len(wanted)).replies[0].text == "ham"
    assert asking.waited[:2] == [7, 60]
    assert 2 <= asking.waited[2] <= 4
    assert asking.waited[3] == 60


def test_pauses_grow_and_are_bounded() -> None:
    assert all(0.5 <= pause(0, after=None) <= 1 for _ in range(50))
    assert all(30 <= pause(50, after=None) <= 60 for _ in range(50))
    assert len({pause(3, after=None) for _ in range(20)}) > 1


def test_no_proxy_of_the_environment_is_used(server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert asking("a").replies[0].text == "ham"


def test_no_model_is_an_error(server: Server, tmp_path: Path, prompt: Prompts) -> None:
    with Cache(tmp_path / "c") as cache, pytest.raises(EndpointError, match="model must name"):
        ask([prompt("a")], spec=EndpointSpec.model_construct(model=" "), cache=cache)


def test_a_server_that_is_not_there_is_not_asked_for_every_row(server: Server, asking: Asking) -> None:
    server.url = "http://127.0.0.1:1/v1"
    asked = asking(*texts(200), retries=1, concurrency=2, price=PRICE)
    assert len(asked.failures) == 200
    assert asked.reasons == {"not asked: no connection": 199, "no connection": 1}
    assert asked.unsure == 0  # nothing was sent
    assert asked.requests == 2


def test_rows_that_the_endpoint_refuses_for_themselves_stop_nothing(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.json(400, {"error": "too long"}) if stage.asked != "good" else stage.answer()
    asked = asking(*texts(3 * STREAK), "good")
    assert asked.replies[-1].text == "ham"


def test_a_change_of_the_model_is_said_once_and_recorded(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.answer(model="m-1" if stage.number <= 3 else "m-2")
    for asked in (asking(*texts(6), concurrency=1), asking(*texts(6), concurrency=1)):  # stored replies tell it too
        assert asked.models == ("m-1", "m-2")
        assert asked.notes == (
            "The endpoint changed its model from 'm-1' to 'm-2': the rows were not all answered by one.",
        )
        assert [reply.model for reply in asked.replies] == ["m-1"] * 3 + ["m-2"] * 3


def test_structured_asks_for_one_of_the_labels(server: Server, asking: Asking) -> None:
    asked = asking("a", structured=True, labels=("spam", "ham"))
    schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == ["spam", "ham"]
    assert asked.replies[0].structured
    assert asked.notes == ()
    asking("b", structured=True)  # a task without labels
    assert "response_format" not in server.requests[1]


def test_structured_falls_back_once_and_says_so(server: Server, asking: Asking) -> None:
    def play(stage: Stage) -> None:
        if "response_format" in stage.body:
            stage.json(400, {"error": {"message": "unknown field response_format"}})
        else:
            stage.answer()

    server.play = play
    asked = asking(*texts(20), structured=True, labels=("spam", "ham"), retries=0)
    assert not asked.failures
    assert sum("response_format" in body for body in server.requests) == 1
    assert asked.notes == ("20 of 20 replies were asked for without response_format, which the endpoint refuses.",)
    again = asking(*texts(20), structured=True, labels=("spam", "ham"))
    assert len(server.requests) == 21  # stored under what was wanted: the format is not tried again
    assert again.notes == asked.notes
    asking("row 0")
    assert len(server.requests) == 22  # a recipe that never asked for the format is another contender


def test_a_row_that_is_refused_either_way_does_not_switch_the_format_off(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.json(400, {"error": "too long"}) if stage.asked == "long" else stage.answer()
    asked = asking("long", "b", "long 2", structured=True, labels=("spam", "ham"), concurrency=1)
    assert asked.failures == {0: "status 400: too long"}
    assert asked.replies[1].structured
    assert asked.replies[2].structured


def test_a_cache_that_cannot_be_written_stops_the_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt: Prompts
) -> None:
    def full(self: Cache, key: str, reply: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Cache, "put", full)
    with Cache(tmp_path / "c") as cache, pytest.raises(OSError, match="No space"):
        ask([prompt(text) for text in texts(50)], spec=EndpointSpec(url=server.url, model="m"), cache=cache)
    assert len(server.requests) == 1


RUN = """
import sys
from pathlib import Path
from typing import Any
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import ask
from ratchet.endpoint.prompt import Prompt
from ratchet.recipe.endpoint import EndpointSpec

prompts = [Prompt(messages=({"role": "user", "content": f"row {n}"},), tokens=8) for n in range(60)]
with Cache(Path(sys.argv[2])) as cache:
    ask(prompts, spec=EndpointSpec(url=sys.argv[1], model="m", concurrency=4), cache=cache)
"""


def test_a_run_killed_with_9_pays_for_no_row_twice(server: Server, asking: Asking) -> None:
    enough, more = threading.Event(), threading.Event()

    def play(stage: Stage) -> None:
        if stage.number > 25:
            enough.set()
            more.wait(10)  # rows in flight when the run is killed
        stage.answer()

    server.play = play
    run = subprocess.Popen([sys.executable, "-c", RUN, server.url, str(asking.file)], env={**os.environ})
    try:
        assert enough.wait(60)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    with Cache(asking.file) as cache:
        stored, notes = len(cache), cache.notes
    assert notes == ()
    more.set()
    server.play_well()
    asked = asking(*texts(60), timeout=60)
    assert not asked.failures
    twice = [text for text, count in Counter(server.asked).items() if count > 1]
    assert len(twice) <= 4
    assert stored >= 25 - 4
    assert sum(reply.cached for reply in asked.replies) == stored
    assert asked.requests == 60 - stored


def test_the_clock_is_the_machines_own(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.json(503, {}) if stage.number == 1 else stage.answer()
    begun = time.monotonic()
    assert asking("a", clock=Clock()).replies[0].text == "ham"
    assert time.monotonic() - begun >= 0.5
