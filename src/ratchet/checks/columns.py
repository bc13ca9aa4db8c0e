"""Columns that hold texts too, which no model reads."""

from __future__ import annotations

from collections.abc import Iterator

from ratchet.checks.context import Context, Samples
from ratchet.checks.finding import Finding
from ratchet.tables.roles import texts_beside

GIVES = ("columns.text",)


def check(context: Context) -> Iterator[Finding]:
    """Each further column of texts, the longest first: a title, a question beside an answer."""
    roles = context.dataset.roles
    if context.chat is not None:
        return
    named, has = " and ".join(map(repr, roles.own_texts)), "have" if roles.texts else "has"
    for column, length, own in texts_beside(context.dataset.table, roles=roles):
        yield context.finding(
            "columns.text",
            severity="warning",
            message=f"{column!r} holds texts too ({length:.0f} characters each, {named} {has} {own:.0f}), and no model "
            "reads them.",
            why="What decides the label may be there. Where it is known when an answer is asked for, name both: data.text "
            "takes a list of columns.",
            positions=len(context.dataset),
            column=column,
            samples=Samples(at=range(min(3, len(context.dataset)))),
        )
