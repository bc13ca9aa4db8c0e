"""Labels: the same text with two labels, one label written in two ways, and label columns that are none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from ratchet.checks.context import Context, Samples, counted, percent, several
from ratchet.checks.finding import Finding, patch
from ratchet.checks.text import UNFORCED
from ratchet.near.copies import normalise
from ratchet.prepare.labels import one_spelling
from ratchet.tasks.label_lists import FEWEST, MARKS, cut, listed
from ratchet.text.mojibake import COARSE, repaired

GIVES = (
    *("labels.single", "labels.many", "labels.lists", "labels.variants", "labels.spelling", "labels.mojibake"),
    *("labels.conflict", "labels.wording"),
)
CONFLICT_ERROR = 0.01
MANY = 0.5
_SPELLED = 2_000
_RARE = 0.02
_NAME = 64  # characters: what is longer is a text, and comparing it would take memory by the square of its length


def check(context: Context) -> Iterator[Finding]:
    """The label column, the names of the labels, and texts with several of them."""
    column = list(_column(context))
    yield from column
    if not column:
        yield from _lists(context)
        yield from _variants(context)
        yield from _misread(context)
    yield from _conflicts(context)
    yield from _wordings(context)


def _conflicts(context: Context) -> Iterator[Finding]:
    """Texts that carry two labels or more."""
    groups = context.conflicting_groups
    if not len(groups):
        return
    rows = np.flatnonzero(np.isin(context.groups, groups) & (context.labels.member >= 0)).astype(np.int64)
    share = len(rows) / len(context.dataset)
    shown, notes = [], {}
    for group in groups[:3].tolist():
        members = rows[context.groups[rows] == group]
        names, counts = np.unique(context.labels.member[members], return_counts=True)
        shown.append(int(members[0]))
        notes[shown[-1]] = " and ".join(
            f"{context.labels.values[n]!r} x {c}" for n, c in zip(names, counts, strict=True)
        )
    yield context.finding(
        "labels.conflict",
        severity="error" if share >= CONFLICT_ERROR else "warning",
        message=f"{counted(len(groups), 'text')} {'carries' if len(groups) == 1 else 'carry'} two labels or more, in "
        f"{counted(len(rows), 'row')} ({percent(share)}).",
        why="One of the labels is wrong: whatever a model learns from them, it is scored as wrong on some.",
        positions=rows,
        fix=patch({"prepare": {"conflicts": "drop"}}),
        samples=Samples(at=shown, notes=notes),
    )


def _wordings(context: Context) -> Iterator[Finding]:
    """Texts of one wording, not one text, that carry two labels: they differ in punctuation only."""
    one_text = np.isin(context.groups, context.conflicting_groups)
    wordless = np.append(context.texts.characters.wordless, True)[context.texts.member]  # ":)" and ":(" have no wording
    spread = np.where(one_text | wordless, -1, context.wordings)
    groups = several(context.labelled(spread)[0])
    if not len(groups):
        return
    rows = np.flatnonzero(np.isin(spread, groups) & (context.labels.member >= 0)).astype(np.int64)
    pairs = np.stack([spread[rows], context.labels.member[rows]])
    first = rows[np.sort(np.unique(pairs, axis=1, return_index=True)[1])]  # one row for each label of a wording
    shown = [int(row) for group in groups[:2].tolist() for row in first[spread[first] == group][:2]][:3]
    yield context.finding(
        "labels.wording",
        severity="warning",
        message=f"{counted(len(groups), 'wording')} {'carries' if len(groups) == 1 else 'carry'} two labels or more, in "
        f"{counted(len(rows), 'row')}: the texts differ only in punctuation.",
        why="Hardly any model can tell such texts apart, so on some it is scored as wrong whatever it answers.",
        positions=rows,
        samples=Samples(
            at=shown, notes={row: f"labelled {context.labels.values[context.labels.member[row]]!r}" for row in shown}
        ),
    )


def _lists(context: Context) -> Iterator[Finding]:
    """Cells of the label column that are lists: several labels a row."""
    maybe = np.flatnonzero(context.labels.matching(r"^\s*\[.*\]\s*$"))
    lists = {number: found for number in maybe.tolist() if (found := listed(context.labels.values[number])) is not None}
    written = bool(lists)
    lists = lists or separated(context.labels.values)
    if not lists:
        return
    odd = np.isin(np.arange(len(context.labels)), list(lists))
    rows, names = context.labels.rows(odd), {name for found in lists.values() for name in found}
    several = int(context.labels.counts[[number for number, found in lists.items() if len(found) > 1]].sum())
    empty = int(context.labels.counts[[number for number, found in lists.items() if not found]].sum())
    yield context.finding(
        "labels.lists",
        severity="error" if written else "warning",
        message=f"{counted(len(rows), 'label')} {'is a list' if len(rows) == 1 else 'are lists'} of {len(names):,} names: "
        f"{several:,} rows have several labels, {empty:,} none. Each different list would be a class of its own.",
        why="A model for one label per row learns combinations, and is scored as wrong when it finds one of two labels.",
        positions=rows,
        column=context.dataset.roles.label,
    )


def separated(labels: Sequence[str]) -> dict[int, list[str]]:
    """Labels that are several names with a mark between them (``a;b``), by position; none where it can be one name.

    The mark cuts at least three different labels, and each name that it cuts off is in another label too: "Toys, games"
    is one name as long as no label is "games".
    """
    for mark in MARKS:
        divided = {number: cut(label, mark) for number, label in enumerate(labels)}
        several = {number: parts for number, parts in divided.items() if len(parts) > 1}
        if len(several) < FEWEST or not all(all(parts) for parts in several.values()):
            continue
        uses = Counter(name for parts in divided.values() for name in set(parts))
        names = {name for parts in several.values() for name in parts}
        if mark == "," and (all(name.isdigit() for name in names) or 2 * len(names & {*labels}) < len(names)):
            continue  # decimal commas, surnames with first names
        if all(uses[name] > 1 for name in names):
            return several
    return {}


def _variants(context: Context) -> Iterator[Finding]:
    """Labels that differ in case, spaces or width only, and rare labels one letter away from a frequent one."""
    names, counts = context.labels.values, context.labels.counts
    spellings: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(names):
        spellings[one_spelling(name)].append(number)
    odd: list[int] = []
    parts: list[str] = []
    already = context.recipe.prepare.labels
    renamed: dict[str, str] = {}
    for same in spellings.values():
        if len(same) > 1:
            order = sorted(same, key=lambda number: (-counts[number], names[number]))
            parts.append(" = ".join(f"{names[number]!r} ({counts[number]:,})" for number in order))
            odd += order[1:]
            renamed |= {names[number]: already.get(names[order[0]], names[order[0]]) for number in order[1:]}
    if odd:
        rows = np.flatnonzero(np.isin(context.labels.member, odd)).astype(np.int64)
        yield context.finding(
            "labels.variants",
            severity="error",
            message=f"{counted(len(odd), 'label')} {'is another' if len(odd) == 1 else 'are other'} only in case, spaces, "
            f"width or how a number is written: {'; '.join(parts[:5])}{' ...' if len(parts) > 5 else ''}.",
            why="One class becomes two: the model must guess the spelling, and is scored as wrong on every second guess.",
            positions=rows,
            column=context.dataset.roles.label,
            fix=patch({"prepare": {"labels": {**renamed, **already}}}),
        )
    yield from _misspelled(context)


def _misread(context: Context) -> Iterator[Finding]:
    """Labels that were read in the wrong encoding: the texts are mended row by row, labels by their names."""
    odd = np.flatnonzero(context.labels.matching(COARSE))
    pairs = [(number, repaired(context.labels.values[number])) for number in odd.tolist()]
    meant = {number: repair.text for number, repair in pairs if repair is not None and "\ufffd" not in repair.text}
    if not meant:
        return
    names, prepare = context.labels.values, context.recipe.prepare
    renamed = {names[number]: prepare.labels.get(text, text) for number, text in meant.items()}
    listed = "; ".join(f"{names[number]!r} for {text!r}" for number, text in list(meant.items())[:5])
    yield context.finding(
        "labels.mojibake",
        severity="error",
        message=f"{counted(len(meant), 'label')} {'was' if len(meant) == 1 else 'were'} read in the wrong encoding: {listed}"
        f"{' ...' if len(meant) > 5 else ''}.",
        why="The model answers with these names; where some rows have the right one, one class becomes two.",
        positions=context.labels.rows(np.isin(np.arange(len(names)), list(meant))),
        column=context.dataset.roles.label,
        fix=patch({"prepare": {"labels": {**renamed, **prepare.labels}}})
        if context.recipe.data.encoding in UNFORCED
        else "",
    )


def _column(context: Context) -> Iterator[Finding]:
    """A label column that has one class, or so many that it is no label."""
    names, known = context.labels.values, int((context.labels.member >= 0).sum())
    if context.dataset.roles.label is None or not known:
        return
    if len(names) == 1:
        yield context.finding(
            "labels.single",
            severity="error",
            message=f"Every label is {names[0]!r}.",
            why="With one class there is nothing to learn, and every model scores 100 %.",
            positions=known,
            column=context.dataset.roles.label,
            samples=Samples(at=[0]),
        )
    elif len(names) > max(MANY * known, 20):
        yield context.finding(
            "labels.many",
            severity="error",
            message=f"The column {context.dataset.roles.label!r} has {len(names):,} different values in {known:,} rows: it "
            "looks like a text or an id, not like a label.",
            why="A class that occurs once or twice cannot be learned and scored too.",
            positions=known,
            column=context.dataset.roles.label,
            samples=Samples(at=[0, 1, 2][: len(context.dataset)]),
        )


def _misspelled(context: Context) -> Iterator[Finding]:
    names, counts = context.labels.values, context.labels.counts
    if not 3 <= len(names) <= _SPELLED:
        return
    words = [
        number for number, name in enumerate(names) if 4 <= len(name) <= _NAME and not any(c.isdigit() for c in name)
    ]
    frequent = [number for number in words if counts[number] >= _RARE * counts.max()]
    by_gap = defaultdict(list)
    for number in frequent:
        for gap in _gaps(normalise(names[number])):
            by_gap[gap].append(number)
    odd: dict[int, int] = {}
    for number in words:
        name = normalise(names[number])
        near = {other for gap in _gaps(name) for other in by_gap[gap] if other != number}
        near = {
            other
            for other in near
            if counts[number] < _RARE * counts[other] and _one_edit(name, normalise(names[other]))
        }
        if near:
            odd[number] = max(near, key=lambda other: (counts[other], names[other]))
    if not odd:
        return
    rows = np.flatnonzero(np.isin(context.labels.member, list(odd))).astype(np.int64)
    pairs = "; ".join(
        f"{names[a]!r} ({counts[a]:,}) for {names[b]!r} ({counts[b]:,})?" for a, b in list(odd.items())[:5]
    )
    yield context.finding(
        "labels.spelling",
        severity="warning",
        message=f"{counted(len(odd), 'rare label')} {'is' if len(odd) == 1 else 'are'} one letter away from a frequent one: "
        f"{pairs}",
        why="A misspelt label is a class of its own that no model can learn.",
        positions=rows,
        column=context.dataset.roles.label,
    )


def _gaps(name: str) -> set[str]:
    """The name, and it without each letter: two names one edit apart share one of these."""
    return {name, *(name[:i] + name[i + 1 :] for i in range(len(name)))}


def _one_edit(left: str, right: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours makes them equal."""
    if left == right or abs(len(left) - len(right)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    a, b = left[start:], right[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])
