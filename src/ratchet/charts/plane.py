"""A curve in a plane: Zipf's curve on two logarithmic axes with its thin tail marked, or growth on two straight ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.charts import figures
from ratchet.charts.svg import Scale, chart, line, number, path, tag, ticks, width_of, write

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Shade:
    """A stretch of the x axis from ``start`` on that is marked, and what is said about it."""

    start: float
    label: str


def plane(
    points: Sequence[Point],
    *,
    x_name: str,
    y_name: str,
    title: str,
    key: str,
    logarithmic: bool = False,
    shade: Shade | None = None,
    width: float = 370.0,
) -> str:
    """A curve through points with ascending x; on logarithmic axes both begin at 1."""
    height, crown, floor, left, right = 230.0, 40.0, 188.0, 52.0, width - 10
    top = max((y for _, y in points), default=1.0)
    far = max((x for x, _ in points), default=1.0)
    x = _axis(far, left, right, logarithmic=logarithmic)
    y = _axis(top, floor, crown, logarithmic=logarithmic)
    body: list[str] = []
    if shade is not None:
        begin = x(shade.start)
        body.append(tag("rect", x=begin, y=crown, width=right - begin, height=floor - crown, class_="gap"))
        fits = begin + width_of(shade.label) < width
        at, anchor = (begin, "start") if fits else (right, "end")
        body.append(write(at, crown - 8, shade.label, class_="t-loss strong", anchor=anchor, room=width - 4))
    for value in _marks(top, logarithmic=logarithmic, most=4):
        body.append(line(left, y(value), right, y(value), "grid"))
        body.append(write(left - 6, y(value) + 4, _short(value), class_="t3 num", anchor="end"))
    body.append(line(left, floor, right, floor, "axis"))
    for value in _marks(far, logarithmic=logarithmic, most=5):
        body.append(line(x(value), floor, x(value), floor + 4, "axis"))
        body.append(write(x(value), floor + 17, _short(value), class_="t3 num", anchor="middle"))
    body.append(write((left + right) / 2, height - 6, x_name, class_="t3", anchor="middle"))
    body.append(write(4, 12, y_name, class_="t3"))
    d = "M" + "L".join(f"{number(x(a))} {number(y(b))}" for a, b in points)
    body.append(path(d, "curve line-champion"))
    said = "; ".join(f"{figures.count(a)}: {figures.count(b)}" for a, b in points[:: max(1, len(points) // 10)])
    return chart(body, width=width, height=height, title=title, desc=said, key=key)


@dataclass(frozen=True)
class _Log:
    """A logarithmic map from 1..hi to pixels."""

    scale: Scale

    def __call__(self, value: float) -> float:
        return self.scale(math.log10(max(value, 1.0)))


def _axis(hi: float, a: float, b: float, *, logarithmic: bool) -> Scale | _Log:
    return _Log(Scale(0, math.log10(max(hi, 10.0)), a, b)) if logarithmic else Scale(0, hi, a, b)


def _marks(hi: float, *, logarithmic: bool, most: int) -> list[float]:
    if not logarithmic:
        return ticks(0, hi, most=most)
    powers = int(math.log10(max(hi, 10.0)) + 1e-9)
    return [10.0**power for power in range(0, powers + 1, 1 + powers // 6)]


def _short(value: float) -> str:
    """12000 -> "12k": a tick has little room."""
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if unit == 'k' else size):g}{unit}"
    return figures.count(value)
