"""The charts of the report: pure functions from figures to SVG text, coloured by the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ratchet.charts import figures
from ratchet.charts.svg import (
    Scale,
    chart,
    line,
    number,
    path,
    percent_ticks,
    tag,
    ticks,
    tooltip,
    width_of,
    write,
)

WIDE, NARROW = 760.0, 340.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar; ``shown`` is written at its end, a value of ``None`` makes a line of text instead of a bar."""

    label: str
    value: float | None
    shown: str = ""
    tone: str = "champion"
    ends: tuple[float, float] | None = None
    """Of its interval."""


def bars(rows: Sequence[Bar], *, title: str, key: str, desc: str = "", width: float = WIDE) -> str:
    """Horizontal bars from zero, one per row, in the order given."""
    step, thick = 28.0, 16.0
    labels = min(width * 0.36, max((width_of(row.label) for row in rows if row.value is not None), default=0) + 12)
    tail = max((width_of(row.shown) for row in rows), default=0) + 14
    tops = (row.value if row.ends is None else row.ends[1] for row in rows if row.value is not None)
    top = max((one for one in tops if math.isfinite(one)), default=0.0)
    scale = Scale(0, top if top > 0 else 1, 0, max(20.0, width - labels - tail))
    body: list[str] = []
    for index, row in enumerate(rows):
        y = index * step + 6
        base = y + thick / 2 + 4
        if row.value is None:
            body.append(write(labels, base, row.label, class_="t3", room=width - labels))
            continue
        long = max(scale(row.value), 1.5) if row.value > 0 else 0.0
        body.append(write(labels - 10, base, row.label, class_="t1", anchor="end", room=labels - 12))
        body.append(tag("rect", x=labels, y=y, width=long, height=thick, rx=3, class_=f"fill-{row.tone}"))
        end = long
        if row.ends is not None:
            low, end = (scale(one) for one in row.ends)
            middle = number(y + thick / 2)
            body.append(path(f"M{number(labels + low)} {middle}H{number(labels + end)}", f"whisker line-{row.tone}"))
        body.append(write(labels + max(end, long) + 8, base, row.shown, class_="t2 num"))
    said = desc or "; ".join(f"{row.label}: {row.shown}" for row in rows[:40])
    return chart(body, width=width, height=len(rows) * step + 6, title=title, desc=said, key=key)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A vertical mark in a histogram."""

    at: float
    label: str


def histogram(
    edges: Sequence[float],
    counts: Sequence[int],
    *,
    title: str,
    key: str,
    unit: str,
    above: int = 0,
    marks: Sequence[Mark] = (),
    width: float = WIDE,
) -> str:
    """Counts between edges; ``above`` is drawn as a last bar of its own for everything beyond the last edge."""
    height, left, right, bottom, crown = 220.0, 46.0, 6.0, 40.0, 34.0
    slots = len(counts) + (2 if above else 0)
    each = (width - left - right) / max(1, slots)
    scale = Scale(0, max([*counts, above, 1]), 0, height - bottom - crown)
    floor = height - bottom
    body: list[str] = []
    for value in ticks(0, scale.hi, most=3)[1:]:
        y = floor - scale(value)
        body.append(line(left, y, width - right, y, "grid"))
        body.append(write(left - 7, y + 4, figures.count(value), class_="t3 num", anchor="end"))
    body.append(line(left, floor, width - right, floor, "axis"))
    for index, rows in enumerate(counts):
        tall = max(scale(rows), 1.0 if rows else 0.0)
        tip = tooltip(f"{edges[index]:g} to {edges[index + 1]:g} {unit}: {figures.count(rows)} texts")
        x = left + index * each
        body.append(
            tag("rect", tip, x=x + 0.5, y=floor - tall, width=max(each - 1, 0.5), height=tall, class_="fill-champion")
        )
    if above:
        x, tall = left + (slots - 1) * each, max(scale(above), 1.0)
        tip = tooltip(f"longer: {figures.count(above)} texts")
        body.append(tag("rect", tip, x=x, y=floor - tall, width=max(each - 1, 1), height=tall, class_="fill-open"))
        body.append(write(width - right, floor + 32, "longer", class_="t3", anchor="end"))
    body.append(write(left, floor + 32, unit, class_="t3"))
    body += _marked(marks, Scale(edges[0], edges[-1], left, left + len(counts) * each), floor=floor, width=width)
    desc = f"{figures.count(sum(counts) + above)} texts. " + "; ".join(mark.label for mark in marks)
    return chart(body, width=width, height=height, title=title, desc=desc, key=key)


def _marked(marks: Sequence[Mark], span: Scale, *, floor: float, width: float) -> list[str]:
    """The ticks of a histogram's axis, and its marks above each other."""
    body: list[str] = []
    for value in ticks(span.lo, span.hi, most=8 if width > 500 else 4):
        body.append(line(span(value), floor, span(value), floor + 4, "axis"))
        body.append(write(span(value), floor + 17, figures.count(value), class_="t3 num", anchor="middle"))
    for index, mark in enumerate(marks):
        x, y = span(mark.at), 12.0 + 15 * index
        body.append(line(x, y - 8, x, floor, "mark"))
        fits = x + width_of(mark.label) + 8 < width
        body.append(write(x + 5 if fits else x - 5, y, mark.label, class_="t2 halo", anchor="start" if fits else "end"))
    return body


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A value with its interval (fractions); a ``None`` bound leaves the interval out."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    tone: str = "champion"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A distance worth pointing at, from row ``start`` to row ``stop`` of a dot chart."""

    start: int
    stop: int
    label: str


def dots(
    rows: Sequence[Dot], *, title: str, key: str, gap: Gap | None = None, desc: str = "", width: float = WIDE
) -> str:
    """Values with their intervals on one percent axis, one per row; in a narrow chart the label stands above its row."""
    stacked = width < 500
    left = 6.0 if stacked else min(width * 0.36, max((width_of(r.label, size=13) for r in rows), default=0) + 18)
    step, crown, tail = (58.0 if stacked else 46.0), (30.0 if gap else 8.0), 64.0
    floor = crown + step * len(rows)
    ends = [v for r in rows for v in (r.value, r.low, r.high) if v is not None]
    lo, hi = min(ends, default=0.0), max(ends, default=1.0)
    pad = max((hi - lo) * 0.06, 0.004)
    scale = Scale(max(0.0, lo - pad), min(1.0, hi + pad), left + 4, width - tail)
    body: list[str] = []
    marks = ticks(scale.lo, scale.hi, most=4 if stacked else 7)
    for value, shown in zip(marks, percent_ticks(marks), strict=True):
        body.append(line(scale(value), crown - 2, scale(value), floor, "grid"))
        body.append(write(scale(value), floor + 16, shown + " %", class_="t3 num", anchor="middle"))
    if gap is not None:
        body += _gap(gap, rows, scale, crown=crown, step=step, width=width)
    for index, row in enumerate(rows):
        y = crown + index * step + (38 if stacked else 23)
        body += _dot(row, scale, y=y, left=left, stacked=stacked, width=width)
    said = desc or "; ".join(f"{r.label}: {figures.percent(r.value)} {figures.bounds(r.low, r.high)}" for r in rows)
    return chart(body, width=width, height=floor + 24, title=title, desc=said, key=key)


def _dot(row: Dot, scale: Scale, *, y: float, left: float, stacked: bool, width: float) -> list[str]:
    x, parts = scale(row.value), []
    right = x
    if row.low is not None and row.high is not None:
        low, right = scale(row.low), scale(row.high)
        parts.append(path(f"M{number(low)} {number(y)}H{number(right)}", f"whisker line-{row.tone}"))
    parts.append(tag("circle", cx=x, cy=y, r=6, class_=f"fill-{row.tone} ring"))
    parts.append(write(max(right, x + 6) + 8, y + 4, figures.percent(row.value), class_="t1 num strong halo"))
    if stacked:
        room = width - 12 - (width_of(row.note) + 10 if row.note else 0)
        parts.append(write(left, y - 17, row.label, class_="t1", room=room))
        if row.note:
            parts.append(write(width - 4, y - 17, row.note, class_="t3 num", anchor="end"))
        return parts
    parts.append(
        write(left - 14, y + (-1 if row.note else 4), row.label, class_="t1 l", anchor="end", room=left - 12, size=13)
    )
    if row.note:
        parts.append(write(left - 14, y + 14, row.note, class_="t3 num", anchor="end", room=left - 12))
    return parts


def _gap(gap: Gap, rows: Sequence[Dot], scale: Scale, *, crown: float, step: float, width: float) -> list[str]:
    a, b = scale(rows[gap.start].value), scale(rows[gap.stop].value)
    x, wide = min(a, b), abs(a - b)
    down = crown + step * len(rows)
    half = width_of(gap.label) / 2
    middle = min(max(x + wide / 2, half + 2), width - half - 2)
    return [
        tag("rect", x=x, y=crown - 6, width=wide, height=down - crown + 6, class_="gap"),
        path(f"M{number(x)} {number(crown - 10)}v4H{number(x + wide)}v-4", "brace"),
        write(middle, crown - 15, gap.label, class_="t-loss strong", anchor="middle"),
    ]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series over the epochs; ``None`` leaves a gap."""

    label: str
    values: tuple[float | None, ...]
    tone: str = "champion"
    dashed: bool = False


def lines(
    series: Sequence[Line],
    *,
    xs: Sequence[int],
    title: str,
    key: str,
    percent: bool = False,
    desc: str = "",
    width: float = 370.0,
    across: str = "epoch",
) -> str:
    """Series over the epochs, or whatever else lies ``across``, each named at its end."""
    height, left, crown, floor = 210.0, 40.0, 12.0, 178.0
    known = [v for s in series for v in s.values if v is not None and math.isfinite(v)]
    lo, hi = min(known, default=0.0), max(known, default=1.0)
    pad = (hi - lo) * 0.08 or max(abs(hi) * 0.05, 0.01)
    tail = max((width_of(s.label) for s in series), default=0) + 16
    y = Scale(lo - pad, hi + pad, floor, crown)
    x = Scale(min(xs, default=0), max(xs, default=1), left + 8, width - tail)
    body: list[str] = []
    marks = ticks(y.lo, y.hi, most=4)
    shown = [t + " %" for t in percent_ticks(marks)] if percent else [f"{v:g}" for v in (round(m, 6) for m in marks)]
    for value, said in zip(marks, shown, strict=True):
        body.append(line(left, y(value), width - tail + 6, y(value), "grid"))
        body.append(write(left - 6, y(value) + 4, said, class_="t3 num", anchor="end"))
    every = max(1, math.ceil(len(xs) / 8))
    body += [write(x(e), floor + 17, str(e), class_="t3 num", anchor="middle") for e in xs[::every]]
    body.append(write((left + width - tail) / 2, height - 2, across, class_="t3", anchor="middle"))
    drawn = [(one, _trail(one, xs, x, y)) for one in series]
    drawn = [(one, trail) for one, trail in drawn if any(trail)]
    places = _apart([trail[-1][-1][1] for _, trail in drawn], floor)
    for (one, trail), place in zip(drawn, places, strict=True):
        body += _series(one, trail, place, xs)
    told = desc or "; ".join(
        f"{s.label}: " + ", ".join("none" if v is None else f"{v:.4g}" for v in s.values) for s in series
    )
    return chart(body, width=width, height=height, title=title, desc=told, key=key)


def _trail(one: Line, xs: Sequence[int], x: Scale, y: Scale) -> list[list[tuple[float, float]]]:
    """The unbroken runs of a series, as pixels."""
    runs: list[list[tuple[float, float]]] = [[]]
    for at, value in zip(xs, one.values, strict=True):
        if value is not None and math.isfinite(value):
            runs[-1].append((x(at), y(value)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _apart(places: list[float], floor: float, gap: float = 15.0) -> list[float]:
    """The same heights moved so that names at the ends of curves do not overlap."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for before, index in pairwise(order):
        moved[index] = max(moved[index], moved[before] + gap)
    over = max(0.0, max(moved, default=0.0) - floor)
    return [place - over for place in moved]


def _series(one: Line, trail: list[list[tuple[float, float]]], place: float, xs: Sequence[int]) -> list[str]:
    d = "".join("M" + "L".join(f"{number(x)} {number(y)}" for x, y in run) for run in trail)
    shape = "fill-paper" if one.dashed else f"fill-{one.tone}"
    parts = [path(d, f"curve line-{one.tone}" + (" dashed" if one.dashed else ""))]
    if len(xs) <= 30:
        parts += [tag("circle", cx=x, cy=y, r=3, class_=f"{shape} edge-{one.tone}") for run in trail for x, y in run]
    parts.append(write(trail[-1][-1][0] + 9, place + 4, one.label, class_=f"t-{one.tone} strong"))
    return parts


def waffle(share: float, *, title: str, key: str, desc: str = "", width: float = WIDE) -> str:
    """A hundred squares, as many of them filled as ``share`` has percent."""
    columns = 50 if width > 500 else 25
    each = width / columns
    filled = min(100, max(round(100 * share), 1 if share > 0 else 0))
    filled = 99 if filled == 100 and share < 1 else filled
    body = [
        tag(
            "rect",
            x=index % columns * each + 1,
            y=index // columns * each + 1,
            width=each - 2.5,
            height=each - 2.5,
            rx=2.5,
            class_="fill-loss" if index < filled else "fill-quiet",
        )
        for index in range(100)
    ]
    return chart(body, width=width, height=100 / columns * each, title=title, desc=desc or f"{filled} of 100", key=key)


def interval(
    estimate: float,
    low: float | None,
    high: float | None,
    *,
    span: float,
    tone: str,
    shape: str = "dot",
    key: str,
    title: str,
) -> str:
    """A small estimate with its interval around a zero line, for a cell of a table; ``span`` is the largest distance."""
    width, height, middle = 132.0, 22.0, 11.0
    scale = Scale(-span, span, 6, width - 6)
    body = [line(scale(0), 1, scale(0), height - 1, "axis")]
    if low is not None and high is not None:
        body.append(path(f"M{number(scale(low))} {number(middle)}H{number(scale(high))}", f"whisker line-{tone}"))
    if abs(estimate) > span:
        out = math.copysign(1.0, estimate)
        body.append(
            path(f"M{number(scale(estimate) + 5 * out)} {number(middle)}l{number(-9 * out)} -5v10z", f"fill-{tone}")
        )
    else:
        body.append(symbol(scale(estimate), middle, shape=shape, tone=tone, size=4.5))
    return chart(body, width=width, height=height, title=title, desc=title, key=key)


def symbol(x: float, y: float, *, shape: str, tone: str, size: float = 6.0) -> str:
    """A ``dot``, a hollow ``ring``, a ``diamond`` or a hollow ``open-diamond``: colour is never the only difference."""
    if shape.endswith("diamond"):
        reach = size * 1.25
        r = number(reach)
        d = f"M{number(x)} {number(y - reach)}l{r} {r}l-{r} {r}l-{r} -{r}z"
        return path(d, f"edge-{tone} " + ("fill-paper" if shape.startswith("open") else f"fill-{tone}"))
    return tag(
        "circle", cx=x, cy=y, r=size, class_=f"edge-{tone} " + ("fill-paper" if shape == "ring" else f"fill-{tone}")
    )
