"""Completeness: cells that are missing, cells that only look filled, and columns that say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.checks.context import Context, Mask, Samples, counted, percent
from ratchet.checks.finding import Finding, Severity, patch
from ratchet.text.columns import Rows, first_bytes
from ratchet.text.personal import brief

# What exports, spreadsheets and people write for "nothing"; those that the recipe lists already are null here.
_LOOKS_MISSING = (
    *("-", "--", "---", "—", "——", "/", "\\", ".", "...", "?", "??", "n/a", "na", "nan", "nil", "null", "none", "nul"),
    *(
        "(null)",
        "<na>",
        "<null>",
        "\\n",
        "#n/a",
        "#ref!",
        "#value!",
        "#name?",
        "#div/0!",
        "undefined",
        "unknown",
        "missing",
    ),
    *(
        "tbd",
        "not available",
        "[deleted]",
        "[removed]",
        "空",
        "空值",
        "缺失",
        "无",
        "无数据",
        "暂无",
        "未填",
        "未填写",
        "未知",
    ),
    *("不详", "不明", "待定", "待补充"),
)
GIVES = (
    "completeness.missing",
    "completeness.text",
    "completeness.label",
    "completeness.constant",
    "completeness.tokens",
)
_BLOCKS = 60
_LONGEST = 48  # bytes


def check(context: Context) -> Iterator[Finding]:
    """Missing cells by column, and cells that look missing but count as filled."""
    table, roles = context.dataset.table, context.dataset.roles
    excused = (*roles.own_texts, roles.text, roles.label, *_parts(context))
    for name in table.column_names:
        column = table.column(name)
        if column.null_count:
            if name == roles.text or name == roles.label:
                yield _missing_role(context, name, role="text" if name == roles.text else "label")
            else:
                yield _missing(context, name)
        elif name not in excused and len(table) > 1 and len(context.cells(name)) == 1:
            yield context.finding(
                "completeness.constant",
                severity="note",
                message=f"Every cell of the column {name!r} is {brief(column[0].as_py(), most=80)!r}.",
                why="A column that never changes tells a model nothing.",
                positions=len(table),
                column=name,
                fix=_drop(context, name),
                samples=Samples(at=[0]),
            )
        if not (roles.texts and name == roles.text):  # each of its texts is looked at where it stands
            yield from _looks_missing(context, name)


def missing_map(context: Context) -> dict[str, list[float]]:
    """For a picture: of each column with missing cells the missing share in up to 60 equal blocks of rows, in file order."""
    rows = len(context.dataset)
    edges = np.unique(np.linspace(0, rows, _BLOCKS + 1).astype(np.int64))
    found = {}
    for name in context.dataset.table.column_names:
        column = context.dataset.table.column(name)
        if column.null_count:
            missing = pc.is_null(column).to_numpy().astype(np.int64)
            found[name] = (np.add.reduceat(missing, edges[:-1]) / np.diff(edges)).round(4).tolist()
    return found


def _missing(context: Context, name: str) -> Finding:
    where = _nulls(context, name)
    share = len(where) / len(context.dataset)
    limit = context.recipe.check.missing_share
    roles, parts = context.dataset.roles, _parts(context)
    much = share >= limit and name not in parts
    needed = name in roles.used
    why = "A model learns from what is filled in: where a third is missing, mostly from the rows where it is filled in."
    if name in (roles.group, roles.time, roles.id):
        why = f"Rows without {name!r} cannot be kept together or in order when the parts are cut."
    elif name in parts:
        why = "It is a part of the conversations, and many do without; what they cannot do without, chat.empty_turn names."
    return context.finding(
        "completeness.missing",
        severity="warning" if much else "note",
        message=f"The column {name!r} is empty in {percent(share)} of its cells ({len(where):,} of {len(context.dataset):,})"
        + (f", {percent(limit)} or more: leave it out." if much and not needed else "."),
        why=why,
        positions=where,
        column=name,
        fix=_drop(context, name) if much and not needed else "",
    )


def _parts(context: Context) -> tuple[str, ...]:
    """Columns that conversations are made of: a system prompt may be the same in all rows, a further input be rare."""
    return context.chat.parts if context.chat is not None else ()


def _missing_role(context: Context, name: str, *, role: str) -> Finding:
    where = _nulls(context, name)
    share = len(where) / len(context.dataset)
    severity: Severity = "error" if share >= context.recipe.check.missing_share else "warning"
    return context.finding(
        f"completeness.{role}",
        severity=severity,
        message=f"{counted(len(where), 'row')} ({percent(share)}) {'has' if len(where) == 1 else 'have'} no {role}.",
        why="A row without text or label teaches nothing; prepare moves it to the quarantine.",
        positions=where,
        column=name if role == "label" else None,
    )


def _looks_missing(context: Context, name: str) -> Iterator[Finding]:
    """Short cells that are a known way to write nothing."""
    cells = context.cells(name)
    short = np.flatnonzero(cells.each(_may_look_missing))
    trimmed = pc.utf8_trim_whitespace(cells.picked(short))
    found = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(_LOOKS_MISSING, trimmed.type))
    odd = short[found.to_numpy(zero_copy_only=False)]
    if not len(odd):
        return
    where = cells.rows(np.isin(np.arange(len(cells)), odd))
    written: Counter[str] = Counter()
    for value, count in zip(trimmed.filter(found).to_pylist(), cells.counts[odd].tolist(), strict=True):
        written[value] += count
    counts = sorted(((count, value) for value, count in written.items()), reverse=True)
    is_label = name == context.dataset.roles.label
    if is_label and len(context.labels) <= len(counts) + 1:
        return  # a label called "none" beside one other is a class, not a gap
    role = is_label or name == context.dataset.roles.text
    values = [*context.recipe.data.missing, *(value for _, value in counts)]
    yield context.finding(
        "completeness.tokens",
        severity="warning" if role else "note",
        message=f"{counted(len(where), 'cell')} of the column {name!r} look{'s' if len(where) == 1 else ''} missing but "
        f"count{'s' if len(where) == 1 else ''} as filled: {', '.join(f'{v!r} ({n:,})' for n, v in counts[:5])}."
        + (" If they are not classes, list them in data.no_label." if is_label else ""),
        why="A placeholder that counts as a value hides gaps and becomes a word or a class of its own.",
        positions=where,
        column=name,
        fix="" if is_label else patch({"data": {"missing": values}}),
    )


def _may_look_missing(cells: pa.Array) -> Mask:
    """Which are short and begin with no digit, as all ways to write nothing."""
    short = pc.binary_length(cells).fill_null(0).to_numpy(zero_copy_only=False) <= _LONGEST
    first = first_bytes(cells)
    return np.asarray(short & ((first < ord("0")) | (first > ord("9"))))


def _nulls(context: Context, name: str) -> Rows:
    return np.flatnonzero(pc.is_null(context.dataset.table.column(name)).to_numpy()).astype(np.int64)


def _drop(context: Context, name: str) -> str:
    already = context.recipe.prepare.drop_columns
    return patch({"prepare": {"drop_columns": [*already, *([] if name in already else [name])]}})
