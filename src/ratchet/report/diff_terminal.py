"""A diff as people read it in a terminal: rows, columns, shifts with their tests, copies and leaks."""

from __future__ import annotations

from collections.abc import Iterator

from ratchet.checks.context import counted, percent
from ratchet.drift.diff import Diff
from ratchet.drift.examples import Change, examples
from ratchet.drift.shifts import Between, Shift
from ratchet.drift.sides import Sides
from ratchet.report.terminal import Piece, Sheet

LABELS, MOVES = 8, 5
BETWEEN: dict[Between, str] = {
    "all": "all rows of {b} against all of {a}",
    "added": "the rows only in {b} against all of {a}",
    "removed": "the rows gone from {a} against those that stayed",
}


def tell_diff(found: Diff, sides: Sides, *, to: Sheet) -> None:
    """The whole diff."""
    _head(found, sides, to=to)
    if found.same:
        to.paragraph(("The same rows and columns.", "bold green"))
        return
    shown = examples(found)
    _rows(found, shown, to=to)
    _columns(found, to=to)
    _labels(found, sides, to=to)
    _shifts(found, sides, to=to)
    _copies(found, shown, to=to)
    for note in (*sides.notes, *found.notes):
        to.paragraph((note, "dim"))
    to.line()
    to.paragraph(*summary(found))


def summary(found: Diff) -> tuple[Piece | str, ...]:
    """The last line."""
    alarms = found.alarms
    if alarms:
        what = ", ".join(dict.fromkeys(named(shift) for shift in alarms))
        return (
            ("Shifted", "bold red"),
            f": {what}. If nothing had, the chance of any alarm would be {found.alpha:.2g} at most.",
        )
    if not found.shifts:
        return (("Nothing was tested.", "bold"),)
    return (
        ("No shift", "bold green"),
        f" in {counted(len(found.shifts), 'test')} as one family at the level {found.alpha:.2g}; smallest adjusted p "
        f"{min(shift.p_adjusted for shift in found.shifts):.2g}.",
    )


def named(shift: Shift) -> str:
    """What a test is about, such as "label" or "values of stars"."""
    if shift.trait == "kind":
        return f"{'missing cells' if shift.words.startswith('missing ') else 'kinds of cells'} of {shift.column}"
    return f"values of {shift.column}" if shift.trait == "value" else shift.trait


def _head(found: Diff, sides: Sides, *, to: Sheet) -> None:
    for name, side in zip(sides.names, (found.a, found.b), strict=True):
        to.paragraph(
            (name, "bold"), f": {counted(len(side), 'row')}, {counted(len(side.table.column_names), 'column')}"
        )
    roles = found.a.roles
    text = [
        f"text {roles.text!r}",
        *(f"{role} {column!r}" for role, column in vars(roles).items() if column and role != "text"),
    ]
    how = "" if sides.guess is None else " (guessed where you did not name them)"
    to.paragraph((f"{', '.join(text)}{how}", "dim"))


def _rows(found: Diff, shown: tuple[Change, ...], *, to: Sheet) -> None:
    rows = found.rows
    to.line()
    how = f"by the column {found.a.roles.id!r}" if rows.by == "id" else "by content"
    to.paragraph(("Rows", "bold"), (f"  matched {how}", "dim"))
    counts = {
        "kept": len(rows.kept[0]),
        "changed": len(rows.changed[0]),
        "added": len(rows.added),
        "removed": len(rows.removed),
    }
    to.cells([(name, f"{many:>9,}") for name, many in counts.items()], indent=2, flexible=0)
    if found.cells:
        cells = ", ".join(
            f"{name} in {many:,}" for name, many in sorted(found.cells.items(), key=lambda item: -item[1])
        )
        to.paragraph(f"Cells that differ: {cells}", indent=2)
    if found.relabelled:
        moves = [f"{old or '(none)'} -> {new or '(none)'} {many:,}" for (old, new), many in found.relabelled.items()]
        more = f" and {len(moves) - MOVES} more" if len(moves) > MOVES else ""
        to.paragraph(f"Labels changed: {', '.join(moves[:MOVES])}{more}", indent=2)
    for change in shown:
        if change.kind in ("changed", "added", "removed"):
            _example(change, to=to)


def _example(change: Change, *, to: Sheet) -> None:
    sign = {"added": "+", "removed": "-", "changed": "~"}.get(change.kind, "!")
    where = " -> ".join(place for place in (change.old, change.new) if place)
    to.paragraph((f"{sign} {where}", "dim"), indent=2)
    for name, (before, after) in change.cells.items():
        if change.kind == "changed" and before != after:
            to.cells([(f"{name}:", before or "(missing)")], indent=4, flexible=1)
            to.cells([(" " * len(f"{name}:"), (after or "(missing)", "bold"))], indent=4, flexible=1)
        else:
            to.cells([(f"{name}:", (before or after) or "(missing)")], indent=4, flexible=1)


def _columns(found: Diff, *, to: Sheet) -> None:
    schema = found.schema
    if not (schema.added or schema.removed or schema.kinds):
        return
    to.line()
    to.paragraph(("Columns", "bold"))
    for what, names in (("added", schema.added), ("removed", schema.removed)):
        if names:
            to.paragraph(f"{what}: {', '.join(names)}", indent=2)
    for name, shares in schema.kinds.items():
        moved = sorted(shares, key=lambda share: -abs(share.new - share.old))
        words = ", ".join(f"{share.name} {percent(share.old)} -> {percent(share.new)}" for share in moved[:3])
        to.paragraph(f"{name}: {words}", indent=2)


def _labels(found: Diff, sides: Sides, *, to: Sheet) -> None:
    if not found.classes:
        return
    to.line()
    to.paragraph(("Labels", "bold"), (f"  share in {sides.names[0]} -> {sides.names[1]}", "dim"))
    moved = sorted(found.classes, key=lambda share: -abs(share.new - share.old))
    shown = found.classes if len(found.classes) <= LABELS else moved[:LABELS]
    to.cells(
        [(share.name, f"{percent(share.old):>13} -> {percent(share.new)}") for share in shown], indent=2, flexible=0
    )
    if len(found.classes) > LABELS:
        to.paragraph((f"and {len(found.classes) - LABELS:,} more labels, whose shares moved less", "dim"), indent=2)


def _shifts(found: Diff, sides: Sides, *, to: Sheet) -> None:
    for between in dict.fromkeys(shift.between for shift in found.shifts):
        sample = next(sample for sample in found.samples if sample.between == between)
        what = BETWEEN[between].format(a=sides.names[0], b=sides.names[1])
        to.line()
        to.paragraph(("Distributions", "bold"), (f"  {what}: {sample.new:,} against {sample.old:,} rows", "dim"))
        to.cells(list(_lines(shift for shift in found.shifts if shift.between == between)), indent=2, flexible=5)
    if found.shifts:
        to.paragraph(
            (
                f"p adjusted over all {len(found.shifts)} tests (Holm), each from {found.draws:,} random permutations",
                "dim",
            ),
            indent=2,
        )


def _lines(shifts: Iterator[Shift]) -> Iterator[tuple[Piece | str, ...]]:
    yield tuple((name, "dim") for name in ("", "test", "distance", "p", "", "what differs most"))
    for shift in shifts:
        style = "bold red" if shift.alarm else ""
        sign = "shifted" if shift.alarm else ""
        yield (
            (named(shift), style),
            shift.test,
            f"{shift.distance:8.4f}",
            f"{shift.p_adjusted:.4f}",
            (sign, style),
            (shift.words, "" if shift.alarm else "dim"),
        )


def _copies(found: Diff, shown: tuple[Change, ...], *, to: Sheet) -> None:
    copies, leaked = found.copies, found.leaked
    to.line()
    to.paragraph(("Copies, contradictions, leaks", "bold"))
    a, b = max(len(found.a), 1), max(len(found.b), 1)
    rows: list[tuple[Piece | str, ...]] = [
        ("rows that say what an earlier row says", f"{percent(copies.old / a)} -> {percent(copies.new / b)}"),
        ("texts with contradicting labels", f"{copies.conflicts_old:,} -> {copies.conflicts_new:,}"),
        ("new rows that copy another row", f"{len(copies.exact):,}"),
        ("new rows that nearly copy another row", "not looked for" if copies.near is None else f"{len(copies.near):,}"),
        ("new rows whose label contradicts a copy", f"{len(copies.conflicts):,}"),
    ]
    if leaked is not None:
        style = "bold red" if len(leaked.rows) else ""
        rows.append((("new rows that are in the test part", style), (f"{len(leaked.rows):,}", style)))
        rows.append(("test rows that leak now and did not before", f"{leaked.fresh:,}"))
    to.cells(rows, indent=2, flexible=0)
    for change in shown:
        if change.kind in ("leak", "conflict"):
            to.paragraph((f"{change.kind}:", "dim"), indent=2)
            _example(change, to=to)
