"""What two tables share, as people read it in a terminal: counts by kind, and pairs of rows below each other."""

from __future__ import annotations

from collections.abc import Sequence

from ratchet.checks.context import counted, percent
from ratchet.drift.between import KINDS, Between, Pair
from ratchet.report.terminal import Piece, Sheet

PAIRS = 10
_SAYS = {
    "exact": "test rows in the words of a training row",
    "near": "further test rows that are nearly a training row",
    "group": "test rows of a group that is in training too",
    "time": "training rows later than the earliest test row",
}


def tell_between(found: Between, *, to: Sheet, notes: Sequence[str] = (), unseen_time: str | None = None) -> None:
    """The counts, up to ten pairs of each kind, and the sum.

    Args:
        found: what is told.
        to: where it is told.
        notes: said about the tables before anything is counted.
        unseen_time: a time column that was guessed only.
    """
    train, test = counted(found.train_rows, "training row"), counted(found.test_rows, "test row")
    to.paragraph((found.train, "bold"), f": {train}; ", (found.test, "bold"), f": {test}")
    for note in notes:
        to.paragraph((note, "dim"))
    unasked = {kind for kind, column in (("group", found.group), ("time", found.time)) if column is None}
    for kind in KINDS:
        count = found.counts[kind]
        strong, plain = ("bold red", "") if count else ("dim", "dim")
        said = f"not looked at: no column (--{kind})" if kind in unasked else _SAYS[kind]
        number = f"{'-' if kind in unasked else f'{count:,}':>7}"
        to.paragraph((f"{kind:<5}  ", plain or "bold"), (f"{number}  ", strong), (said, plain), indent=2, hang=16)
    for kind in KINDS:
        pairs = [pair for pair in found.pairs if pair.kind == kind]
        _pairs(kind, sorted(pairs, key=lambda pair: -(pair.similarity or 0)), to=to)
    to.line()
    for note in found.notes:
        to.paragraph(note)
    if found.skipped:
        to.paragraph(f"{found.skipped:,} pairs of texts with the same boilerplate were not compared.")
    if unseen_time is not None:
        to.paragraph((f"{unseen_time!r} looks like a time: --time {unseen_time} looks at the order too.", "dim"))
    share = percent(found.leaking_rows / max(found.test_rows, 1))
    if found.leaking_rows:
        rows_said = f"{counted(found.leaking_rows, 'test row')} ({share})"
        to.paragraph(
            (f"{rows_said} {'is' if found.leaking_rows == 1 else 'are'} given away by the training rows.", "bold")
        )
        if found.relabelled:
            to.paragraph(f"{found.relabelled:,} of them carry another label than the training row they resemble.")
    elif not found.any:
        to.paragraph("The training rows give no test row away.")


def _pairs(kind: str, pairs: Sequence[Pair], *, to: Sheet) -> None:
    if not pairs:
        return
    to.line()
    much = f"{kind}: {PAIRS} of {len(pairs):,}" if len(pairs) > PAIRS else kind
    to.line((much, "bold"))
    rows: list[tuple[Piece | str, ...]] = []
    for pair in pairs[:PAIRS]:
        likeness = f"{pair.similarity:.2f}" if pair.similarity is not None and kind == "near" else ""
        rows.append((likeness, ("test row", "dim"), (f"{pair.test_row}", "dim"), pair.test))
        rows.append(("", ("train row", "dim"), (f"{pair.train_row}", "dim"), pair.train))
    to.cells(rows, indent=2, flexible=3)
