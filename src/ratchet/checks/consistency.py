"""Consistency: cells that break the rule of their column, which the recipe gives or nine tenths of the cells show."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.checks.context import Context, Mask, Samples, counted, percent
from ratchet.checks.finding import Finding, Severity
from ratchet.checks.validators import KINDS, CellKind, matching
from ratchet.errors import RecipeError
from ratchet.near.copies import normalise
from ratchet.recipe.sections import ColumnRule, Recipe
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows
from ratchet.text.date_forms import DATES, date_forms, is_date_column
from ratchet.text.numbers import numbers
from ratchet.text.personal import hidden

GIVES = (
    *(f"consistency.{kind.name}" for kind in KINDS),
    *("consistency.category", "consistency.pattern", "consistency.range", "consistency.required"),
    *(
        "consistency.date_forms",
        "consistency.units",
        "consistency.types",
        "consistency.fullwidth",
        "consistency.variants",
    ),
)
LEAST = 10
HINTED = 0.5
MIXED = 0.05
CATEGORIES = 100
_SAMPLE = 400
_LIKELY = 0.8
_LONGEST = 64


def require_rules(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse rules for columns that are not there, and patterns that are none.

    Raises:
        RecipeError: names the key, and the nearest column or what is wrong with the pattern.
    """
    names = dataset.table.column_names
    for name, rule in recipe.check.columns.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise RecipeError(
                f"check.columns must name columns of the table but got {name!r}.",
                next_step=f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(map(repr, names[:8]))}.",
            )
        if rule.pattern:
            matching(pa.array([""], pa.large_string()), rule.pattern, key=f"check.columns.{name}.pattern")


def check(context: Context) -> Iterator[Finding]:
    """Column by column: the recipe's rule, or the kind that most cells are of."""
    roles = context.dataset.roles
    for name in context.dataset.table.column_names:
        rule = context.recipe.check.columns.get(name)
        if rule is None and name in (roles.text, *roles.texts, roles.label, roles.id, roles.group):
            continue
        column = _Column(context, name)
        if rule is not None:
            yield from _ruled(column, rule)
        else:
            yield from _guessed(column)


class _Column:
    """One column under check: its different cells, how often each is there, and findings about some of them."""

    def __init__(self, context: Context, name: str) -> None:
        self.context, self.name = context, name
        self.cells = context.cells(name)
        self.values = self.cells.array
        self.filled = int(self.cells.counts.sum())

    def finding(
        self,
        id: str,
        *,
        wrong: Mask,
        message: str,
        why: str,
        severity: Severity,
        private: bool = False,
    ) -> Finding:
        """A finding about the rows whose cell is ``wrong``; rare cells are shown first."""
        rows = self.cells.rows(wrong)
        shown = rows[np.lexsort((rows, self.cells.counts[self.cells.member[rows]]))][:3].tolist()
        return self.context.finding(
            id,
            severity=severity,
            message=message,
            why=why,
            positions=rows,
            column=self.name,
            samples=Samples(at=shown, show=hidden if private else None),
        ).among(self.filled)


def _ruled(column: _Column, rule: ColumnRule) -> Iterator[Finding]:
    """What breaks the recipe's rule; always an error, since the user said so."""
    kind = next((kind for kind in KINDS if kind.name == rule.kind), None)
    if kind is not None:
        yield from _broken(
            column,
            kind.name,
            ~column.cells.each(kind.judge),
            f"be {_article(kind.noun)} {kind.noun}",
            private=kind.private,
        )
    if rule.pattern:
        key = f"check.columns.{column.name}.pattern"
        yield from _broken(
            column, "pattern", ~matching(column.values, rule.pattern, key=key), f"match {rule.pattern!r}"
        )
    if rule.values:
        allowed = pc.is_in(column.values, value_set=pa.array(rule.values, column.values.type)).to_numpy(
            zero_copy_only=False
        )
        listed = ", ".join(map(repr, rule.values[:5])) + (" ..." if len(rule.values) > 5 else "")
        yield from _broken(column, "category", ~allowed, f"be one of {listed}")
    if rule.low is not None or rule.high is not None:
        number = numbers(column.values)[0]
        low, high = -np.inf if rule.low is None else rule.low, np.inf if rule.high is None else rule.high
        outside = ~((number >= low) & (number <= high))
        yield from _broken(column, "range", outside, f"be a number from {low:g} to {high:g}")
    if rule.required:
        yield from _required(column)


def _required(column: _Column) -> Iterator[Finding]:
    missing = np.flatnonzero(column.cells.member < 0).astype(np.int64)
    if len(missing):
        yield column.context.finding(
            "consistency.required",
            severity="error",
            message=f"{counted(len(missing), 'cell')} of the column {column.name!r} must be filled but "
            f"{'is' if len(missing) == 1 else 'are'} missing.",
            why="The recipe says that it must be filled.",
            positions=missing,
            column=column.name,
        )


def _article(noun: str) -> str:
    return "an" if noun[0].lower() in "aei" else "a"


def _broken(column: _Column, id: str, wrong: Mask, must: str, *, private: bool = False) -> Iterator[Finding]:
    rows = int(column.cells.counts[wrong].sum())
    if rows:
        yield column.finding(
            f"consistency.{id}",
            wrong=wrong,
            severity="error",
            message=f"{counted(rows, 'cell')} of the column {column.name!r} ({percent(column.cells.shares(wrong))}) must "
            f"{must} but {'is' if rows == 1 else 'do' if must.startswith('match') else 'are'} not.",
            why="The recipe says what this column holds; what breaks the rule is a slip of typing or of the export.",
            private=private,
        )


def _guessed(column: _Column) -> Iterator[Finding]:
    """The kind that most cells are of, and the cells that are not."""
    if column.filled < LEAST:
        return
    kind, sound = _kind(column)
    if kind is None:
        yield from _types(column)
        yield from _variants(column)
        return
    wrong = ~sound
    rows = int(column.cells.counts[wrong].sum())
    if rows:
        yield column.finding(
            f"consistency.{kind.name}",
            wrong=wrong,
            severity="warning",
            message=f"{counted(rows, 'cell')} of the column {column.name!r} {'does' if rows == 1 else 'do'} not hold "
            f"{_article(kind.noun)} {kind.noun}, "
            f"unlike {percent(1 - column.cells.shares(wrong))} of it.",
            why="A cell that breaks the rule of its column is a slip of typing or export: its value is missing or wrong.",
            private=kind.private,
        )
    if kind.name == "date":
        yield from _date_forms(column)
    if kind.name == "number":
        yield from _units(column)
    yield from _fullwidth(column)


def _kind(column: _Column) -> tuple[CellKind | None, Mask]:
    """The first kind that enough cells are of, tried on a sample before the whole; and which cells are."""
    total = len(column.values)
    sample = np.unique(np.linspace(0, total - 1, min(_SAMPLE, total)).astype(np.int64))
    some, weights = column.values.take(pa.array(sample)), column.cells.counts[sample]
    lower = column.name.lower()
    for kind in KINDS:
        hinted = any(hint in lower for hint in kind.hints)
        needed = HINTED if hinted else column.context.recipe.check.guess
        if not (kind.guessed or hinted) or not _likely(kind, some, weights, least=0.8 * min(needed, _LIKELY)):
            continue
        sound = column.cells.each(kind.judge)
        share = column.cells.shares(sound)
        if is_date_column(column.name, share) if kind.name == "date" else share >= needed:
            return kind, sound
    return None, np.zeros(total, bool)


def _likely(kind: CellKind, some: pa.Array, weights: Rows, *, least: float) -> bool:
    """Whether enough of a sample is of the kind; what it needs is looked for first, since patterns are slow to compile."""
    least *= weights.sum()
    if kind.needs and weights[pc.match_substring(some, kind.needs).to_numpy(zero_copy_only=False)].sum() < least:
        return False
    return bool(weights[kind.judge(some)].sum() >= least)


def _date_forms(column: _Column) -> Iterator[Finding]:
    """Dates written in several ways, and those that do not say whether the day or the month comes first."""
    form = date_forms(column.values)
    rows = np.bincount(form[form >= 0], weights=column.cells.counts[form >= 0], minlength=len(DATES)).astype(np.int64)
    names = list(DATES)
    used = np.flatnonzero(rows)
    if len(used) < 2:
        return
    order = used[np.argsort(-rows[used], kind="stable")]
    listed = ", ".join(f"{names[i]} ({rows[i]:,})" for i in order)
    both = rows[names.index("31/01/2024")] and rows[names.index("01/31/2024")]
    yield column.finding(
        "consistency.date_forms",
        wrong=(form >= 0) & (form != order[0]),
        severity="warning" if both else "note",
        message=f"The column {column.name!r} writes dates in {len(used)} ways, like {listed}."
        + (" Day first and month first are both there: 03/04/2024 has two meanings." if both else ""),
        why="Dates in several forms sort wrongly as text, so an order by time is not one.",
    )


def _units(column: _Column) -> Iterator[Finding]:
    """Numbers of which some have a unit such as 万: read as text or without it they are off by 10,000."""
    value, with_unit = numbers(column.values)
    share = column.cells.shares(with_unit)
    if not 0 < share < 1:
        return
    rows = int(column.cells.counts[with_unit].sum())
    yield column.finding(
        "consistency.units",
        wrong=with_unit if share <= 0.5 else ~with_unit & ~np.isnan(value),
        severity="warning",
        message=f"{counted(rows, 'number')} of the column {column.name!r} {'has' if rows == 1 else 'have'} a unit (万, 亿, k, "
        f"% ...), the others {'has' if column.filled - rows == 1 else 'have'} none.",
        why="Read without its unit a number is off by a factor of up to 100,000,000.",
    )


def _fullwidth(column: _Column) -> Iterator[Finding]:
    """Full-width letters and digits in a column of numbers, dates or codes."""
    wide = pc.match_substring_regex(column.values, "[０-９Ａ-Ｚａ-ｚ．－／：＠]").to_numpy(zero_copy_only=False)
    rows = int(column.cells.counts[wide].sum())
    if rows:
        yield column.finding(
            "consistency.fullwidth",
            wrong=wide,
            severity="note",
            message=f"{counted(rows, 'cell')} of the column {column.name!r} {'is' if rows == 1 else 'are'} in full-width "
            "characters.",
            why="１３８ and 138 look alike to people and are different to every program.",
        )


def _types(column: _Column) -> Iterator[Finding]:
    """A column that mixes numbers or dates with text."""
    short = pc.less_equal(pc.utf8_length(column.values), _LONGEST).to_numpy(zero_copy_only=False)
    number = np.zeros(len(column.values), bool)
    where = np.flatnonzero(short)
    number[where] = ~np.isnan(numbers(column.values.take(pa.array(where)))[0])
    share = column.cells.shares(number)
    if not MIXED <= share <= 1 - MIXED:
        return
    rare = number if share <= 0.5 else ~number
    yield column.finding(
        "consistency.types",
        wrong=rare,
        severity="note",
        message=f"The column {column.name!r} mixes numbers ({percent(share)}) with text ({percent(1 - share)}).",
        why="A column of two kinds is two columns in one, or numbers in a column of codes that lost their leading zeros.",
    )


def _variants(column: _Column) -> Iterator[Finding]:
    """Categories that differ in case, spaces or width only."""
    if not 2 <= len(column.cells) <= min(CATEGORIES, column.filled // 3):
        return
    first: dict[str, int] = {}
    odd = np.zeros(len(column.values), bool)
    pairs = []
    for number in np.argsort(-column.cells.counts, kind="stable").tolist():
        name = column.cells.values[number]
        same = first.setdefault(normalise(name), number)
        if same != number:
            odd[number] = True
            pairs.append(f"{name!r} for {column.cells.values[same]!r}")
    if pairs:
        rows = int(column.cells.counts[odd].sum())
        yield column.finding(
            "consistency.variants",
            wrong=odd,
            severity="note",
            message=f"{counted(rows, 'cell')} of the column {column.name!r} {'differs' if rows == 1 else 'differ'} from "
            f"another value in case, spaces or width only: {', '.join(pairs[:5])}.",
            why="One value becomes two, and each of them looks rarer than it is.",
        )
