from __future__ import annotations

import json
from typing import Any

import pytest

from ratchet.endpoint.completion import CUT, EMPTY, REFUSED, STREAMED

Asking = Server = Any  # they are in conftest.py

PRICE = {"input": 1000.0, "output": 2000.0}
"""A reply of the server, 10 and 5 tokens, costs .02."""


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
