from __future__ import annotations

import gzip
import json
import logging
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
from ratchet.endpoint.client import LIMIT, STREAK, Clock, ask, pause, worst_case
from ratchet.endpoint.completion import CUT, EMPTY, REFUSED, STREAMED
from ratchet.endpoint.key import EndpointError, Key
from ratchet.endpoint.prompt import Prompt
from ratchet.endpoint.purse import Purse
from ratchet.endpoint.wire import BODY_BYTES, waiting
from ratchet.recipe.endpoint import EndpointLimit, EndpointPrice, EndpointSpec

Asking = Server = Stage = Any  # they are in conftest.py
Prompts = Callable[[str], Prompt]

SECRET = "sk-live-0123456789abcdef"
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
    assert asked.failures == {0: "status 503: no message"} or asked.failures == {0: "status 503"}
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


def test_waiting_reads_dates() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert waiting("Thu, 01 Jan 2026 12:00:30 GMT", now=now) == 30
    assert waiting("Thu, 01 Jan 2026 11:00:00 GMT", now=now) == 0
    assert waiting("", now=now) is None


def test_pauses_grow_and_are_bounded() -> None:
    assert all(0.5 <= pause(0, after=None) <= 1 for _ in range(50))
    assert all(30 <= pause(50, after=None) <= 60 for _ in range(50))
    assert len({pause(3, after=None) for _ in range(20)}) > 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_stops_everything_after_one_request(
    server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    server.play = lambda stage: stage.json(status, {"error": {"message": f"wrong key {SECRET}"}})
    with pytest.raises(EndpointError, match=f"refused it .status {status}.*MY_KEY") as caught:
        asking(*texts(50), concurrency=16, key="MY_KEY")
    assert len(server.requests) == 1
    assert SECRET not in str(caught.value)
    assert not asking.waited


def test_a_key_that_is_taken_back_stops_the_run(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.answer() if stage.number <= 5 else stage.json(401, {})
    with pytest.raises(EndpointError):
        asking(*texts(500), concurrency=4)
    assert len(server.requests) <= 5 + 4
    server.play_well()
    assert not asking(*texts(10)).failures
    assert Counter(server.asked)["row 0"] == 1  # what was answered before was kept


def test_the_key_is_sent_and_nowhere_else(
    server: Server,
    asking: Asking,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET + "\n")
    caplog.set_level(logging.DEBUG)
    escaped = SECRET.replace("-", "\\u002d")

    def play(stage: Stage) -> None:
        if stage.number == 1:
            body = f'{{"model": "{SECRET}", "choices": [{{"message": {{"content": "you said {escaped}"}}}}]}}'
            stage.send(200, body.encode())
        else:
            stage.json(400, {"error": {"message": "x" * 150 + SECRET}})

    server.play = play
    asked = asking("a", "b", key="MY_KEY")
    assert [headers["Authorization"] for headers in server.headers] == [f"Bearer {SECRET}"] * 2
    assert asked.replies[0].text == "you said ***"
    seen = repr(asked) + repr(Key(value=SECRET)) + caplog.text + "".join(capfd.readouterr())
    assert SECRET[:12] not in seen
    stored = b"".join(path.read_bytes() for path in asking.file.parent.iterdir())
    assert SECRET.encode() not in stored
    assert b"you said" in stored


@pytest.mark.parametrize(
    ("value", "said"), [("", "is not set"), ("with space", "ASCII"), ("键值", "ASCII"), ("a\nb", "ASCII")]
)
def test_a_key_that_cannot_be_sent(
    server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(EndpointError, match=f"MY_KEY .*{said}") as caught:
        asking("a", key="MY_KEY")
    assert not value or value not in str(caught.value)
    assert not server.requests


def test_a_placeholder_key_is_no_secret(server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "EMPTY")
    server.play = lambda stage: stage.answer("EMPTY")
    assert asking("a", key="MY_KEY").replies[0].text == "EMPTY"


def test_no_proxy_of_the_environment_is_used(server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert asking("a").replies[0].text == "ham"


def test_no_model_is_an_error(server: Server, tmp_path: Path, prompt: Prompts) -> None:
    with Cache(tmp_path / "c") as cache, pytest.raises(EndpointError, match="model must name"):
        ask([prompt("a")], spec=EndpointSpec(), cache=cache)


def _choices(**choice: object) -> bytes:
    return json.dumps({"choices": [choice]}).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": {"message": "quota used up"}}', "error in the body: quota used up"),
        (b'{"error": "quota"}', "error in the body: quota"),
        (b'{"choices": []}', "no choices in the body"),
        (b'{"choices": [null]}', "no choices in the body"),
        (b"{}", "no choices in the body"),
        (b'{"choices": [{"message": {"content": "ha', "the body is no JSON"),
        (b"<html>welcome</html>", "the body is no JSON"),
        (b"", "the body is no JSON"),
        (b"\xff\xfe\x00", "the body is no JSON"),
        (b"[" * 100_000, "the body is no JSON"),
        (b"[1]", "the body is no JSON object"),
        (b'data: {"choices": []}\n\n', STREAMED),
        (_choices(message={"content": "ha"}, finish_reason="length"), CUT),
        (_choices(message={"content": None}, finish_reason="content_filter"), REFUSED),
        (_choices(message={"content": None, "refusal": "I cannot"}, finish_reason="stop"), REFUSED),
        (_choices(message={"content": " "}, finish_reason="stop"), EMPTY),
        (_choices(message={"content": 7}), EMPTY),
        (_choices(text="completion of another kind"), EMPTY),
    ],
)
def test_a_reply_that_is_none_is_a_failure_with_a_reason(
    server: Server, asking: Asking, body: bytes, reason: str
) -> None:
    server.play = lambda stage: stage.answer() if stage.asked == "good" else stage.send(200, body)
    asked = asking("bad", "good")
    assert asked.failures == {0: reason}
    assert asked.replies[1].text == "ham"
    assert asked.replies[0].attempts == 1


@pytest.mark.parametrize("reason", [CUT, REFUSED, EMPTY])
def test_what_was_paid_for_is_not_asked_again(server: Server, asking: Asking, reason: str) -> None:
    finish = {CUT: "length", REFUSED: "content_filter", EMPTY: "stop"}[reason]
    server.play = lambda stage: stage.answer("", finish=finish)
    first = asking("a", price=PRICE)
    second = asking("a", price=PRICE)
    assert first.reasons == second.reasons == {reason: 1}
    assert first.cost == second.cost == pytest.approx(0.02)
    assert len(server.requests) == 1


def test_an_error_in_the_body_is_asked_again_next_time(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.json(200, {"error": "overloaded"})
    assert asking("a").failures
    server.play_well()
    assert not asking("a").failures


def test_parts_and_strange_usage_are_understood(server: Server, asking: Asking) -> None:
    parts = [{"type": "text", "text": "ha"}, {"type": "image"}, {"type": "text", "text": "m"}]
    usage = {"prompt_tokens": -5, "completion_tokens": True}
    server.play = lambda stage: stage.answer(parts, usage=usage)
    reply = asking("a", price=PRICE).replies[0]
    assert reply.text == "ham"
    assert (reply.prompt_tokens, reply.completion_tokens) == (8, 2)  # estimated
    assert reply.cost == pytest.approx((8 * 1000 + 2 * 2000) / 1e6)


def test_half_a_character_is_stored(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.send(200, b'{"choices": [{"message": {"content": "a\\ud83d\\u0000b"}}]}')
    first, second = asking("\ud83d").replies[0], asking("\ud83d").replies[0]
    assert first.text == second.text == "a?\0b"
    assert second.cached


def test_a_stream_that_nobody_asked_for_ends_at_once(server: Server, asking: Asking) -> None:
    gone = threading.Event()

    def play(stage: Stage) -> None:
        handler = stage.handler
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(b'data: {"choices": [{"delta": {"content": "h"}}]}\n\n')
        gone.wait(5)

    server.play = play
    begun = time.monotonic()
    assert asking("a").failures == {0: STREAMED}
    gone.set()
    assert time.monotonic() - begun < 2


def test_redirects_are_not_followed(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.send(307, b"", Location=server.url + "/elsewhere")
    assert asking("a").failures == {0: "redirected (status 307), which is not followed"}
    assert server.paths == ["/v1/chat/completions"]


def test_an_endless_body_is_cut_off(server: Server, asking: Asking) -> None:
    sent = 0

    def play(stage: Stage) -> None:
        nonlocal sent
        stage.handler.send_response(200)
        stage.handler.end_headers()
        while sent < 20 * BODY_BYTES:
            stage.handler.wfile.write(b" " * 65536)
            sent += 65536

    server.play = play
    assert asking("a", price=PRICE).failures == {0: "the body is longer than 8 MiB"}
    assert sent < 3 * BODY_BYTES


def test_a_gzip_bomb_does_not_unfold(server: Server, asking: Asking) -> None:
    bomb = gzip.compress(b" " * (20 * BODY_BYTES))
    server.play = lambda stage: stage.send(200, bomb, Content_Encoding="gzip")
    assert asking("a").failures == {0: "the body is longer than 8 MiB"}


def test_gzip_is_read_and_other_packing_is_not(server: Server, asking: Asking) -> None:
    body = json.dumps({"choices": [{"message": {"content": "ham"}}]}).encode()

    def play(stage: Stage) -> None:
        packed = {"gzip": gzip.compress(body), "damaged": b"no gzip", "half": gzip.compress(body)[:20], "br": b"x"}
        stage.send(200, packed[stage.asked], Content_Encoding="br" if stage.asked == "br" else "gzip")

    server.play = play
    asked = asking("gzip", "damaged", "half", "br")
    assert asked.replies[0].text == "ham"
    assert asked.failures == {
        1: "the body is damaged",
        2: "the body is no JSON",
        3: "the body is packed in a way that was not asked for",
    }
    assert server.headers[0]["Accept-Encoding"] == "identity"


def test_dropped_connections_are_tried_again(server: Server, asking: Asking) -> None:
    def play(stage: Stage) -> None:
        if stage.number == 1:
            stage.drop()
        elif stage.number == 2:
            stage.send(200, b'{"choices"', Content_Length="5000")
        else:
            stage.answer()

    server.play = play
    asked = asking("a")
    assert asked.replies[0].text == "ham"
    assert asked.replies[0].attempts == 3


def test_silence_is_a_timeout_and_is_tried_again(server: Server, asking: Asking) -> None:
    over = threading.Event()
    server.play = lambda stage: stage.answer() if stage.number > 1 else over.wait(5)  # type: ignore[func-returns-value]
    asked = asking("a", timeout=0.2)
    over.set()
    assert asked.replies[0].attempts == 2
    assert asked.replies[0].text == "ham"


def test_a_body_that_drips_is_cut_off(server: Server, asking: Asking) -> None:
    over = threading.Event()

    def play(stage: Stage) -> None:
        stage.handler.send_response(200)
        stage.handler.end_headers()
        for _ in range(100):
            stage.handler.wfile.write(b" ")
            if over.wait(0.05):
                return

    server.play = play
    begun = time.monotonic()
    assert asking("a", timeout=0.3, retries=0).failures == {0: "timeout"}
    over.set()
    assert time.monotonic() - begun < 3


def test_a_server_that_is_not_there_is_not_asked_for_every_row(server: Server, asking: Asking) -> None:
    server.url = "http://127.0.0.1:1/v1"
    asked = asking(*texts(200), retries=1, concurrency=2, price=PRICE)
    assert len(asked.failures) == 200
    assert asked.reasons["no connection"] <= STREAK + 2
    assert f"not asked: {STREAK} rows before it were lost (no connection)" in asked.reasons
    assert asked.unsure == 0  # nothing was sent
    assert asked.requests <= 2 * (STREAK + 2)


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
    assert asked.failures == {0: "status 503: busy", 1: LIMIT}


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
