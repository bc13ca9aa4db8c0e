"""Fine-tune a generator on prompts with answers, or with preferred ones; what is served has the adapter merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.generators.chat import turns_of
from ratchet.generators.decoder import CARD, FittedDecoder, build_decoder
from ratchet.generators.generated import ANSWER, DecoderModel
from ratchet.generators.generators import Shape
from ratchet.models.checkpoints import GENERATOR, locate
from ratchet.models.encoder import device_of, require_device, require_torch
from ratchet.models.targets import Targets
from ratchet.monitoring.watching import Watching
from ratchet.recipe.finetune import DecoderSpec
from ratchet.train.adapters import (
    Adapted,
    AdapterShape,
    attach,
    base_hash,
    freeze,
    load_adapter,
    require_4bit,
    require_layers,
)
from ratchet.train.defaults import SCRATCH_RATE, Settings, Usual, settled
from ratchet.train.identity import texts_hash, versions
from ratchet.train.language import GOALS as LANGUAGE_GOALS
from ratchet.train.language import LanguageObjective, Packing, answered
from ratchet.train.loop import fit
from ratchet.train.preference import GOALS as PREFERENCE_GOALS
from ratchet.train.preference import PreferenceObjective, Preferences, preferences
from ratchet.train.pretraining import pretrain
from ratchet.train.records import Fit, Progress, is_done
from ratchet.train.scoring import Scoring, require_measured
from ratchet.workspace.workspace import atomic_folder, writing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MODEL, ADAPTER = "model", "adapter"
USUAL = Usual(rows=16, tokens=(512, 4096), steps=200, epochs=(2, 10))
ADAPTER_RATE, FULL_RATE = 1e-3, 5e-5
ASKED = 200
"""Valid rows that a generator is asked after each epoch at most: the standard error of a share is then at most 3.5 points."""
PREFERENCE = 0.1
"""Preferences are learnt at this share of the usual rate (Rafailov et al. 2023, appendix B, take 1e-6)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """Rows to be learnt from: texts, their answers, and, where preferences are learnt, the rejected answers."""

    texts: Sequence[str]
    answers: Sequence[str]
    rejected: Sequence[str] | None = None
    features: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Columns of the rows, (n,) each, which a metric of the user's may take."""
    corpus: Sequence[str] = ()
    """Plain texts that are read beside the rows before answers are learnt."""

    def digest(self) -> str:
        """64 hex digits over all of it."""
        return texts_hash(self.texts, self.answers, self.rejected or (), self.corpus)

    def documents(self) -> list[str]:
        """Each row as a plain text, its columns or turns and its answer apart by a blank line; and the corpus."""
        rows = zip(self.texts, self.answers, strict=True)
        told = ((*(turn.text for turn in turns_of(text)), answer) for text, answer in rows)
        return ["\n\n".join(filter(None, parts)) for parts in told] + [*self.corpus]


def fit_decoder(
    train: Asked,
    valid: Asked | None,
    *,
    spec: DecoderSpec,
    choices: tuple[str, ...] = (),
    language: str,
    seed: int,
    threads: int,
    folder: Path,
    metrics: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
    watching: Watching | None = None,
) -> DecoderModel:
    """Train a generator, or go on with a killed training, or load a finished one with the same inputs.

    ``folder`` gets ``model/`` (see :meth:`ratchet.generators.generated.DecoderModel.load`), with the adapter alone in
    ``model/adapter/``, and what :func:`ratchet.train.loop.fit` writes.

    Args:
        train: rows to learn from.
        valid: rows to watch; ``None``: none.
        spec: the recipe's section.
        choices: the labels, where an answer is one of them.
        language: of the texts: ``zh``, ``en`` or ``mixed``.
        seed: of weights, batches and dropout.
        threads: cores; 0: all. The same number gives the same bytes on one machine.
        folder: of this training.
        metrics: what is said of answers to the valid rows after each epoch, beside ``spec.keep`` and the loss; one that has no
            value for these rows is left out.
        progress: called after each step.
        watching: how it is watched beside that.

    Raises:
        RatchetError: the source or the rows are not usable, or the loss stopped being finite.
        WorkspaceError: the disk is full or read-only, or the folder has checkpoints of another training.
        ExtraMissing: torch, transformers or peft is not installed.
    """
    require_torch()
    from ratchet.models.network import using_threads

    fresh = _fresh(train, spec=spec, choices=choices, language=language, seed=seed, threads=threads)
    base = base_hash(fresh.decoder.network)
    asked = _asked_of(valid, metrics=metrics, spec=spec, choices=choices, seed=seed)
    facts = _facts(fresh, train, valid, spec=spec, base=base, seed=seed, threads=threads)
    facts.update(asked.scoring.named_by)
    done = folder / MODEL
    if is_done(done / CARD, facts):
        return DecoderModel.load(done, threads)
    pretraining = None
    if spec.pretrain is not None:
        pretraining = pretrain(
            fresh.decoder,
            train=train.documents(),
            valid=valid.documents() if valid else (),
            spec=spec,
            facts=facts,
            seed=seed,
            threads=threads,
            folder=folder,
            progress=progress,
            watching=watching,
        )
    with using_threads(threads):
        adapted, objective = _objective(fresh, train, valid, spec=spec, base=base, seed=seed)
    if asked.scoring.metrics and asked.texts:
        objective.asked = lambda: asked.scoring.scores(fresh.predict(asked.texts))
    objective.goals = {**objective.goals, **asked.scoring.goals}
    settings = settle(spec, decoder=fresh.decoder, lengths=objective.lengths, seed=seed)

    def save(ended: Fit) -> DecoderModel:
        told = {
            **asdict(settings),
            **ended.facts,
            "tuning": tuning_of(spec, fresh.decoder),
            "trained_weights": sum(one.numel() for one in objective.network.parameters() if one.requires_grad),
            "vocabulary": len(fresh.decoder.tokens.tokenizer),
            "pretraining": pretraining,
            "notes": [*objective.notes, *ended.notes],
            "cut_or_empty": _counts(objective),
            "base": base,
            "key": facts,
        }
        return _saved(fresh, adapted, spec=spec, told=told, folder=done)

    return fit(
        objective,
        spec=spec,
        settings=settings,
        folder=folder,
        facts=facts,
        seed=seed,
        threads=threads,
        save=save,
        progress=progress,
        watching=watching,
    )


def require_tunable(spec: DecoderSpec, *, language: str, choices: tuple[str, ...]) -> None:
    """Refuse what `fit_decoder` would refuse of these settings, before any training and without reading a weight.

    Args:
        spec: the recipe's section.
        language: of the texts: ``zh``, ``en`` or ``mixed``.
        choices: the answers that there are, where the task has a list of them.

    Raises:
        RatchetError: the source is not usable, or the spec asks for what there is not.
    """
    given = PREFERENCE_GOALS if spec.rejected else LANGUAGE_GOALS
    require_measured([spec.keep], given=given, kind="classes" if choices else "texts")
    source = locate(spec.source, language=language, wanted=GENERATOR, weights=False)
    tuning = _tuning(spec, scratch=source.folder is None)
    if tuning == "qlora":
        require_4bit()
    if tuning == "freeze" and not source.gguf:
        require_layers(spec.trained_layers, source.layers)
    require_device(spec.device)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Questions:
    """What a generator is asked after each epoch, and what is said of its answers."""

    texts: Sequence[str]
    scoring: Scoring


def _asked_of(
    valid: Asked | None, *, metrics: Sequence[str], spec: DecoderSpec, choices: tuple[str, ...], seed: int
) -> _Questions:
    """At most `ASKED` of the valid rows that have an answer, the same in each epoch: writing takes long.

    Beside those, of each label that is missing among them its first row: without it AUC, for one, has no value.
    """
    answers = valid.answers if valid else ()
    able = np.flatnonzero([bool(answer.strip()) for answer in answers]) if valid else np.zeros(0, np.int64)
    if len(able) > ASKED:
        asked = np.random.default_rng(seed).choice(able, ASKED, replace=False).tolist()
        there = {answers[row] for row in asked}
        first = {answers[row]: row for row in reversed(able.tolist())} if choices else {}
        able = np.sort([*asked, *(row for label, row in first.items() if label not in there)])
    own = [answers[row] for row in able.tolist()]
    right = (
        Targets.of_labels(own, names=choices)
        if choices
        else Targets(kind="texts", names=(ANSWER,), values=np.array([*own, ""], dtype=object)[:-1])
    )
    return _Questions(
        texts=[valid.texts[row] for row in able.tolist()] if valid else [],
        scoring=Scoring.of(
            (spec.keep,),
            beside=metrics,
            given=PREFERENCE_GOALS if spec.rejected else LANGUAGE_GOALS,
            right=right,
            features={name: values[able] for name, values in valid.features.items()} if valid else {},
        ),
    )


def settle(spec: DecoderSpec, *, decoder: FittedDecoder, lengths: npt.NDArray[np.int64], seed: int) -> Settings:
    """What the spec says, and where it says nothing: 200 steps, and the rate that belongs to what is trained.

    Args:
        spec: the recipe's section.
        decoder: to be trained.
        lengths: (n,) tokens of each row.
        seed: of the run; the batches of the first epoch are counted.
    """
    adapter = tuning_of(spec, decoder) not in ("full", "freeze")
    rate = SCRATCH_RATE if decoder.source == "scratch" else ADAPTER_RATE if adapter else FULL_RATE
    return settled(spec, USUAL, rate=rate * (PREFERENCE if spec.rejected else 1), lengths=lengths, seed=seed)


def tuning_of(spec: DecoderSpec, decoder: FittedDecoder) -> str:
    """What is trained: an adapter unless the recipe says otherwise; from scratch everything.

    Raises:
        RatchetError: an adapter is wanted beside weights that were never trained.
    """
    return _tuning(spec, scratch=decoder.source == "scratch")


def _tuning(spec: DecoderSpec, *, scratch: bool) -> str:
    if not scratch:
        return "lora" if spec.tuning == "auto" else spec.tuning
    if spec.tuning not in ("auto", "full"):
        raise RatchetError(
            f"tuning must be full for a model from scratch but got {spec.tuning}.",
            next_step="Name a pretrained generator as its source, or set tuning: full.",
        )
    return "full"


def _fresh(
    train: Asked, *, spec: DecoderSpec, choices: tuple[str, ...], language: str, seed: int, threads: int
) -> DecoderModel:
    shape = Shape(layers=spec.layers, width=spec.width, heads=spec.heads, vocabulary=spec.vocabulary)
    decoder = build_decoder(
        spec.source,
        max_tokens=spec.max_tokens,
        max_new_tokens=spec.max_new_tokens,
        language=language,
        texts=[*train.texts, *train.answers, *train.corpus],
        shape=shape,
        seed=seed,
        threads=threads,
    )
    if tuning_of(spec, decoder) == "qlora":
        require_4bit()
    return DecoderModel(decoder=decoder, system=spec.system, choices=choices)


def _facts(
    fresh: DecoderModel, train: Asked, valid: Asked | None, *, spec: DecoderSpec, base: str, seed: int, threads: int
) -> dict[str, Any]:
    """All that the weights depend on, by name."""
    return {
        **spec.model_dump(mode="json", exclude={"name": True, "source": True, "pretrain": {"corpus"}}),
        "base": base,
        "tokens": fresh.decoder.tokens.digest(),
        "stops": sorted(fresh.decoder.stops),
        "rows": [train.digest(), valid.digest() if valid else ""],
        "choices": list(fresh.choices),
        "seed": seed,
        "threads": threads,
        **versions(),
    }


def _objective(
    fresh: DecoderModel, train: Asked, valid: Asked | None, *, spec: DecoderSpec, base: str, seed: int
) -> tuple[Adapted | None, Packing]:
    """What is learnt, on its device, with the weights that stay as they are held."""
    from ratchet.models.network import save_memory

    decoder, tuning = fresh.decoder, tuning_of(spec, fresh.decoder)
    network, adapted = decoder.network, None
    if tuning in ("lora", "dora", "qlora"):
        shape = AdapterShape(kind=tuning, rank=spec.rank, alpha=spec.alpha or 2 * spec.rank, dropout=spec.dropout)
        adapted = attach(network, shape, base=base, seed=seed)
    elif tuning == "freeze":
        freeze(network, trained_layers=spec.trained_layers)
    if spec.gradient_checkpointing:
        save_memory(network)
        if adapted is not None:  # the embeddings must say that a gradient is wanted of what lies above them
            network.enable_input_require_grads()
    network.to("cuda" if tuning == "qlora" else device_of(spec.device))
    pad_id = decoder.tokens.pad_id
    if spec.rejected:
        pairs = _pairs(fresh, train)
        watched = _pairs(fresh, valid, watched=True) if valid else None
        told = watched if watched is not None and len(watched) else None
        return adapted, PreferenceObjective(network, train=pairs, valid=told, pad_id=pad_id, beta=spec.beta)
    rows = answered(decoder.tokens, [fresh.turns(text) for text in train.texts], train.answers)
    looked_at = None
    if valid and any(answer.strip() for answer in valid.answers):
        looked_at = answered(decoder.tokens, [fresh.turns(text) for text in valid.texts], valid.answers, what="valid")
    return adapted, LanguageObjective(network, train=rows, valid=looked_at, pad_id=pad_id)


def _pairs(fresh: DecoderModel, rows: Asked, *, watched: bool = False) -> Preferences:
    asked = zip(rows.texts, rows.answers, rows.rejected or (), strict=True)
    pairs = [(fresh.turns(text), better, worse) for text, better, worse in asked]
    return preferences(fresh.decoder.tokens, pairs, watched=watched)


def _counts(objective: Packing) -> Mapping[str, int]:
    assert isinstance(objective, LanguageObjective | PreferenceObjective)
    return dict(objective.train.counts)


def _saved(
    fresh: DecoderModel, adapted: Adapted | None, *, spec: DecoderSpec, told: Mapping[str, Any], folder: Path
) -> DecoderModel:
    """The model to be served, written whole, with the adapter alone inside its folder."""
    from ratchet.models.network import keep_activations

    network = fresh.decoder.network.to("cpu")
    if spec.gradient_checkpointing:
        keep_activations(network)
    with atomic_folder(folder) as target:
        if adapted is not None:
            adapted.save(target / ADAPTER)
            network = _merged(fresh, adapted, target / ADAPTER, spec=spec)
        found = replace(fresh, decoder=replace(fresh.decoder, network=network, facts=dict(told)))
        parts = target / "parts"
        found.save(parts)
        with writing(target):
            for path in parts.iterdir():
                path.rename(target / path.name)
            parts.rmdir()
    network.requires_grad_(False)
    return found


def _merged(fresh: DecoderModel, adapted: Adapted, saved: Path, *, spec: DecoderSpec) -> PreTrainedModel:
    """The network with the adapter in its weights: of a base in 4 bits those of the base as it is published."""
    if adapted.shape.kind != "qlora":
        return adapted.merged()
    tokens = fresh.decoder.tokens
    base = build_decoder(
        spec.source, max_tokens=tokens.max_tokens, max_new_tokens=tokens.max_new_tokens, pretrained=True
    )
    return load_adapter(base.network, saved).merged()
