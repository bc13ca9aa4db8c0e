"""New training rows for people to look at: prepared as a run prepares, and made of the train part by one augmenter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ratchet.augment.filters import Made
from ratchet.augment.registry import augmenters
from ratchet.contenders.augmented import Augmented, require_some
from ratchet.contenders.change import Changing
from ratchet.contenders.refit import MADE
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import DataError, ExtraMissing, RecipeError
from ratchet.plugins import chosen
from ratchet.recipe.augment import AugmentKeys
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.recipe.yaml import write_yaml
from ratchet.screen import Advance, Screen
from ratchet.stages.job import Job
from ratchet.stages.rows import job_of, prepared, standing
from ratchet.tables.queues import MADE_BY, OWN, as_csv
from ratchet.text.joined import parted
from ratchet.workspace.workspace import write_atomic

FORMS = (".jsonl", ".ndjson", ".csv", ".tsv")
"""What a table of new rows may end in."""
USUAL = "eda"


@dataclass(frozen=True, kw_only=True, eq=False)
class NewRows:
    """New rows beside their parents."""

    augmenter: str
    seed: int
    rows: PartedRows
    seen: Ints
    """The rows of the train part."""
    made: Made

    @property
    def parents(self) -> list[str]:
        """The text that each was made from."""
        return self.rows.texts(self.seen[self.made.parent])

    def records(self) -> Iterator[dict[str, str]]:
        """A row of a table for each: its texts and label in the columns of the training table, and where it comes from, in
        columns that no table has."""
        roles, dataset = self.rows.dataset.roles, self.rows.dataset
        features = self.rows.inputs(self.seen[self.made.parent]).features
        model = str(self.made.facts.get("model", ""))
        for number, (text, parent, place) in enumerate(
            zip(self.made.texts, self.parents, self.seen[self.made.parent].tolist(), strict=True)
        ):
            yield {
                **dict(zip(roles.own_texts, parted(text) if roles.texts else [text], strict=True)),
                roles.label or "label": self.made.labels[number],
                **{name: cells[number] or "" for name, cells in features.items()},
                f"{OWN}parent_file": dataset.files[int(dataset.file_index[place])],
                f"{OWN}parent_row": str(dataset.origin[place]),
                f"{OWN}parent_text": " ".join(parted(parent)),
                f"{OWN}operation": self.made.operation[number],
                MADE_BY: self.augmenter,
                f"{OWN}seed": str(self.seed),
                f"{OWN}model": model,
            }


def make_rows(recipe: Recipe, *, spec: AugmentKeys, screen: Screen, kept: bool, wait: bool = False) -> NewRows:
    """What an augmenter makes of the train part; nothing is near a valid or a test row.

    Args:
        recipe: the table, and how it is prepared; its workspace keeps what was prepared.
        spec: the augmenter's section; see `augmenting`.
        screen: where to print progress.
        kept: whether the workspace is used; else all is made in a folder that is removed at the end.
        wait: wait for a run that uses the workspace.

    Raises:
        RatchetError: a user's mistake; or nothing may be kept, with the counts by reason.
    """
    name = str(getattr(spec, "kind", ""))
    change = Augmented(chosen(name, augmenters(), noun="An augmenter"))
    if (missing := change.missing()) is not None:
        raise ExtraMissing(missing, extra=change.extra, why=f"The augmenter {name!r}")
    folder: AbstractContextManager[str] = nullcontext(recipe.workspace) if kept else TemporaryDirectory()
    with folder as root:
        job = job_of(recipe.model_copy(update={"workspace": root}), screen=screen)
        with job.workspace.lock(wait=wait, on_wait=lambda who: screen.say("wait", f"another run is at work ({who})")):
            job, rows = prepared(job, quiet=not kept)
            if not kept:
                counts = ", ".join(f"{part} {count:,}" for part, count in rows.parts.counts.items())
                screen.say("prepare", f"{counts}; {sum(rows.removed.values()):,} taken out")
            if rows.task.name not in change.tasks:
                raise RecipeError(f"{name} must be for {rows.task.name} but is for {' and '.join(change.tasks)}.")
            change.require(spec, rows)
            if remark := change.remark(spec):
                screen.say("augment", remark)
            if (to := change.sends_to(spec)) is not None:
                screen.say("augment", f"the texts of training rows are sent to {to}")
            with screen.bar(name) as advance:
                return _made(job, rows, change, spec, advance=advance)


def _made(job: Job, rows: PartedRows, change: Augmented, spec: AugmentKeys, *, advance: Advance) -> NewRows:
    store, seen = job.workspace.models, rows.parts.train
    changing = Changing(
        rows=rows,
        seed=job.recipe.seed,
        threads=job.recipe.threads,
        champion=standing(job, rows),
        cache=store / MADE / "cache",
        store=store,
        advance=advance,
    )
    made = change.made(spec, changing, seen, held_out=rows.parts.valid)
    require_some(len(made.texts), made.rejected, about=change.name)
    return NewRows(augmenter=change.name, seed=job.recipe.seed, rows=rows, seen=seen, made=made)


def augmenting(recipe: Recipe, *, kind: str | None, settings: Sequence[str]) -> AugmentKeys:
    """The section of the augmenter that is asked for.

    Args:
        recipe: has it among its challengers, or not.
        kind: its kind, or the name of a challenger; absent: the only one of the recipe, or easy data augmentation.
        settings: keys of the section, as of ``--set``: "copies=2".

    Raises:
        RecipeError: there are several, no such augmenter, or no such key.
    """
    known = augmenters()
    listed = [spec for spec in (*(recipe.challengers or ()), *recipe.augment) if isinstance(spec, AugmentKeys)]
    own = [spec for spec in listed if kind is None or kind in (spec.name, getattr(spec, "kind", ""))]
    if len(own) > 1:
        names = ", ".join(spec.name or str(getattr(spec, "kind", "")) for spec in own)
        raise RecipeError(
            f"One augmenter must be named but the recipe has {len(own)}: {names}.",
            next_step="Name one with --kind NAME.",
        )
    base: dict[str, Any] = own[0].model_dump(mode="json", exclude_unset=True) if own else {}
    called = str(getattr(own[0], "kind", "")) if own else chosen(kind or USUAL, known, noun="An augmenter").name
    text = write_yaml({"augment": [{**base, "kind": called}]})
    overrides = [f"augment.0.{setting}" for setting in settings]
    found = parse_recipe(text, folder=Path(), name="the augmenter", overrides=overrides).augment[0]
    assert isinstance(found, AugmentKeys)
    return found


def require_form(out: Path, recipe: Recipe) -> None:
    """Refuse, before anything is made, a table that cannot be written.

    Raises:
        DataError: another extension, or a file that the recipe reads.
    """
    if out.suffix.lower() not in FORMS:
        raise DataError(f"--out must end in {', '.join(FORMS)} but got {out.name!r}.", next_step="Rename it.")
    data = recipe.data
    for name in (*data.files, *data.test_files, *data.unlabelled):
        if Path(name).exists() and out.exists() and Path(name).samefile(out):
            raise DataError(f"--out must be a new file but {out} is read by the recipe.", next_step="Name another.")


def write_rows(out: Path, found: NewRows) -> None:
    """Write the table, whole or not at all: CSV or TSV for people (`tables.queues.as_csv`), or one JSON object a line."""
    records, form = [*found.records()], out.suffix.lower()
    if form in (".csv", ".tsv"):
        data = as_csv([*records[0]], (record.values() for record in records), delimiter="," if form == ".csv" else "\t")
    else:
        lines = (f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
        data = "".join(lines).encode("utf-8", "surrogatepass")
    write_atomic(out, data)
