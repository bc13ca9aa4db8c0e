from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from starlette.testclient import TestClient

from ratchet.bundle.bundle import write_bundle
from ratchet.bundle.reference import Reference
from ratchet.models.inputs import Inputs
from ratchet.models.linear_fit import fit_linear
from ratchet.models.model import Answers
from ratchet.recipe.sections import LinearSpec, ServeConfig
from ratchet.serve.front import fronted
from ratchet.serve.live import LEVEL, TOGETHER, WINDOW, Live, _tested
from ratchet.serve.rest import build_app

LABELS = ("bad", "good")
WORDS = (
    "the",
    "food",
    "was",
    "good",
    "bad",
    "very",
    "quick",
    "slow",
    "we",
    "came",
    "again",
    "never",
    "staff",
    "kind",
    "rude",
)


def english(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 12)))


def chinese(rng: random.Random) -> str:
    return "".join(rng.choices("房间很干净太吵了服务好坏快慢", k=rng.randint(4, 20)))


def answers(rng: random.Random, n: int, *, good: float = 0.5) -> Answers:
    sure = np.array([rng.uniform(0.5, 1) for _ in range(n)])
    right = np.array([rng.random() < good for _ in range(n)])
    first = np.where(right, 1 - sure, sure)
    return np.stack([first, 1 - first], axis=1).astype(np.float32)


def reference(rows: int, *, seed: int = 0) -> Reference:
    rng = random.Random(seed)
    texts = [english(rng) for _ in range(rows)]
    return Reference.made([english(rng) for _ in range(2000)], texts, answers(rng, rows), labels=LABELS)


def serve(live: Live, texts: list[str], found: Answers) -> None:
    for place in range(len(texts)):
        live.see([texts[place]], found[place : place + 1])


def test_rows_like_those_of_the_training_raise_no_alarm_and_false_ones_are_rare() -> None:
    rng, alarms, proven, tests = random.Random(1), 0, 0, 0
    for seed in range(20):
        live = Live(reference(600, seed=seed), name="m", seed=seed)
        for _ in range(5):
            n = WINDOW + TOGETHER
            texts = [english(rng) for _ in range(n)]
            windows = live.windows
            for start in range(0, n, 50):
                live.see(texts[start : start + 50], answers(rng, len(texts[start : start + 50])))
            assert live.windows == windows + 1
            proven += any(shift.p <= LEVEL for shift in live.latest)
            tests += 1
            alarms += len(live.alarms)
    assert alarms == 0
    assert proven <= stats.binom.ppf(0.999, tests, LEVEL)


@pytest.mark.parametrize(
    ("trait", "words"),
    [
        ("script", "Latin: 100.0 % became 5"),
        ("length", ""),
        ("label", "bad: "),
        ("confidence", ""),
        ("unknown", ""),
    ],
)
def test_each_kind_of_drift_is_an_alarm_after_two_windows_and_ends_with_it(
    trait: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    rng, live = random.Random(2), Live(reference(2000), name="m")

    def window(*, drifted: bool) -> None:
        n = WINDOW + TOGETHER
        texts = [english(rng) for _ in range(n)]
        found = answers(rng, n, good=0.8 if drifted and trait == "label" else 0.5)
        if drifted and trait == "script":
            texts = [text if place % 2 else chinese(rng) for place, text in enumerate(texts)]
        if drifted and trait == "length":
            texts = [f"{text} {text} {text}" for text in texts]
        if drifted and trait == "confidence":
            found = np.where(found > 0.5, 0.55, 0.45).astype(np.float32)
        if drifted and trait == "unknown":
            texts = [text[::-1] for text in texts]
        for start in range(0, n, TOGETHER):
            live.see(texts[start : start + TOGETHER], found[start : start + TOGETHER])

    window(drifted=False)
    assert not live.alarms
    window(drifted=True)
    assert trait not in live.alarms
    window(drifted=True)
    assert trait in live.alarms
    shift = next(shift for shift in live.latest if shift.trait == trait)
    assert words in shift.words
    assert caplog.text.count(f"in its {trait}:") == 1
    window(drifted=True)
    assert caplog.text.count(f"in its {trait}:") == 1
    window(drifted=False)
    window(drifted=False)
    assert trait not in live.alarms


def test_p_values_agree_with_the_chi_square_test() -> None:
    old, new = np.array([300, 200, 100]), np.array([90, 85, 25])
    distance, p = _tested(old, new, np.random.default_rng(0))
    wanted = stats.chi2_contingency([old, new], correction=False)
    assert distance == pytest.approx(np.sqrt(wanted.statistic / 800))
    assert p == pytest.approx(wanted.pvalue, abs=0.02)
    assert _tested(np.array([5, 0]), np.array([9, 0]), np.random.default_rng(0)) == (0.0, 1.0)


def test_no_text_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(reference(100), name="m")
    serve(live, ["secret"] * TOGETHER, answers(random.Random(0), TOGETHER))
    assert live._texts == []
    assert live._answers == []


def test_odd_texts_are_counted() -> None:
    live = Live(reference(100), name="m")
    odd = ["", "a", "ab", "\ud800", "\x00", "é" * 5000, "😀" * 3, "你好"]
    serve(live, odd * 8, answers(random.Random(0), 64))
    assert live._window["length"].sum() == 64


def test_values_have_parts_and_written_answers_none() -> None:
    rng = random.Random(0)
    texts = [english(rng) for _ in range(200)]
    values = np.arange(200, dtype=np.float64)[:, None]
    found = Reference.made(texts, texts, values, labels=("value",))
    assert found.counts["value"].tolist() == [20] * 10
    assert found.counted(["a"], np.array([[1e9]]))["value"].tolist() == [0] * 9 + [1]
    written = Reference.made(texts, texts, np.array([["x"]] * 200, dtype=object), labels=("answer",))
    assert {*written.counts} == {"length", "script", "unknown"}
    live = Live(found, name="m")
    live.see(Inputs(["a"] * TOGETHER, {"n": [None] * TOGETHER}), np.ones((TOGETHER, 1)))
    assert live._window["value"].sum() == TOGETHER


def test_the_numbers_of_the_server_tell_it(tmp_path: Path) -> None:
    rng = random.Random(3)
    folder = tmp_path / "model"
    texts, labels = [english(rng) for _ in range(200)], [*LABELS] * 100
    model = fit_linear(texts, labels, spec=LinearSpec(name="m"), seed=1)
    model.save(folder)
    made = Reference.made(texts, texts, model.predict(texts), labels=LABELS)
    bundle = write_bundle(
        tmp_path / "bundle",
        model_folder=folder,
        name="m",
        created="",
        kind="linear",
        labels=LABELS,
        reference=made.to_json(),
    )
    config = ServeConfig()
    app = build_app(bundle.path, config=config)
    with TestClient(fronted(app, config=config), base_url="http://localhost") as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.01)
        for _ in range(2 * (WINDOW + TOGETHER) // 200 + 1):
            body = {"texts": [chinese(rng) for _ in range(200)]}
            assert client.post("/predict", json=body).status_code == 200
        told = client.get("/metrics").text
    assert 'ratchet_drift_alarm{trait="script"} 1.0' in told
    assert 'ratchet_drift{trait="script"} 1.0' in told
    assert "ratchet_workers 2.0" in told
