from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tests.gateway.conftest import Serve, Served
from tests.generators.test_decoder import SMALL, TEXTS, loud
from tests.serve.conftest import Lengths

from ratchet.bundle.predict import Mending
from ratchet.gateway.generator import Generator, Loaded, loaded
from ratchet.generators.decoder import FittedDecoder, build_decoder
from ratchet.generators.generated import DecoderModel

QUESTIONS = [
    "What is the rate?",
    "card " * 9,
    "你好，卡没到",
    '[{"role": "user", "content": "today"}]',
    "b",
    "today? " * 40,
]


@pytest.fixture(scope="module")
def model() -> DecoderModel:
    decoder = loud(build_decoder("scratch", texts=TEXTS, max_tokens=160, max_new_tokens=24, shape=SMALL, threads=1))
    return DecoderModel(decoder=decoder, system="Be short.", examples=(("hello", "there"),))


@pytest.fixture
def generator(model: DecoderModel) -> Generator:
    return Generator(lambda: Loaded(name="tiny", model=model), queue=1, seconds=20)


@pytest.fixture
def served(serve: Serve, generator: Generator) -> Served:
    return serve(to=generator, timeouts={"whole": 20})


def _asked(text: str, **more: object) -> dict[str, object]:
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], **more}


def _events(stream: bytes) -> list[dict[str, Any]]:
    parts = stream.decode().removesuffix("\n\n").split("\n\n")
    assert parts.pop() == "data: [DONE]"
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def _text(events: Sequence[dict[str, Any]]) -> str:
    return "".join(event["choices"][0]["delta"].get("content", "") for event in events if event["choices"])


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_stream_says_what_predict_says(served: Served, model: DecoderModel, text: str) -> None:
    expected = model.predict([text])[0, 0] or ""
    spoken = json.loads(text) if text.startswith("[") else [{"role": "user", "content": text}]
    asked = {"model": "tiny", "messages": spoken}
    events = _events(served.stream(**asked, stream_options={"include_usage": True}))
    assert _text(events) == expected
    whole = served.post(asked).json()
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": expected}
    assert events[-1]["usage"] == whole["usage"]
    assert events[-1]["usage"]["completion_tokens"] > 0
    assert events[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    row = served.rows()[0]
    assert (row.model, row.estimated) == ("tiny", 0)


def test_it_is_told_piece_by_piece(served: Served) -> None:
    events = _events(served.stream(**_asked("What is the rate?")))
    assert len([event for event in events if event["choices"][0]["delta"].get("content")]) > 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_it_ends_before_a_stop(served: Served, size: int) -> None:
    full = served.post(_asked("What is the rate?")).json()["choices"][0]["message"]["content"]
    for place in range(1, len(full) - size):
        stop = full[place : place + size]
        expected = full[: full.index(stop)].rstrip()
        got = served.post(_asked("What is the rate?", stop=stop)).json()["choices"][0]
        assert (got["message"]["content"], got["finish_reason"]) == (expected, "stop")
        if place == 3:
            streamed = served.stream(**_asked("What is the rate?", stop=["never there", stop]))
            assert _text(_events(streamed)) == expected


def test_so_many_tokens_are_written(served: Served) -> None:
    got = served.post(_asked("What is the rate?", max_tokens=3)).json()
    assert got["usage"]["completion_tokens"] == 3
    assert got["choices"][0]["finish_reason"] == "length"
    assert served.post(_asked("a", max_tokens=0)).json()["usage"]["completion_tokens"] == 0


def test_drawn_answers_follow_the_seed(served: Served) -> None:
    def drawn(**more: object) -> str:
        found = served.post(_asked("What is the rate?", temperature=1.5, **more)).json()
        text: str = found["choices"][0]["message"]["content"]
        return text

    assert drawn(seed=3) == drawn(seed=3)
    assert len({drawn(seed=seed) for seed in range(5)}) > 1
    assert len({drawn() for _ in range(5)}) > 1


def test_a_prompt_is_gone_on_with(served: Served, model: DecoderModel) -> None:
    tokens = model.decoder.tokens
    ids = model.decoder.write(tokens.document("The rate is"), new_tokens=8, enough=lambda _: False)
    asked = {"model": "tiny", "prompt": "The rate is", "max_tokens": 8}
    got = served.post(asked, path="/v1/completions").json()
    assert got["object"] == "text_completion"
    assert got["choices"][0]["text"] == tokens.raw_text(ids)
    streamed = served.post({**asked, "stream": True}, path="/v1/completions").content
    assert "".join(event["choices"][0]["text"] for event in _events(streamed)) == tokens.raw_text(ids)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"n": 2}, "n"),
        ({"temperature": 3}, None),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
    ],
)
def test_what_it_cannot_do_is_refused(served: Served, more: dict[str, object], param: str | None) -> None:
    got = served.post(_asked("a") | more)
    assert got.status_code == 400
    assert got.json()["error"]["param"] == param
    plain = {"tools": [], "response_format": {"type": "text"}, "logprobs": False, "presence_penalty": 0.0, "n": 1}
    assert served.post(_asked("a") | plain).status_code == 200


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], "", None])
def test_one_prompt_is_taken(served: Served, prompt: object) -> None:
    assert served.post({"model": "tiny", "prompt": prompt}, path="/v1/completions").status_code == 400
    assert served.post({"model": "tiny", "prompt": ["a"]}, path="/v1/completions").status_code == 200


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every token waits for it."""
    gate = threading.Event()
    write = FittedDecoder.write

    def slow(self: FittedDecoder, prompt: Any, *, enough: Any, **more: Any) -> list[int]:
        def waiting(ids: Any) -> bool:
            assert gate.wait(20)
            return bool(enough(ids))

        return write(self, prompt, enough=waiting, **more)

    monkeypatch.setattr(FittedDecoder, "write", slow)
    yield gate
    gate.set()


def test_too_many_requests_are_told_to_wait(served: Served, held: threading.Event, generator: Generator) -> None:
    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.append(served.post(_asked("a")).status_code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 10
    while generator._pending < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    refused = served.post(_asked("a"))
    held.set()
    for thread in threads:
        thread.join()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert got == [200, 200]


def test_it_stops_when_its_client_goes_away(
    served: Served, held: threading.Event, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = FittedDecoder.write

    def counted(self: FittedDecoder, *arguments: Any, **more: Any) -> list[int]:
        ids = write(self, *arguments, **more)
        written.append(len(ids))
        return ids

    monkeypatch.setattr(FittedDecoder, "write", counted)
    with served.client.stream(
        "POST", "/v1/chat/completions", json=_asked("What is the rate?", stream=True)
    ) as response:
        next(response.iter_raw())
    served.rows()
    held.set()
    end = time.monotonic() + 10
    while not written:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert written[0] <= 2


def test_what_takes_too_long_ends(serve: Serve, model: DecoderModel, held: threading.Event) -> None:
    late = serve(to=Generator(lambda: Loaded(name="tiny", model=model), queue=1, seconds=0.3), timeouts={"whole": 20})
    assert late.post(_asked("a")).status_code == 504
    stream = late.stream(**_asked("a"))
    assert b'"code":"too_late"' in stream
    assert b"[DONE]" not in stream
    held.set()


def test_a_model_that_fails(
    served: Served, model: DecoderModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("what a user said")

    monkeypatch.setattr(FittedDecoder, "write", broken)
    got = served.post(_asked("a"))
    assert (got.status_code, got.json()["error"]["code"]) == (500, "model_failed")
    assert b'"code":"model_failed"' in served.stream(**_asked("a"))
    assert "what a user said" not in caplog.text + got.text


def test_texts_are_mended_as_those_of_rows(model: DecoderModel, serve: Serve) -> None:
    mending = Mending(model, ("invisible",))
    served = serve(to=Generator(lambda: loaded(mending, name="tiny"), queue=4, seconds=20))
    text = "What is\u200b the rate?"
    expected = mending.predict([text])[0, 0]
    assert expected != model.predict([text])[0, 0]
    assert served.post(_asked(text)).json()["choices"][0]["message"]["content"] == expected
    listed = served.client.get("/v1/models").json()["data"]
    assert [one["id"] for one in listed] == ["tiny"]


def test_a_model_that_is_not_there_yet(serve: Serve) -> None:
    got = serve(to=Generator(lambda: None, queue=4, seconds=20)).post(_asked("a"))
    assert (got.status_code, got.json()["error"]["code"], got.headers["retry-after"]) == (503, "not_ready", "1")


def test_a_model_that_chooses_does_not_write(model: DecoderModel) -> None:
    assert loaded(DecoderModel(decoder=model.decoder, choices=("a", "b")), name="tiny") is None
    assert loaded(Mending(Lengths(), ()), name="tiny") is None


def test_no_prompt_leaves_tokens_behind(model: DecoderModel) -> None:
    tokens = model.decoder.tokens
    told: list[list[int]] = []
    prompt = tokens.document("The rate is")
    ids = model.decoder.write(prompt, new_tokens=6, enough=lambda ids: told.append([*ids]) or False)  # type: ignore[func-returns-value]
    assert told == [ids[: place + 1] for place in range(len(ids))]
    assert np.array_equal(prompt, tokens.document("The rate is"))
