"""The winner trained once more on all dev rows: what was judged had to leave rows out, what is served need not."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ratchet.contenders.base import HEADS, MODEL, Contender, Floats, Ints, PartedRows, finish, load_model_folder
from ratchet.contenders.derived import Augmenting, Balancing
from ratchet.contenders.encoder import watched
from ratchet.contenders.material import Source, plain
from ratchet.models.batching import softmax
from ratchet.models.linear_fit import fit_rows
from ratchet.recipe.sections import BalanceSpec, BlendSpec, EdaSpec, EmbeddingSpec, EncoderSpec, LinearSpec
from ratchet.screen import Advance
from ratchet.workspace.finished import finished
from ratchet.workspace.workspace import writing

_MADE: TypeAdapter[EdaSpec | BalanceSpec] = TypeAdapter(EdaSpec | BalanceSpec)
_NONE: Ints = np.zeros(0, np.int64)


def refit(
    best: Contender, rows: PartedRows, *, seed: int, threads: int, store: Path, advance: Advance
) -> tuple[Contender | None, str]:
    """The same settings trained on all dev rows, as a finished folder, or ``None`` and why there is none.

    Its recorded predictions are of the valid part, which it has seen: they serve the parity check of the export alone.
    """
    facts = best.card["facts"]
    if best.spec() is None:
        return None, "The majority model has nothing to fit."
    if "left_out" in facts:
        return None, "It is the champion of earlier rows, as it was."
    if "of_key" in facts:
        origin = Contender.load(store / str(facts["of_key"]))
        whole, reason = refit(origin, rows, seed=seed, threads=threads, store=store, advance=advance)
        if whole is None:
            return None, reason
        target = store / f"{best.folder.name}.refit"
        finished(target, partial(_shrunk, rows=rows, best=best, whole=whole, threads=threads))
        return Contender.load(target), ""
    target = store / f"{best.folder.name}.refit"
    build = partial(_fitted, rows=rows, best=best, seed=seed, threads=threads, store=store, advance=advance)
    finished(target, build)
    return Contender.load(target), ""


def _fitted(
    folder: Path, *, rows: PartedRows, best: Contender, seed: int, threads: int, store: Path, advance: Advance
) -> None:
    begun, spec = time.perf_counter(), best.spec()
    made = best.card["facts"].get("made_by")
    source = _source(rows, made, seed=seed)
    more: dict[str, Any] = {}
    fit: Callable[[], Floats]
    if isinstance(spec, LinearSpec | BlendSpec):
        fit = partial(_linear, folder, rows, spec=spec, seed=seed, source=source)
    elif isinstance(spec, EmbeddingSpec):
        fit = partial(
            _embedding, folder, rows, spec=spec, threads=threads, store=store, advance=advance, source=source, more=more
        )
    else:
        assert isinstance(spec, EncoderSpec)
        training = store / f"{best.folder.name}.refit.training"
        fit = partial(
            _encoder,
            folder,
            rows,
            spec=spec,
            seed=seed,
            threads=threads,
            training=training,
            advance=advance,
            source=source,
        )
    probability = fit()
    finish(
        folder,
        rows,
        name=best.name,
        kind=best.ref.kind,
        runtime=best.runtime,
        spec=spec,
        predicted=rows.parts.valid,
        probability=probability,
        seconds=time.perf_counter() - begun,
        facts={"refit": len(rows.parts.dev), "judged": best.folder.name, **more},
    )


def _source(rows: PartedRows, made: Any, *, seed: int) -> Source:
    """What the contender was trained on, beside the plain rows."""
    if made is None:
        return plain
    spec = _MADE.validate_python(made)
    if isinstance(spec, EdaSpec):
        return Augmenting(rows=rows, spec=spec, seed=seed)
    return Balancing(rows=rows, spec=spec, seed=seed)


def _linear(folder: Path, rows: PartedRows, *, spec: LinearSpec | BlendSpec, seed: int, source: Source) -> Floats:
    dev = rows.parts.dev
    used, names, weights, extra = np.arange(len(dev)), rows.names(dev), None, None
    if isinstance(source, Augmenting):
        extra = source.texts(rows.texts(dev), names, held_out=())
    elif isinstance(source, Balancing):
        used, weights = source.sample(used)
    model = fit_rows(
        rows.corpus, names, names=rows.labels, rows=used, spec=spec, seed=seed, weights=weights, extra=extra
    )
    with writing(folder / MODEL):
        (folder / MODEL).mkdir(parents=True)
    model.save(folder / MODEL)
    return model.predict(rows.texts(rows.parts.valid))


def _embedding(
    folder: Path,
    rows: PartedRows,
    *,
    spec: EmbeddingSpec,
    threads: int,
    store: Path,
    advance: Advance,
    source: Source,
    more: dict[str, Any],
) -> Floats:
    from ratchet.contenders.embedding import head_on
    from ratchet.train.embedding import attach_head, embedder, save_heads

    encoder = embedder(spec, language=rows.language, cache=store, threads=threads)
    vectors = partial(encoder.vectors, progress=lambda done, total: advance(done, total, f"{done:,} vectors"))
    head, _ = head_on(rows, source, rows.parts.dev, _NONE, spec=spec, vectors=vectors)
    with writing(folder):
        save_heads(folder / HEADS, [head])
    attach_head(encoder.folder, folder / MODEL, head, labels=rows.labels, facts={"head": "logistic regression"})
    more.update(embedder=encoder.folder.name, folds=[0])
    found: Floats = softmax(head.logits(vectors(rows.texts(rows.parts.valid))))
    return found


def _encoder(
    folder: Path,
    rows: PartedRows,
    *,
    spec: EncoderSpec,
    seed: int,
    threads: int,
    training: Path,
    advance: Advance,
    source: Source,
) -> Floats:
    from ratchet.train.export import export_onnx
    from ratchet.train.loop import fit_encoder

    used = source(rows.parts.dev, held_out=_NONE)
    train, chooser = watched(used.rows, rows, spec=spec, seed=seed)
    if not len(chooser):
        spec = spec.model_copy(update={"keep": "last"})
    fitted = fit_encoder(
        [*rows.texts(train), *used.texts],
        [*rows.names(train), *used.labels],
        rows.texts(chooser),
        rows.names(chooser),
        spec=spec,
        labels=rows.labels,
        language=rows.language,
        seed=seed,
        threads=threads,
        folder=training,
        progress=lambda p: advance(p.step, p.steps, f"all rows, epoch {p.epoch} loss {p.loss:.3f}"),
    )
    export_onnx(fitted, folder / MODEL)
    return fitted.predict(rows.texts(rows.parts.valid)).astype(np.float32)


def _shrunk(folder: Path, *, rows: PartedRows, best: Contender, whole: Contender, threads: int) -> None:
    """The refitted origin in the form that won."""
    begun, more = time.perf_counter(), {"refit": len(rows.parts.dev), "judged": best.folder.name}
    if best.runtime == "linear":
        from ratchet.compress.linear import quantise_linear
        from ratchet.contenders.copies import PRUNED
        from ratchet.models.linear import LinearModel

        with writing(folder / MODEL):
            (folder / MODEL).mkdir(parents=True)
        quantise_linear(LinearModel.load(whole.folder / MODEL), prune=PRUNED).save(folder / MODEL)
    elif "embedder" in whole.card["facts"]:
        from ratchet.contenders.embedding import shrink_embedding

        shrink_embedding(
            folder,
            rows,
            heads=whole.folder / HEADS,
            origin=whole.card["facts"]["embedder"],
            facts=whole.card["facts"],
            threads=threads,
            store=whole.folder.parent,
        )
    else:
        from ratchet.compress.quantise import quantise_onnx

        quantise_onnx(whole.folder / MODEL, folder / MODEL)
    model = load_model_folder(folder / MODEL, best.runtime, threads=threads)
    finish(
        folder,
        rows,
        name=best.name,
        kind=best.ref.kind,
        runtime=best.runtime,
        spec=best.spec(),
        predicted=rows.parts.valid,
        probability=model.predict(rows.texts(rows.parts.valid)),
        seconds=time.perf_counter() - begun,
        facts=more,
    )
