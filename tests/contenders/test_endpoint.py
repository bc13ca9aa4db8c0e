"""Prompts before an endpoint as contenders, through whole runs against a real server on the loopback address."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.endpoint.conftest import Server
from tests.trial import TASKS, Row, Trial, knows, rows_for

from ratchet.bundle.bundle import Bundle
from ratchet.contenders.rows import PartedRows
from ratchet.near.copies import same_words

KEY = "sk-never-4711-to-be-seen"


def llm(server: Server, *more: str) -> str:
    keys = ["kind: endpoint", "name: llm", f"url: {server.url!r}", "model: m", "timeout: 5", "retries: 0", *more]
    return f"{{{', '.join(keys)}}}"


WIDE = "{kind: linear, name: wide, features: [{unit: word, low: 1, high: 1}]}"


@pytest.mark.parametrize("task", TASKS)
def test_a_prompt_wins_and_is_exported_and_opened_once(trial: Callable[..., Trial], server: Server, task: str) -> None:
    made = trial(task)
    server.play = knows(made)
    summary = made.run(llm(server, "price: {input: 1, output: 2}"))
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "llm")
    assert verdict["promoted"], verdict["line"]
    bundle = Bundle.open(summary["bundle"]["path"])
    assert (bundle.name, bundle.kind, bundle.manifest.task) == ("llm", "endpoint", task)
    assert made.lines(f"a prompt: it sends every text to {server.url}")
    assert made.lines(f"ratchet serve {bundle.path} --send-to {server.url}")
    assert len(made.lines("llm: ")) >= 2
    assert [line.split()[0] for line in made.lines("llm: the text of every row is sent to " + server.url)] == [
        "answers"
    ]
    rows = Counter(server.asked)
    assert len(server.requests) == len(made.rows) == len(rows)
    card = made.card("llm")["facts"]
    assert card["requests"] == verdict["n"]
    assert card["tokens"] == {"input": 10 * verdict["n"], "output": 5 * verdict["n"]}
    assert card["cost"] == card["spent"] == pytest.approx(verdict["n"] * 20e-6)
    assert made.lines(f"{verdict['n']:,} requests, {10 * verdict['n']:,} + {5 * verdict['n']:,} tokens")
    made.run(llm(server, "price: {input: 1, output: 2}"))
    assert len(server.requests) == len(made.rows)


def test_each_failure_counts_as_wrong_and_is_listed(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()

    def more(stage: Any, row: Row) -> bool:
        number = made.rows.index(row)
        faults: dict[int, Callable[[], object]] = {
            0: lambda: stage.json(200, {"error": {"message": "out of luck"}}),
            1: lambda: stage.answer("no idea " * 80),
            2: lambda: stage.answer("card", finish="length"),
            3: lambda: stage.answer(""),
            4: lambda: stage.send(200, b"<html>"),
            5: lambda: stage.json(400, {"error": {"message": "not this text"}}),
        }
        if number % 20 >= 6:
            return False
        faults[number % 20]()
        return True

    server.play = knows(made, more=more)
    summary = made.run(llm(server), until="train")
    score = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "llm")
    facts = made.card("llm")["facts"]
    failed = sum(facts["unanswered"].values())
    assert set(facts["unanswered"]) == {
        "error in the body: out of luck",
        "no label named",
        "cut at max_tokens",
        "empty answer",
        "the body is no JSON",
        "status 400: not this text",
    }
    assert len(facts["failed_rows"]) == 20
    assert max(len(one["said"]) for one in facts["failed_rows"]) == 200
    assert len(made.lines("of the rows have no usable answer and count as wrong, ")) == 6
    assert failed == pytest.approx(0.3 * score["n"], abs=20)
    rows = PartedRows.load(next((made.folder / "w" / "data").glob("rows-*")))
    judged = [int(row) for row in rows.parts.compared]
    wrong = sum(int(rows.dataset.texts[row].rsplit("no", 1)[1]) % 20 < 6 for row in judged)
    assert failed == wrong


def test_the_key_is_in_no_file_and_no_message(
    trial: Callable[..., Trial], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    made = trial()
    answers = knows(made)

    def play(stage: Any) -> None:
        if stage.number % 10 == 3:
            stage.json(400, {"error": {"message": f"Bearer {KEY} may not ask this"}})
        elif stage.number % 10 == 4:
            stage.answer(f"I know your key {KEY}", model=KEY)
        else:
            answers(stage)

    server.play = play
    summary = made.run(llm(server, "key: MY_KEY"))
    assert summary["champion"] == "llm"
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    files = [path for path in made.folder.rglob("*") if path.is_file()]
    assert any("MY_KEY" in path.read_text("utf-8", "replace") for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert not [line for line in made.said if KEY in line]


def test_a_wrong_key_costs_one_request_and_the_run_goes_on(
    trial: Callable[..., Trial], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    made = trial()
    server.play = lambda stage: stage.json(401, {"error": "who are you?"})
    summary = made.run(f"{llm(server, 'key: MY_KEY')}, {WIDE}")
    assert len(server.requests) == 1
    assert summary["champion"] == "wide"
    [line] = made.lines("llm: skipped")
    assert "must accept the key but refused it (status 401)" in line
    assert "MY_KEY" in line


def test_a_key_that_is_not_set_is_one_line(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()
    assert made.run(f"{llm(server, 'key: NO_SUCH_KEY')}, {WIDE}", until="train")["champion"] == "wide"
    assert "NO_SUCH_KEY must hold the endpoint's key but is not set" in made.lines("llm: skipped")[0]
    assert not server.requests


def test_a_dead_server_is_skipped_after_one_row(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()
    url, server.url = server.url, "http://127.0.0.1:9/v1"
    assert made.run(f"{llm(server)}, {WIDE}", until="train")["champion"] == "wide"
    assert "were not asked: no connection" in made.lines("llm: skipped")[0]
    assert url != server.url


def test_a_limit_skips_the_contender_and_a_higher_one_goes_on(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()
    server.play = knows(made)
    summary = made.run(f"{llm(server, 'limit: {requests: 50}')}, {WIDE}", until="train")
    assert len(server.requests) == 50
    assert summary["champion"] == "wide"
    assert not [verdict for verdict in summary["verdicts"] if verdict["name"] == "llm"]
    assert "are left and limit is reached (50 requests" in made.lines("llm: skipped")[0]
    summary = made.run(f"{llm(server, 'limit: {requests: 1000}')}, {WIDE}", until="train")
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "llm")
    assert len(server.requests) == verdict["n"] == len(set(server.asked))
    made.run(f"{llm(server, 'limit: {requests: 1}', 'concurrency: 1')}, {WIDE}", until="train")
    assert len(server.requests) == verdict["n"], "another limit is no other contender"


def test_a_limit_that_is_reached_at_the_sealed_test_can_be_raised(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()
    server.play = knows(made)
    made.run(llm(server), until="train")
    with pytest.raises(Exception, match="limit is reached"):
        made.run(llm(server, "limit: {requests: 5}"))
    summary = made.run(llm(server))
    assert summary["champion"] == "llm"
    assert len(server.requests) == len(made.rows)
    assert made.lines("(opened once)")


def test_another_model_in_the_middle_is_said(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()

    def more(stage: Any, row: Row) -> bool:
        stage.answer(row.answer, model="m-1" if stage.number < 100 else "m-2")
        return True

    server.play = knows(made, more=more)
    made.run(llm(server), until="train")
    assert made.card("llm")["facts"]["answered_by"] == ["m-1", "m-2"]
    assert made.lines("The endpoint changed its model from 'm-1' to 'm-2'")


def test_a_prompt_longer_than_the_context_is_not_sent(trial: Callable[..., Trial], server: Server) -> None:
    rows = rows_for("classification")
    rows[5] = Row(rows[5].id, "word " * 500 + rows[5].text, rows[5].answer)
    made = trial(rows=rows)
    server.play = knows(made)
    made.run(llm(server, "context: 300", "max_tokens: 20"), "split.test=0.05", until="train")
    assert not [asked for asked in server.asked if len(asked) > 2000]
    judged = PartedRows.load(next((made.folder / "w" / "data").glob("rows-*"))).texts
    assert judged is not None
    unanswered = made.card("llm")["facts"]["unanswered"]
    assert set(unanswered.values()) <= {1}
    assert set(unanswered) <= {"the prompt is too long for context"}


def near_copies() -> list[Row]:
    """Each text has three near-copies, which differ in one word."""
    made = []
    for number, row in enumerate(rows_for("classification", 100)):
        words = [f"w{number}x{place}" for place in range(30)]
        for copy in range(4):
            text = " ".join([*words, row.text.rsplit(" ", 1)[0], f"copy{copy}", f"no{number}q{copy}"])
            made.append(Row(f"r{number}-{copy}", text, row.answer))
    return made


def test_examples_are_never_near_a_row_that_is_judged_or_tested(trial: Callable[..., Trial], server: Server) -> None:
    made = trial(rows=near_copies())
    server.play = knows(made)
    summary = made.run(llm(server, "shots: 6"), "split.near=true")
    assert next(verdict for verdict in summary["verdicts"] if verdict["name"] == "llm")["promoted"]
    examples, asked = set(), set()
    for prompt in server.asked:
        numbers = re.findall(r"no(\d+)q\d", prompt)
        asked.add(numbers[-1])
        examples.update(numbers[:-1])
        assert len(numbers) == 7
    assert len(examples) == 6
    assert not examples & asked, "an example is a near-copy of a row that is judged or tested"
    rows = PartedRows.load(next((made.folder / "w" / "data").glob("rows-*")))
    tested = {re.search(r"no(\d+)q", rows.dataset.texts[row])[1] for row in rows.parts.test.tolist()}  # type: ignore[index]
    assert tested <= asked
    texts = [same_words(text) for text in server.asked]
    assert len(set(texts)) == len(texts)


def test_a_prompt_that_needs_a_column_wins_but_is_not_exported(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()
    server.play = knows(made)
    prompt = llm(server, "prompt: '{{ id }} {{ text }}'")
    summary = made.run(prompt)
    assert summary["champion"] == "llm"
    assert Bundle.open(summary["bundle"]["path"]).name in ("majority", "tfidf-lr")
    assert made.lines("llm is the champion but has no model to export; the best contender that has is ")


def test_a_killed_run_pays_for_no_row_twice(trial: Callable[..., Trial], server: Server) -> None:
    made = trial()
    answers = knows(made)

    def play(stage: Any) -> None:
        time.sleep(0.01)
        answers(stage)

    server.play = play
    challenger = llm(server, "concurrency: 2")
    text = (
        "data: {files: [t.csv], id: id}\nthreads: 1\nworkspace: w\nsplit: {near: false, folds: 3}\n"
        f"challengers: [{challenger}]\n"
    )
    (made.folder / "r.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ratchet", "run", str(made.folder / "r.yaml"), "--until", "train"]
    for most in (40, 90):
        run = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(server.requests) < most and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert len(server.requests) >= most
    subprocess.run(command, env=os.environ, check=True, stdout=subprocess.DEVNULL)
    twice = [asked for asked, times in Counter(server.asked).items() if times > 1]
    assert len(twice) <= 2 * 2, "only what was under way when it was killed is asked again"
    assert np.load(next((made.folder / "w" / "models").glob("*/cost.npy"))).size == len(set(server.asked))
