"""The winner trained once more on all dev rows: what was judged had to leave rows out, what is served need not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ratchet.compress.compressor import compressors
from ratchet.contenders.base import Contender
from ratchet.contenders.change import Change, Changing
from ratchet.contenders.kind import Training
from ratchet.contenders.registry import change_of, kind_of
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.sources import SOURCES
from ratchet.plugins import chosen
from ratchet.recipe.section import Section
from ratchet.workspace.finished import finished, key_of

MADE = "made"
"""What was made for row changes, beside the contenders."""
MADE_OF = "made_of"
"""The fact of a card that names what its row change reads beside the rows: other files or tables make other rows."""


def refit(best: Contender, training: Training) -> tuple[Contender | None, str]:
    """The same settings trained on all dev rows, as a finished folder, or ``None`` and why there is none.

    Its recorded predictions are of the valid part, which it has seen: they serve the parity check of the export alone.

    Args:
        best: the champion, as it was judged.
        training: rows, seed, threads and store; its name and facts are replaced by those of ``best``.
    """
    if not best.learns:
        return None, "The majority model has nothing to fit."
    if "left_out" in best.facts:
        return None, "It is the champion of earlier rows, as it was."
    kind, spec = kind_of(best)
    if not kind.trained:
        return None, "It is not trained here."
    target = training.store / f"{best.folder.name}.refit"
    if not target.is_dir() and "of_key" not in best.facts and (reason := replaced(best, training.rows)):
        return None, reason
    facts = {"refit": len(training.rows.parts.dev), "judged": best.folder.name}
    training = replace(training, name=best.name, kind=best.ref.kind, key=best.folder.name, facts=facts)
    if "of_key" in best.facts:
        origin = Contender.load(training.store / str(best.facts["of_key"]))
        whole, reason = refit(origin, training)
        if whole is None:
            return None, reason
        compressor = chosen(best.ref.kind, compressors(), noun="A compressor")
        finished(target, partial(kind.compress, compressor=compressor, of=whole, training=training))
    else:
        finished(target, partial(kind.refit, spec=spec, training=changed(best.facts, training)))
    return Contender.load(target), ""


def replaced(judged: Contender, rows: PartedRows) -> str:
    """Why a training with the settings of a contender would now be that of another model; empty: it would not.

    What was trained by an earlier version did not note its files, so that nobody knows whether they are still the same.
    """
    if "of_key" in judged.facts:
        judged = Contender.load(judged.folder.parent / str(judged.facts["of_key"]))
    kind, spec = kind_of(judged)
    if list(judged.facts.get(SOURCES, ())) != kind.sources(spec):
        return (
            f"The files that {judged.name!r} begins with are not those that it was judged with, or these are not known."
        )
    if (made_by := judged.facts.get("made_by")) and judged.facts.get(MADE_OF) != made_of(*change_of(made_by), rows):
        return f"What the rows of {judged.name!r} are made with is not what it was judged with, or that is not known."
    return ""


def made_of(change: Change[Any], spec: Section, rows: PartedRows) -> str:
    """What names all that a row change reads: its settings, the files and tables behind them, and further rows."""
    return key_of(change.named_by(spec), change.depends_on(spec, rows))


def changed(facts: Mapping[str, Any], training: Training) -> Training:
    """The training with the row change that a contender with these facts was made by, if it was."""
    made_by = facts.get("made_by")
    if made_by is None:
        return training
    change, settings = change_of(made_by)
    champion = facts.get("from_key")
    changing = Changing(
        rows=training.rows,
        seed=training.seed,
        threads=training.threads,
        champion=Contender.load(training.store / str(champion)) if champion else None,
        folder=training.store / MADE / training.key,
        cache=training.store / MADE / "cache",
        store=training.store,
        advance=training.advance,
    )
    return replace(
        training, change=lambda seen, *, held_out: change.material(settings, changing, seen, held_out=held_out)
    )
