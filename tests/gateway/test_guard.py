from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from tests.gateway.conftest import ASKED, FakeBackend, Serve

from ratchet.gateway.guard import SHORT, Guard, Mode
from ratchet.gateway.refusal import Refusal
from ratchet.gateway.request import Piece, Source


@dataclass(frozen=True)
class Found:
    flagged: bool
    reasons: Sequence[str] = ()


@dataclass
class Evil:
    """Flags texts with the word evil, unless they are trusted."""

    seen: list[tuple[str, Source]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def check(self, text: str, source: Source, /) -> Found:
        self.seen.append((text, source))
        self.threads.add(threading.current_thread().name)
        return Found("evil" in text and source != "trusted", ("in\njection", source))


MESSAGES = [
    {"role": "system", "content": "not evil"},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]},
    {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": '{"x": 1}'}}]},
    {"role": "tool", "content": "looked up", "tool_call_id": "1"},
    {"role": "user", "content": "b"},
]


def test_each_text_is_checked_by_where_it_comes_from(serve: Serve) -> None:
    watch = Evil()
    asked = {"model": "m", "messages": MESSAGES, "documents": [{"title": "t", "text": "d"}]}
    got = serve(watch=watch, guard="block").post(asked, X_Ratchet_Retrieved="4")
    assert got.status_code == 200
    assert got.headers["x-ratchet-guard"] == "passed"
    assert watch.seen == [
        ("not evil", "trusted"),
        ("a", "input"),
        ('{"x": 1}', "input"),
        ("looked up", "untrusted"),
        ("b", "untrusted"),
        ("t", "untrusted"),
        ("d", "untrusted"),
    ]


def test_prompts_are_input(serve: Serve) -> None:
    watch = Evil()
    asked = {"model": "m", "prompt": ["a", "b"], "suffix": "c"}
    serve(watch=watch).post(asked, path="/v1/completions")
    assert watch.seen == [("a", "input"), ("b", "input"), ("c", "input")]


@pytest.mark.parametrize(
    ("mode", "status", "header"),
    [("monitor", 200, None), ("flag", 200, "flagged; in_jection, input"), ("block", 400, None), ("off", 200, None)],
)
def test_what_follows(serve: Serve, backend: FakeBackend, mode: str, status: int, header: str | None) -> None:
    watch = Evil()
    served = serve(watch=watch, guard=mode)
    got = served.post({"model": "m", "messages": [{"role": "user", "content": "evil"}]})
    assert got.status_code == status
    assert got.headers.get("x-ratchet-guard") == header
    assert len(backend.seen) == (status == 200)
    if status == 400:
        assert got.json()["error"]["code"] == "content_filter"
        assert "evil" not in got.text
    assert served.gateway.guard is not None
    counted = {"monitor": "flagged", "flag": "flagged", "block": "blocked"}
    assert dict(served.gateway.guard.counts) == ({counted[mode]: 1} if mode in counted else {})


def test_a_key_that_is_written_twice_hides_nothing(serve: Serve, backend: FakeBackend) -> None:
    body = b'{"model": "m", "messages": [{"role": "user", "content": "evil", "content": "a"}], "messages": '
    body += b'[{"role": "user", "content": "evil", "content": "b"}]}'
    watch = Evil()
    assert serve(watch=watch, guard="block").post(body).status_code == 200
    assert watch.seen == [("b", "input")]
    assert b"evil" not in backend.seen[0].body


def test_places_that_are_none(serve: Serve) -> None:
    for value in ("a", "-1", "1;2", "1,,2"):
        assert serve().post(ASKED, X_Ratchet_Retrieved=value).status_code == 400


def _check(watch: object, text: str, *, mode: Mode = "block", seconds: float = 5) -> object:
    guard = Guard(watch, mode=mode, seconds=seconds)  # type: ignore[arg-type]
    try:
        return asyncio.run(guard.check([Piece(text=text, source="input")]))
    finally:
        guard.close()


def test_long_texts_are_checked_in_a_thread() -> None:
    watch = Evil()
    _check(watch, "a" * SHORT)
    assert watch.threads == {threading.current_thread().name}
    watch.threads.clear()
    with pytest.raises(Refusal, match="flagged"):
        _check(watch, "evil" + "a" * SHORT)
    assert {name.rpartition("_")[0] for name in watch.threads} == {"ratchet-guard"}


class Broken:
    def check(self, text: str, source: Source, /) -> Found:
        raise ValueError(text)


class Slow:
    def check(self, text: str, source: Source, /) -> Found:
        threading.Event().wait(0.5)
        return Found(False)


@pytest.mark.parametrize(
    ("watch", "text"), [(Broken(), "secret"), (Broken(), "secret" * 999), (Slow(), "secret" * 999)]
)
def test_a_guard_that_fails_opens_no_door(watch: object, text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Refusal) as error:
        _check(watch, text, seconds=0.05)
    assert error.value.status == 503
    found = _check(watch, text, mode="flag", seconds=0.05)
    assert getattr(found, "header", None) == "failed"
    assert "secret" not in caplog.text
