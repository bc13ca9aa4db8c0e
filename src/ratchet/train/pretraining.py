"""Language modelling from scratch: a new generator reads plain documents before it learns answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ratchet.generators.decoder import CARD, FittedDecoder, load_decoder
from ratchet.models.encoder import device_of
from ratchet.monitoring.follow import PRETRAINING
from ratchet.monitoring.watching import Watching
from ratchet.recipe.finetune import DecoderSpec
from ratchet.train.defaults import SCRATCH_RATE, Usual, settled
from ratchet.train.language import Examples, LanguageObjective, documents
from ratchet.train.loop import fit
from ratchet.train.records import Fit, Progress, is_done

MODEL = "model"
USUAL = Usual(rows=16, tokens=(512, 4096), steps=500, epochs=(2, 10))
OVERLAP = 4
"""Windows of a long document share one in so many of their tokens, which are read twice and learnt once."""


def pretrain(
    decoder: FittedDecoder,
    *,
    train: Sequence[str],
    valid: Sequence[str],
    spec: DecoderSpec,
    facts: Mapping[str, Any],
    seed: int,
    threads: int,
    folder: Path,
    progress: Callable[[Progress], None] | None = None,
    watching: Watching | None = None,
) -> dict[str, Any]:
    """Train a new generator's network in place on documents, or go on with a killed training, or take a finished one.

    Args:
        decoder: from scratch; its network has the weights of the kept epoch afterwards, on the processor.
        train: documents to learn.
        valid: documents whose perplexity is told, and that choose the epoch where ``keep`` says so.
        spec: of the challenger; its section ``pretrain`` is there.
        facts: all that the weights depend on, by name, as JSON values.
        seed: of batches and dropout.
        threads: cores; 0: all. The same number gives the same bytes on one machine.
        folder: of the whole training; this part has one of its own in it.
        progress: called after each step.
        watching: how it is watched beside that.

    Returns:
        How it was trained, as JSON values: documents and tokens that were learnt, which epoch was kept and by what (``keep``),
        and of each epoch the losses and the perplexity of ``valid``.

    Raises:
        RatchetError: no document has a token, or the loss stopped being finite.
        WorkspaceError: the disk is full or read-only, or the folder has checkpoints of another training.
    """
    from ratchet.models.network import keep_activations, save_memory, using_threads

    own, key = folder / PRETRAINING, {**facts, "part": PRETRAINING}
    done = own / MODEL
    if is_done(done / CARD, key):
        found = load_decoder(done)
        decoder.network.load_state_dict(found.network.state_dict())
        return {name: value for name, value in found.facts.items() if name != "key"}
    learnt = read_documents(decoder, train)
    watched = read_documents(decoder, valid) if any(text.strip() for text in valid) else None
    if spec.gradient_checkpointing:
        save_memory(decoder.network)
    decoder.network.to(device_of(spec.device))
    with using_threads(threads):
        objective = LanguageObjective(decoder.network, train=learnt, valid=watched, pad_id=decoder.tokens.pad_id)
    keys = _keys(spec, goals=objective.goals)
    settings = settled(keys, USUAL, rate=SCRATCH_RATE, lengths=learnt.lengths, seed=seed)

    def save(ended: Fit) -> dict[str, Any]:
        decoder.network.to("cpu")
        if spec.gradient_checkpointing:
            keep_activations(decoder.network)
        told = {
            **asdict(settings),
            **ended.facts,
            "keep": keys.keep,
            "documents": len(train) - learnt.counts.get("empty texts", 0),
            "tokens": int(learnt.told.sum()),
            "cut_or_empty": dict(learnt.counts),
            "curve": [
                {"epoch": one.epoch, "train_loss": one.train_loss, **{f"valid_{k}": v for k, v in one.valid.items()}}
                for one in ended.records
            ],
        }
        replace(decoder, facts={**told, "key": key}).save(done)
        return told

    return fit(
        objective,
        spec=keys,
        settings=settings,
        folder=own,
        facts=key,
        seed=seed,
        threads=threads,
        save=save,
        progress=None if progress is None else lambda now: progress(replace(now, part=PRETRAINING)),
        watching=None if watching is None else watching.named(PRETRAINING),
    )


def read_documents(decoder: FittedDecoder, texts: Sequence[str]) -> Examples:
    """Documents in windows of the context, as a pretraining learns them."""
    tokens = decoder.tokens
    context = tokens.max_tokens
    return documents(
        map(tokens.document, texts), end=tokens.end_of_text, context=context, stride=context - context // OVERLAP
    )


def _keys(spec: DecoderSpec, *, goals: Mapping[str, int]) -> DecoderSpec:
    """The challenger's keys with those of the pretraining in their place, and without what is about its answers."""
    own = spec.pretrain
    assert own is not None
    alike = spec.keep == "last" or spec.keep in goals  # a model that learns preferences may be kept by their margin
    return spec.model_copy(
        update={
            "epochs": own.epochs,
            "lr": own.lr,
            "batch_tokens": own.batch_tokens,
            "unfreeze": "at_once",
            "layer_decay": 1.0,
            **({} if alike else {"keep": "last", "patience": 0}),
        }
    )
