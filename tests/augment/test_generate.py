from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.augment.conftest import shown, wanted, writes
from tests.endpoint.conftest import Server

from ratchet.augment import Drafts, Making, Source, keep
from ratchet.augment.generate import Generate
from ratchet.endpoint.key import EndpointError
from ratchet.endpoint.purse import Purse
from ratchet.errors import DataError, RatchetError
from ratchet.generators.decoder import build_decoder
from ratchet.generators.generators import Shape
from ratchet.recipe.augment import GenerateSpec
from ratchet.text.joined import joined

COUNT = 40
TEXTS = [f"please tell me about thing {number} now" for number in range(COUNT)]
ROWS = Source(
    texts=TEXTS, labels=[str(n % 2) for n in range(COUNT)], language="en", group=np.arange(COUNT, dtype=np.int64) % 4
)


def spec(server: Server, **more: Any) -> GenerateSpec:
    keys = {name: more.pop(name) for name in ("limit", "price", "retries", "timeout", "concurrency") if name in more}
    return GenerateSpec.model_validate(
        {"endpoint": {"url": server.url, "model": "m", "retries": 0, "timeout": 5, **keys}, **more}
    )


def without(group: int) -> Source:
    rows = np.flatnonzero(ROWS.group != group)
    return Source(
        texts=[TEXTS[row] for row in rows],
        labels=[ROWS.labels[row] for row in rows],
        language="en",
        group=ROWS.group[rows],
    )


def texts(drafts: Drafts) -> set[str]:
    return {text for text in drafts.texts if text is not None}


def test_new_texts_have_parents_a_price_and_a_temperature(server: Server) -> None:
    server.play = writes
    made = Generate().drafts(
        spec(server, copies=2, labels={0: "zero"}, price={"input": 100, "output": 200}), ROWS, Making(seed=3)
    )
    assert len(texts(made)) == 2 * COUNT
    assert {body["temperature"] for body in server.requests} == {0.7}
    assert sum("zero" in prompt for prompt in server.asked) == len(server.requests) / 2 == 8
    assert made.facts["model"] == "m-1"
    assert made.facts["tokens"] == {"input": 160, "output": 80}
    assert made.facts["cost"] == made.facts["spent"] == pytest.approx(16 * (10 * 100 + 5 * 200) / 1e6)
    assert made.parents is not None
    for text, parents in zip(made.texts, made.parents, strict=True):
        assert text is not None
        assert text.startswith(TEXTS[parents[0]].removeprefix("please "))
        assert len(parents) == 4
    found = keep(made, ROWS, filters=GenerateSpec().filters)
    assert [len(parents) for parents in found.parents] == [4] * len(found.texts)


def test_the_folds_pay_once(server: Server, tmp_path: Path) -> None:
    server.play = writes
    made = [Generate().drafts(spec(server), without(fold), Making(seed=3, cache=tmp_path)) for fold in range(4)]
    sent = len(server.requests)
    whole = Generate().drafts(spec(server), ROWS, Making(seed=3, cache=tmp_path))
    assert len(server.requests) == sent == len(set(server.asked)) == 8
    assert texts(whole) == set.union(*map(texts, made))
    assert whole.facts["spent"] == 0


def test_what_goes_wrong_on_the_way_is_tried_again(server: Server) -> None:
    def play(stage: Any) -> None:
        faults = {2: lambda: stage.json(429, {}, Retry_After="0"), 3: lambda: stage.json(500, {}), 4: stage.drop}
        faults.get(stage.number, lambda: writes(stage))()

    server.play = play
    made = Generate().drafts(spec(server, retries=3, concurrency=1), ROWS, Making(seed=3))
    assert len(texts(made)) == COUNT
    assert len(server.requests) == 8 + 3


def test_a_limit_holds_for_all_folds_together_and_a_higher_one_goes_on(server: Server, tmp_path: Path) -> None:
    server.play = writes
    purses: dict[str, Purse] = {}
    for fold in range(4):
        with pytest.raises(EndpointError, match="limit is reached"):
            Generate().drafts(
                spec(server, limit={"requests": 3}), without(fold), Making(seed=3, cache=tmp_path, purses=purses)
            )
    assert len(server.requests) == 3
    made = Generate().drafts(spec(server, limit={"requests": 5}), ROWS, Making(seed=3, cache=tmp_path))
    assert len(texts(made)) == COUNT
    assert len(server.requests) == 8
    assert Generate().named_by(spec(server, limit={"requests": 5})) == Generate().named_by(spec(server))


def test_a_killed_run_pays_for_nothing_twice(server: Server, tmp_path: Path) -> None:
    def play(stage: Any) -> None:
        time.sleep(0.05)
        writes(stage)

    server.play = play
    told = {"spec": spec(server, concurrency=1, shots=1, at_once=1).model_dump(mode="json"), "texts": TEXTS}
    (tmp_path / "told.json").write_text(json.dumps(told), encoding="utf-8")
    code = (
        "import json, sys; from pathlib import Path; from ratchet.augment import *; "
        "from ratchet.augment.generate import Generate; from ratchet.recipe.augment import GenerateSpec; "
        "told = json.loads(Path(sys.argv[1], 'told.json').read_text()); "
        "of = Source(texts=told['texts'], labels=['a'] * len(told['texts']), language='en'); "
        "Generate().drafts(GenerateSpec(**told['spec']), of, Making(seed=3, cache=Path(sys.argv[1])))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    while len(server.requests) < 10 and child.poll() is None:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = len(server.requests)
    assert before < COUNT
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert len(set(server.asked)) == COUNT
    assert len(server.requests) <= COUNT + 1, "only the one under way when it was killed may be sent again"


def test_a_model_that_refuses_is_said_with_examples(server: Server) -> None:
    server.play = lambda stage: stage.answer(
        f"1. {shown(stage.asked)[0]}" if stage.number % 2 else "I'm sorry, but I can't help with that."
    )
    with pytest.raises(RatchetError) as told:
        Generate().drafts(spec(server), ROWS, Making(seed=3))
    assert "m-1 must write texts of use, at least 50% of those asked for, but wrote 0 of 40" in told.value.problem
    assert "refusal: 4" in told.value.problem
    assert "\"I'm sorry, but I can't help with that.\" (refusal)" in told.value.problem
    assert "(copy_of_an_example)" in told.value.problem
    made = Generate().drafts(spec(server, usable=0), ROWS, Making(seed=3))
    assert not texts(made)
    assert set(made.failed.values()) == {"refusal", "missing", "copy_of_an_example"}


def test_a_cut_or_refused_reply_is_a_reason(server: Server) -> None:
    def play(stage: Any) -> None:
        faults = {1: "length", 2: "content_filter"}
        if stage.number in faults:
            stage.answer("1. half", finish=faults[stage.number])
        else:
            writes(stage)

    server.play = play
    made = Generate().drafts(spec(server, concurrency=1), ROWS, Making(seed=3))
    assert sorted(made.failed.values()) == ["cut at max_tokens"] * 5 + ["refused by the endpoint"] * 5
    assert len(texts(made)) == COUNT - 10


def test_paraphrases_show_one_row(server: Server) -> None:
    server.play = writes
    made = Generate().drafts(spec(server, mode="paraphrase", copies=2), ROWS, Making(seed=3))
    assert len(server.requests) == COUNT
    assert all(len(shown(prompt)) == 1 and wanted(prompt) == 2 for prompt in server.asked)
    assert set(made.operation) == {"paraphrase"}
    assert len(texts(made)) == 2 * COUNT


def test_a_context_takes_fewer_rows(server: Server) -> None:
    server.play = writes
    endpoint = {"url": server.url, "model": "m", "max_tokens": 40, "context": 130}
    made = Generate().drafts(GenerateSpec.model_validate({"endpoint": endpoint}), ROWS, Making(seed=3))
    assert {len(shown(prompt)) for prompt in server.asked} == {3}
    assert made.parents is not None
    assert {len(parents) for parents in made.parents} == {3}


def test_labels_that_there_are_not_are_refused(server: Server) -> None:
    with pytest.raises(DataError, match="labels must say what labels of the table mean, such as '0', but names '7'"):
        Generate().drafts(spec(server, labels={7: "x"}), ROWS, Making(seed=3))


def test_where_texts_go(server: Server) -> None:
    assert Generate().sends_to(GenerateSpec()) is None
    to = Generate().sends_to(
        GenerateSpec.model_validate({"endpoint": {"url": server.url, "model": "m", "key": "MY_KEY"}})
    )
    assert to is not None
    assert (to.address, to.key) == (server.url, "MY_KEY")


def test_rows_of_two_columns_are_written_as_lists(server: Server) -> None:
    server.play = lambda stage: stage.answer(
        "\n".join(json.dumps([f"title {stage.number}", f"line {n}\nand more"]) for n in range(5))
    )
    of = Source(texts=[joined([f"t{n}", f"b {n}"]) for n in range(5)], labels=["a"] * 5, language="en", texts_a_row=2)
    made = Generate().drafts(spec(server), of, Making(seed=3))
    assert texts(made) == {joined(["title 1", f"line {n}\nand more"]) for n in range(5)}
    assert '["t3", "b 3"]' in "".join(server.asked) or '["t2", "b 2"]' in "".join(server.asked)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random generator on the disk, which writes many different things."""
    made = build_decoder(
        "scratch",
        texts=TEXTS * 4,
        max_tokens=320,
        max_new_tokens=24,
        shape=Shape(layers=1, width=32, heads=2, vocabulary=300),
    )
    dice = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in made.network.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=dice) / weight.shape[-1] ** 0.5)
    folder = tmp_path_factory.mktemp("generator") / "model"
    made.save(folder)
    return folder


def local(generator: Path, **more: Any) -> GenerateSpec:
    keys = {"shots": 1, "at_once": 2, "usable": 0, "max_tokens": 320, "max_new_tokens": 24, "temperature": 1.5}
    return GenerateSpec.model_validate({"source": str(generator), **keys, **more})


def test_a_local_generator_draws_by_seed_and_rows_whatever_the_fold(
    generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    making = Making(seed=3, cache=tmp_path, advance=lambda done, total, about: told.append(done))
    whole = Generate().drafts(local(generator), ROWS, making)
    assert whole.facts["sent"] == 20
    assert told[-1] == 20
    part = Generate().drafts(local(generator), without(1), Making(seed=3))
    assert texts(part) <= texts(whole)
    assert set(whole.failed.values()) >= {"cut"}
    monkeypatch.setattr("ratchet.augment.writers.build_decoder", lambda *a, **k: pytest.fail("it was asked before"))
    again = Generate().drafts(local(generator), ROWS, making)
    assert [*again.texts] == [*whole.texts]
    assert again.facts["sent"] == 0


def test_another_seed_or_other_weights_are_asked_anew(generator: Path, tmp_path: Path) -> None:
    first = Generate().drafts(local(generator), ROWS, Making(seed=3, cache=tmp_path))
    other = Generate().drafts(local(generator), ROWS, Making(seed=4, cache=tmp_path))
    assert other.facts["sent"] == 20
    assert texts(first) != texts(other)
    assert Generate().drafts(local(generator, top_p=0.5), ROWS, Making(seed=3, cache=tmp_path)).facts["sent"] == 20


def test_a_row_too_long_for_the_model_is_not_cut(generator: Path) -> None:
    of = Source(texts=["word " * 400, "a short one"], labels=["a", "b"], language="en")
    made = Generate().drafts(local(generator), of, Making(seed=3))
    assert made.failed[0] == "the prompt is too long for context"


def test_no_generator_is_said() -> None:
    of = Source(texts=["房间很干净"], labels=["a"], language="zh")
    with pytest.raises(RatchetError, match="must lead to a pretrained one but there is none for texts in 'zh'"):
        Generate().drafts(GenerateSpec(), of, Making(seed=3))
