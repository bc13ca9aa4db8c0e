"""Values that were predicted: true ones over predicted ones with the band of the interval, and their errors by tenths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.charts import figures
from ratchet.charts.charts import WIDE
from ratchet.charts.svg import Scale, chart, line, number, path, tag, ticks, tooltip, width_of, write

MOST = 460.0
"""Pixels of a square plane at most."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Rows in a square of the plane; its place as a share of the axes."""

    x: float
    y: float
    side: float
    rows: int


def scatter(
    points: Sequence[tuple[float, float]],
    *,
    ends: tuple[float, float],
    title: str,
    key: str,
    cells: Sequence[Cell] = (),
    band: float | None = None,
    desc: str = "",
    width: float = WIDE,
) -> str:
    """Points (predicted, true) as shares of two equal axes between ``ends``; ``band`` is half the interval's width."""
    low, high = ends
    marks = ticks(low, high, most=5)
    shown = [figures.short(mark) for mark in marks]
    left, crown = max(30.0, *(width_of(mark) for mark in shown)) + 12, 26.0
    side = min(MOST, width - left - 12)
    floor = crown + side
    x, y = Scale(low, high, left, left + side), Scale(low, high, floor, crown)
    body = [] if band is None else [_band(low, high, band, x, y)]
    for value, said in zip(marks, shown, strict=True):
        body.append(line(left, y(value), left + side, y(value), "grid"))
        body.append(write(left - 7, y(value) + 4, said, class_="t3 num", anchor="end"))
        body.append(line(x(value), crown, x(value), floor, "grid"))
        body.append(write(x(value), floor + 17, said, class_="t3 num", anchor="middle"))
    body += _shades(cells, left=left, floor=floor, side=side)
    d = "".join(f"M{number(left + a * side)} {number(floor - b * side)}h0" for a, b in points)
    body += [path(d, "speck")] if d else []
    body.append(line(x(low), y(low), x(high), y(high), "mark"))
    body += [line(left, floor, left + side, floor, "axis"), line(left, crown, left, floor, "axis")]
    body.append(write(left + side / 2, floor + 35, "predicted", class_="t3", anchor="middle"))
    body.append(write(2, 12, "true", class_="t3"))
    return chart(body, width=width, height=floor + 42, title=title, desc=desc or title, key=key)


def _band(low: float, high: float, half: float, x: Scale, y: Scale) -> str:
    """The truth lies within ``half`` of the prediction: a strip along the diagonal, cut at the edges of the plane."""
    corners = [(low, low - half), (high, high - half), (high, high + half), (low, low + half)]
    inside: list[tuple[float, float]] = []
    for (a, b), (c, d) in zip(corners, [*corners[1:], corners[0]], strict=True):
        inside.append((a, b))
        for edge in (low, high):
            if (b - edge) * (d - edge) < 0:
                share = (edge - b) / (d - b)
                inside.append((a + share * (c - a), edge))
    drawn = [(a, min(max(b, low), high)) for a, b in inside]
    return path("M" + "L".join(f"{number(x(a))} {number(y(b))}" for a, b in drawn) + "z", "strip")


def _shades(cells: Sequence[Cell], *, left: float, floor: float, side: float) -> list[str]:
    """Squares whose shade grows with the root of their rows."""
    top = max((cell.rows for cell in cells), default=1)
    return [
        tag(
            "rect",
            tooltip(f"{figures.count(cell.rows)} rows"),
            x=left + cell.x * side,
            y=floor - (cell.y + cell.side) * side,
            width=cell.side * side,
            height=cell.side * side,
            class_=f"shade-{min(4, 1 + int(4 * math.sqrt(cell.rows / top)))}",
        )
        for cell in cells
    ]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A group: the middle half of its values, the middle 80 % and the median; its place is ``at``, from ``low`` to ``high``."""

    low: float
    at: float
    high: float
    rows: int
    ends: tuple[float, float]
    middle: tuple[float, float]
    median: float


def boxes(
    groups: Sequence[Box],
    *,
    title: str,
    key: str,
    x_name: str,
    y_name: str,
    band: float | None = None,
    desc: str = "",
    width: float = WIDE,
) -> str:
    """Boxes around a zero line, one a group from left to right; an end beyond the picture is cut there."""
    reach = [max(abs(one.ends[0]), abs(one.ends[1])) for one in groups]
    span = min(max(reach, default=1.0), 3 * median(reach)) if reach else 1.0
    span = max(span, band or 0.0) * 1.08 or 1.0
    marks = ticks(-span, span, most=6)
    shown = [figures.short(mark) for mark in marks]
    left, crown, tall = max(30.0, *(width_of(mark) for mark in shown)) + 12, 26.0, 230.0
    floor = crown + tall
    y = Scale(-span, span, floor, crown)
    each = (width - left - 6) / max(len(groups), 1)
    body = []
    if band is not None:
        body.append(tag("rect", x=left, y=y(band), width=width - left - 6, height=y(-band) - y(band), class_="strip"))
    for value, said in zip(marks, shown, strict=True):
        body.append(line(left, y(value), width - 6, y(value), "grid"))
        body.append(write(left - 7, y(value) + 4, said, class_="t3 num", anchor="end"))
    body.append(line(left, y(0), width - 6, y(0), "axis"))
    for index, one in enumerate(groups):
        body.append(_box(one, left + (index + 0.5) * each, min(each * 0.5, 34.0), y))
        if width > 500 or index in (0, len(groups) - 1):
            anchor = "middle" if width > 500 else ("start", "end")[index > 0] if len(groups) > 1 else "middle"
            at = left + (index + 0.5) * each + {"middle": 0.0, "start": -each / 2, "end": each / 2}[anchor]
            body.append(write(at, floor + 17, figures.short(_rounded(one)), class_="t3 num", anchor=anchor))
    body.append(write((left + width) / 2, floor + 35, x_name, class_="t3", anchor="middle"))
    body.append(write(2, 12, y_name, class_="t3"))
    said = desc or "; ".join(f"{_place(one)}: median {figures.short(one.median)}" for one in groups)
    return chart(body, width=width, height=floor + 42, title=title, desc=said, key=key)


def _rounded(one: Box) -> float:
    """A group's place, to three digits."""
    return float(f"{one.at:.3g}")


def _place(one: Box) -> str:
    return f"{one.low:.4g} to {one.high:.4g}"


def _box(one: Box, x: float, wide: float, y: Scale) -> str:
    low, high = y(one.middle[0]), y(one.middle[1])
    tip = f"{_place(one)}, {figures.count(one.rows)} rows: median {one.median:.3g}, middle half {one.middle[0]:.3g} to "
    tip += f"{one.middle[1]:.3g}, 80 % {one.ends[0]:.3g} to {one.ends[1]:.3g}"
    return tag(
        "g",
        tooltip(tip),
        path(f"M{number(x)} {number(y(one.ends[0]))}V{number(y(one.ends[1]))}", "whisker line-champion"),
        tag("rect", x=x - wide / 2, y=high, width=wide, height=max(low - high, 1.0), rx=2, class_="fill-champion"),
        path(f"M{number(x - wide / 2)} {number(y(one.median))}h{number(wide)}", "median"),
    )
