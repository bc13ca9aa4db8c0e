"""The page of a diff: what changed between two tables, with pictures, in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import ratchet
from ratchet.charts import before_after, figures
from ratchet.charts.before_after import Move
from ratchet.checks.context import counted
from ratchet.drift.diff import Diff
from ratchet.drift.examples import examples
from ratchet.drift.shifts import Sample, Share, Shift
from ratchet.drift.sides import Sides
from ratchet.report.content import Tile
from ratchet.report.diff_terminal import BETWEEN, named
from ratchet.report.frame import render_page
from ratchet.report.pictures import FEW, Picture, both

SHOWN = 8
"""Rows of each kind that are shown."""
KINDS = {
    "changed": "Changed",
    "added": "Added",
    "removed": "Removed",
    "leak": "In the test part, or nearly",
    "conflict": "Labels that contradict a copy",
    "near-copy": "Near-copies of another row",
    "copy": "Copies of another row",
}
NEW_ROWS = {"all": "{b}", "added": "rows only in {b}", "removed": "rows gone from {a}"}
SIGNS = {"chi-square": "χ²"}
OLD_ROWS = {"all": "{a}", "added": "{a}", "removed": "rows that stayed"}


def render_diff(found: Diff, sides: Sides) -> str:
    """The whole page as one string; every text of the tables is escaped, whatever it holds."""
    shown = examples(found, most=SHOWN)
    groups = [_group(found, sides, sample) for sample in found.samples]
    return render_page(
        "diff.html",
        shown={
            "names": sides.names,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": ratchet.__version__,
            "diff": found,
            "story": story(found, sides),
            "tiles": tiles(found),
            "groups": groups,
            "labels": label_picture(found.classes, sides.names),
            "counts": _counts(found),
            "moved": [(old or "(none)", new or "(none)", many) for (old, new), many in found.relabelled.items()][:FEW],
            "kinds": KINDS,
            "changes": {kind: [one for one in shown if one.kind == kind] for kind in KINDS},
            "notes": (*sides.notes, *found.notes),
        },
    )


def story(found: Diff, sides: Sides) -> str:
    """What matters most, in a sentence or two."""
    a, b = sides.names
    if found.same:
        return f"{a} and {b} hold the same rows and columns."
    said = []
    if found.alarms:
        first: dict[str, Shift] = {}
        for shift in found.alarms:
            first.setdefault(named(shift), shift)
        what = "; ".join(f"{name} ({_arrow(shift.words)})" for name, shift in list(first.items())[:3])
        more = f" and {len(first) - 3} more" if len(first) > 3 else ""
        said.append(f"Shifted: {what}{more}.")
    elif found.shifts:
        said.append(f"No distribution shifted in {counted(len(found.shifts), 'test')}.")
    if found.leaked is not None and len(found.leaked.rows):
        brought = counted(len(found.leaked.rows), "new row")
        said.append(f"{brought} {'is' if len(found.leaked.rows) == 1 else 'are'} in the test part.")
    if not said:
        said.append(f"Between {a} and {b} rows changed, but too few to test for a shift.")
    return " ".join(said)


def tiles(found: Diff) -> Sequence[Tile]:
    """The key figures on top."""
    rows = found.rows
    made = [
        Tile(label="Kept", value=figures.count(len(rows.kept[0])), note=f"of {figures.count(len(found.a))} rows"),
        Tile(label="Changed", value=figures.count(len(rows.changed[0])), note=f"matched by {rows.by}"),
        Tile(label="Added", value=figures.count(len(rows.added)), note=f"now {figures.count(len(found.b))} rows"),
        Tile(label="Removed", value=figures.count(len(rows.removed))),
    ]
    if found.shifts:
        note = f"of {len(found.shifts)}, at {found.alpha:.2g} for all of them together"
        made.append(Tile(label="Tests that raise an alarm", value=figures.count(len(found.alarms)), note=note))
    return made


def _arrow(words: str) -> str:
    return words.replace(" -> ", " → ")


def label_picture(classes: tuple[Share, ...], names: tuple[str, str]) -> Picture | None:
    """Shares of the labels in both tables; of many those that moved most."""
    if not classes:
        return None
    shown: Sequence[Share] = classes
    if len(classes) > FEW:
        shown = sorted(classes, key=lambda share: -abs(share.new - share.old))[:FEW]
    rows = [Move(label=share.name, old=share.old, new=share.new) for share in shown]
    if len(classes) > FEW:
        rows.append(Move(label=f"{len(classes) - FEW} more labels, whose shares moved less", old=None))
    draw = partial(_pairs, rows, names)
    return both("labels", draw)


def _pairs(rows: Sequence[Move], names: tuple[str, str], key: str, width: float) -> str:
    return before_after.pairs(rows, names=names, title="Shares of the labels", key=key, width=width)


def _group(found: Diff, sides: Sides, sample: Sample) -> dict[str, object]:
    """The tests and pictures of one comparison."""
    a, b = sides.names
    between = sample.between
    old = f"{OLD_ROWS[between].format(a=a, b=b)} ({figures.count(sample.old)})"
    new = f"{NEW_ROWS[between].format(a=a, b=b)} ({figures.count(sample.new)})"
    terms = [Move(label=share.name, old=share.old, new=share.new) for share in sample.terms]
    return {
        "id": between,
        "title": {"all": "All rows", "added": "New rows", "removed": "Removed rows"}[between],
        "between": BETWEEN[between].format(a=a, b=b),
        "sample": sample,
        "shifts": [
            (named(shift), SIGNS.get(shift.test, shift.test), _arrow(shift.words), shift)
            for shift in found.shifts
            if shift.between == between
        ],
        "lengths": both(f"lengths-{between}", partial(_lengths, sample, (old, new)), heading="Lengths of the texts"),
        "terms": both(f"terms-{between}", partial(_terms, terms, (old, new)), heading="Vocabulary") if terms else None,
    }


def _lengths(sample: Sample, names: tuple[str, str], key: str, width: float) -> str:
    return before_after.overlaid(
        sample.edges,
        sample.lengths_old,
        sample.lengths_new,
        names=names,
        unit="characters",
        title="Lengths of the texts",
        key=key,
        width=width,
    )


def _terms(rows: Sequence[Move], names: tuple[str, str], key: str, width: float) -> str:
    title = "Terms whose shares of the texts differ most"
    return before_after.moves(rows, names=names, title=title, key=key, width=width)


def _counts(found: Diff) -> list[tuple[str, str, str]]:
    """Copies, contradictions and leaks: what, before and after."""
    copies, leaked = found.copies, found.leaked
    shares = [
        figures.percent(many / max(len(side), 1)) for many, side in ((copies.old, found.a), (copies.new, found.b))
    ]
    rows = [
        ("Rows that say what an earlier row says", *shares),
        ("Texts with contradicting labels", *map(figures.count, (copies.conflicts_old, copies.conflicts_new))),
        ("New rows that copy another row", "", figures.count(len(copies.exact))),
        (
            "New rows that nearly copy another row",
            "",
            "not looked for" if copies.near is None else figures.count(len(copies.near)),
        ),
        ("New rows whose label contradicts a copy", "", figures.count(len(copies.conflicts))),
    ]
    if leaked is not None:
        rows.append(("New rows that are in the test part, or nearly", "", figures.count(len(leaked.rows))))
        rows.append(("Test rows that leak now and did not before", "", figures.count(leaked.fresh)))
    return [(what, before, after) for what, before, after in rows]
