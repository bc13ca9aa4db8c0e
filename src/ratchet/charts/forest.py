"""A forest: groups of values with their intervals on one axis, in the unit of their metric, around the value of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.charts import figures
from ratchet.charts.charts import WIDE, symbol
from ratchet.charts.svg import Scale, chart, line, number, path, ticks, width_of, write
from ratchet.metrics.metrics import Score, named

STEP, STACKED, HEADING = 26.0, 42.0, 34.0
"""Heights of a row, of a row with its label above, and of a heading."""
NARROW_BELOW = 500.0


@dataclass(frozen=True, kw_only=True)
class Twig:
    """A value: one that is proven to be worse is marked by shape and colour."""

    label: str
    score: Score
    worse: bool = False


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Values under a heading."""

    heading: str
    twigs: tuple[Twig, ...]


def forest(branches: Sequence[Branch], *, whole: Score, title: str, key: str, width: float = WIDE) -> str:
    """Values of one metric by group; the dashed line is the value of all rows."""
    stacked = width < NARROW_BELOW
    twigs = [twig for branch in branches for twig in branch.twigs]
    labels = max((width_of(twig.label) for twig in twigs), default=0.0) + 16
    left = 6.0 if stacked else min(width * 0.36, labels)
    tail = max((width_of(figures.value(twig.score.value, twig.score.metric)) for twig in twigs), default=0.0) + 18
    ends = [end for score in (whole, *(twig.score for twig in twigs)) for end in (score.low, score.value, score.high)]
    pad = max((max(ends) - min(ends)) * 0.04, 1e-9)
    scale = Scale(min(ends) - pad, max(ends) + pad, left + 4, width - tail)
    step = STACKED if stacked else STEP
    floor = HEADING * len(branches) + step * len(twigs) + 8
    body = _axis(scale, whole, floor=floor, most=4 if stacked else 7)
    y = 0.0
    for branch in branches:
        body.append(write(0, y + 22, branch.heading, class_="t2 strong", room=width))
        y += HEADING
        for twig in branch.twigs:
            body += _twig(twig, scale, top=y, left=left, stacked=stacked, width=width)
            y += step
    said = "; ".join(
        f"{one.heading}, {twig.label}: {figures.score(twig.score)}" for one in branches for twig in one.twigs
    )
    return chart(body, width=width, height=floor + 24, title=title, desc=said, key=key)


def _axis(scale: Scale, whole: Score, *, floor: float, most: int) -> list[str]:
    """Marks of the axis, and the line of all rows. An error grows to the left, so that better is always to the right."""
    marks = ticks(scale.lo, scale.hi, most=most)
    unit = " %" if named(whole.metric)[0].unit == "points" else ""
    body = []
    for value, shown in zip(marks, figures.scale(marks, whole.metric), strict=True):
        body.append(line(scale(value), 4, scale(value), floor, "grid"))
        body.append(write(scale(value), floor + 16, shown + unit, class_="t3 num", anchor="middle"))
    body.append(line(scale(whole.value), 4, scale(whole.value), floor, "mark"))
    return body


def _twig(twig: Twig, scale: Scale, *, top: float, left: float, stacked: bool, width: float) -> list[str]:
    score, tone = twig.score, "loss" if twig.worse else "champion"
    y = top + (30 if stacked else 13)
    label = (
        write(left, top + 16, twig.label, class_="t1", room=width - 12)
        if stacked
        else write(left - 10, y + 4, twig.label, class_="t1", anchor="end", room=left - 12)
    )
    return [
        label,
        path(f"M{number(scale(score.low))} {number(y)}H{number(scale(score.high))}", f"whisker line-{tone}"),
        symbol(scale(score.value), y, shape="diamond" if twig.worse else "dot", tone=tone, size=5),
        write(
            max(scale(score.high), scale(score.value) + 6) + 8,
            y + 4,
            figures.value(score.value, score.metric),
            class_="t2 num halo",
        ),
    ]
