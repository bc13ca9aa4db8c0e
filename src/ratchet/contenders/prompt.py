"""A pretrained generator on this machine as a contender: asked about each row once, with no example or a few."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ratchet.contenders.base import MODEL, Trained, write_contender
from ratchet.contenders.kind import Kind, Training, save_model
from ratchet.contenders.latency import Timed, latency
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.shots import divided
from ratchet.contenders.sources import source_files
from ratchet.endpoint.prompt import Example
from ratchet.generators.chat import CUT_PROMPTS
from ratchet.generators.decoder import build_decoder, require_pretrained
from ratchet.generators.generated import DecoderModel
from ratchet.models.checkpoints import GENERATOR, locate
from ratchet.models.model import Answers
from ratchet.recipe.decoder import PromptSpec

TIMED = 8
"""Texts that are asked one by one, for the latency."""


class Prompt(Kind[PromptSpec]):
    """A local generator as it is; the bundle holds its weights and the examples, so that it is served without its source."""

    name, spec, runtime = "prompt", PromptSpec, "decoder"
    tasks = ("classification", "generation")
    packages = ("torch", "transformers", "tokenizers")
    cheap, trained, threaded = False, False, True

    def require(self, spec: PromptSpec, rows: PartedRows) -> None:
        """As `Kind.require`."""
        found = locate(spec.source, language=rows.language, wanted=GENERATOR, weights=False)
        require_pretrained(found, asked=spec.source, language=rows.language)

    def train(self, folder: Path, spec: PromptSpec, training: Training) -> None:
        """Ask about every row of the comparison.

        Raises:
            RatchetError: the source is not usable.
            ExtraMissing: it is a GGUF file, and the package that reads one is not installed.
        """
        begun, rows = time.perf_counter(), training.rows
        wanted, examples = divided(training, shots=spec.shots)
        model = _model(spec, training, examples)
        asked = time.perf_counter()
        texts = rows.texts(wanted)
        answers = model.predict(texts, advance=partial(_told, training, asked))
        seconds, cut = time.perf_counter() - asked, model.decoder.tokens.counts[CUT_PROMPTS]
        facts = {
            "fixed": True,
            "source": model.decoder.source,
            "parameters": model.decoder.parameters,
            "examples": len(examples),
            "rows_per_second": round(len(texts) / max(seconds, 1e-9), 3),
            "cut_prompts": cut,
            "latency_ms": _latency(model, texts),
            "said": _said(model, answers, seconds=seconds, cut=cut),
            **training.facts,
        }
        save_model(model, folder / MODEL)
        trained = Trained(predicted=wanted, answers=answers, seconds=time.perf_counter() - begun, facts=facts)
        write_contender(folder, rows, self.identity(spec, training), trained)

    def named_by(self, spec: PromptSpec) -> object:
        """Other files in the same directory are another contender."""
        return spec, source_files(spec.source)


def _model(spec: PromptSpec, training: Training, examples: Sequence[Example]) -> DecoderModel:
    rows = training.rows
    decoder = build_decoder(
        spec.source,
        max_tokens=spec.max_tokens,
        max_new_tokens=spec.max_new_tokens,
        language=rows.language,
        threads=training.threads,
        pretrained=True,
    )
    shown = tuple((one["text"], one["label"]) for one in examples)
    return DecoderModel(decoder=decoder, system=spec.system, examples=shown, choices=rows.task.choices(rows.labels))


def _told(training: Training, begun: float, done: int, total: int) -> None:
    training.advance(done, total, f"{done / max(time.perf_counter() - begun, 1e-9):,.1f} rows/s")


def _said(model: DecoderModel, answers: Answers, *, seconds: float, cut: int) -> list[str]:
    """What a person reads of it: its size, its speed, what was cut, what got no answer."""
    lines = [
        f"{model.decoder.source}, {model.decoder.parameters:,} parameters, as it is; {len(answers):,} rows in {seconds:,.1f} s"
    ]
    if cut:
        share = f"all {cut:,}" if cut == len(answers) else f"{cut:,} of {len(answers):,}"
        lines.append(f"{share} prompts were longer than max_tokens leaves room for and lost their oldest text")
    silent = 0 if model.choices else answers[:, 0].tolist().count(None)
    if silent:
        lines.append(f"{silent:,} of the rows got an empty answer, which counts as wrong")
    return lines


def _latency(model: DecoderModel, texts: Sequence[str]) -> dict[str, float]:
    """Of texts asked one by one, spread over those of the table."""
    places = np.unique(np.linspace(0, len(texts) - 1, min(TIMED, len(texts))).astype(np.int64))
    asked = Timed(model=model, rows=places, texts=[texts[place] for place in places.tolist()])
    (took,) = latency([asked], rounds=1)
    low, high = np.quantile(1000 * took[np.isfinite(took)], [0.5, 0.95])
    return {"p50": round(float(low), 3), "p95": round(float(high), 3)}
