"""Personal data: phone numbers, e-mail addresses, ID and bank cards with their check digits, street addresses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from ratchet.checks.context import Context, Distinct, Mask, Samples, counted, percent
from ratchet.checks.finding import Finding, mending, patch
from ratchet.text.personal import KINDS, Kind, matches

GIVES = tuple(f"pii.{kind.name}" for kind in KINDS)
WHOLE = 0.5
CHANCE = 0.3
_LEAST = 10
_LOOKED_AT = 100_000  # rows, for examples of different cells
_SHORTEST = 6  # bytes: a@b.cn


def check(context: Context) -> Iterator[Finding]:
    """Cells that hold personal data, by column and kind; every example is masked."""
    roles = context.dataset.roles
    for name in _looked_at(context):
        cells = context.cells(name)
        for kind in KINDS:
            found = _holding(cells, kind, among=_possible(context, name, kind))
            rows = cells.rows(found)
            if not len(rows):
                continue
            share = cells.shares(found)
            needed = name in roles.used
            where = "text" if name == roles.text else f"cell of the column {name!r}"
            plural = "texts" if name == roles.text else f"cells of the column {name!r}"
            first = np.unique(cells.member[rows[:_LOOKED_AT]], return_index=True)[1]
            shown = rows[np.sort(first)[:3]].tolist()
            yield context.finding(
                f"pii.{kind.name}",
                severity="warning",
                message=f"{counted(len(rows), where, plural=plural)} ({percent(share)}) "
                f"{'holds' if len(rows) == 1 else 'hold'} {kind.title}.",
                why="A model can repeat what it was trained on, and anyone who gets the data, a bundle or a log gets "
                "these too.",
                positions=rows,
                column=name,
                fix=_fix(context, name, drop=share >= WHOLE and not needed),
                samples=Samples(
                    at=shown,
                    notes={row: kind.mask(matches(cells.some([cells.member[row]])[0], kind)[0]) for row in shown},
                ),
            ).among(int(cells.counts.sum()))


def _looked_at(context: Context) -> list[str]:
    """The columns of the table as it came: texts that were joined are looked at where they stand."""
    roles = context.dataset.roles
    return [name for name in context.dataset.table.column_names if not (roles.texts and name == roles.text)]


def _fix(context: Context, name: str, *, drop: bool) -> str:
    """Mask the texts, or leave the column out; where it has a role or holds little of the kind a person must decide."""
    already = context.recipe.prepare
    if name in context.dataset.roles.own_texts:
        return mending("mask", already=already.text)
    return patch({"prepare": {"drop_columns": [*already.drop_columns, name]}}) if drop else ""


def _possible(context: Context, name: str, kind: Kind) -> Mask:
    """Which different cells have the characters that this kind needs."""
    if name != context.dataset.roles.text:
        lengths = pc.binary_length(context.cells(name).array).to_numpy(zero_copy_only=False)
        return np.asarray(lengths >= max(kind.digits, _SHORTEST), bool)
    characters = context.texts.characters
    wide = characters.having("fullwidth")
    return wide | (characters.look["digits"] >= kind.digits) if kind.digits else characters.having("at")


def _holding(cells: Distinct, kind: Kind, *, among: Mask) -> Mask:
    """Which of these values hold this kind; none where check digits fit no more often than chance lets them."""
    found = cells.matching(kind.coarse, among=among)
    plain = cells.matching(kind.plain, among=found) if kind.plain and found.any() else np.zeros(len(found), bool)
    looked = np.flatnonzero(found & ~plain)
    candidates = 0
    for i, text in zip(looked.tolist(), cells.some(looked), strict=True):
        candidates += kind.pattern.search(text) is not None
        found[i] = bool(matches(text, kind))
    # A tenth of all numbers pass Luhn's test: a column of order numbers is no column of bank cards.
    if kind.name == "card" and candidates >= _LEAST and found.sum() < CHANCE * candidates:
        found[:] = False
    return found
