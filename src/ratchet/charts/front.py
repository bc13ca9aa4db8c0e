"""Quality over what it takes: contenders on a logarithmic axis of price or time, and the front that none of them beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.charts import figures
from ratchet.charts.charts import WIDE, symbol
from ratchet.charts.svg import Scale, chart, line, number, path, tag, ticks, tooltip, width_of, write
from ratchet.metrics.metrics import Score, named

FREE = 54.0
"""Pixels of the column for what costs nothing, left of a logarithmic axis."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A contender: its score, what a unit of it takes (0: nothing), and up to where that goes."""

    name: str
    score: Score
    takes: float
    upto: float | None = None
    champion: bool = False


def front_of(places: Sequence[Place]) -> tuple[Place, ...]:
    """Those than which none is better and takes no more, or takes less and is no worse; the cheapest first (Pareto front)."""
    return tuple(
        sorted(
            (
                one
                for one in places
                if not any(
                    other.takes <= one.takes
                    and other.score.value >= one.score.value
                    and (other.takes < one.takes or other.score.value > one.score.value)
                    for other in places
                )
            ),
            key=lambda one: (one.takes, -one.score.value, one.name),
        )
    )


@dataclass(frozen=True)
class _Plan:
    x: Scale
    y: Scale
    left: float
    free: bool
    floor: float

    def at(self, takes: float) -> float:
        if takes <= 0:
            return self.left + FREE / 2
        return self.x(math.log10(takes))


def front(
    places: Sequence[Place], *, metric: str, x_name: str, title: str, key: str, desc: str = "", width: float = WIDE
) -> str:
    """Each contender with the interval of its score; a line joins those of the front, and ◆ is the champion."""
    ends = [end for one in places for end in (one.score.low, one.score.high, one.score.value)]
    lo, hi = min(ends, default=0.0), max(ends, default=1.0)
    pad = (hi - lo) * 0.08 or abs(hi) * 0.02 or 0.01
    lo, hi = lo - pad, hi + pad
    lo, hi = (max(lo, 0.0), min(hi, 1.0)) if named(metric)[0].unit == "points" else (lo, hi)
    marks = ticks(lo, hi, most=6)
    shown = figures.scale(marks, metric)
    left, crown, tall = max(30.0, *(width_of(mark) for mark in shown)) + 12, 26.0, 260.0
    floor, free = crown + tall, any(one.takes <= 0 for one in places)
    begin = left + (FREE if free else 0)
    plan = _Plan(_log(places, begin, width - 14), Scale(lo, hi, floor, crown), left, free, floor)
    body = []
    for value, said in zip(marks, shown, strict=True):
        body.append(line(left, plan.y(value), width - 6, plan.y(value), "grid"))
        body.append(write(left - 7, plan.y(value) + 4, said, class_="t3 num", anchor="end"))
    body += _axis(plan, width)
    unit = ", %" if named(metric)[0].unit == "points" else ""
    body.append(write(2, 12, f"{figures.metric(metric)}{unit}", class_="t3"))
    body.append(write((begin + width) / 2, floor + 37, x_name, class_="t3", anchor="middle"))
    best = front_of(places)
    joined = "L".join(f"{number(plan.at(one.takes))} {number(plan.y(one.score.value))}" for one in best)
    body += [path(f"M{joined}", "front")] if len(best) > 1 else []
    body += [_place(one, plan, best=one in best) for one in places]
    body += _names(places, best, plan, width)
    said = desc or "On the front: " + ", ".join(one.name for one in best)
    return chart(body, width=width, height=floor + 44, title=title, desc=said, key=key)


def _log(places: Sequence[Place], a: float, b: float) -> Scale:
    """The logarithms of what is taken, a quarter of a power of ten beyond both ends, and one power at least."""
    known = [math.log10(end) for one in places for end in (one.takes, one.upto or 0.0) if end > 0] or [0.0]
    low, high = min(known) - 0.25, max(known) + 0.25
    short = max(0.0, 1.0 - (high - low)) / 2
    return Scale(low - short, high + short, a, b)


def _axis(plan: _Plan, width: float) -> list[str]:
    body = [line(plan.left, plan.floor, width - 6, plan.floor, "axis")]
    powers = range(math.floor(plan.x.lo), math.ceil(plan.x.hi) + 1)
    few = plan.x.hi - plan.x.lo < 3
    marks = [power + math.log10(step) for power in powers for step in ((1, 2, 5) if few else (1,))]
    kept = [mark for mark in marks if plan.x.lo <= mark <= plan.x.hi]
    every = math.ceil(len(kept) / (9 if width > 500 else 5)) or 1
    for mark in kept[::every]:
        body.append(line(plan.x(mark), plan.floor, plan.x(mark), plan.floor + 4, "axis"))
        body.append(write(plan.x(mark), plan.floor + 18, figures.short(10.0**mark), class_="t3 num", anchor="middle"))
    if plan.free:
        body.append(write(plan.left + FREE / 2, plan.floor + 18, "free", class_="t3", anchor="middle"))
        body.append(line(plan.left + FREE, plan.floor - 8, plan.left + FREE, plan.floor, "axis"))
    return body


def _place(one: Place, plan: _Plan, *, best: bool) -> str:
    x, y = plan.at(one.takes), plan.y(one.score.value)
    tone = "champion" if best or one.champion else "open"
    parts = [
        path(f"M{number(x)} {number(plan.y(one.score.low))}V{number(plan.y(one.score.high))}", f"whisker line-{tone}")
    ]
    if one.upto is not None and one.upto > one.takes > 0:
        parts.append(path(f"M{number(x)} {number(y)}H{number(plan.at(one.upto))}", f"cap line-{tone}"))
    shape = "diamond" if one.champion else "dot" if best else "ring"
    parts.append(symbol(x, y, shape=shape, tone=tone, size=6.0))
    takes = "free" if one.takes <= 0 else f"{one.takes:.3g}"
    return tag("g", tooltip(f"{one.name}: {figures.score(one.score)}, {takes}"), *parts)


def _names(places: Sequence[Place], best: Sequence[Place], plan: _Plan, width: float) -> list[str]:
    """The names of the front and of the champion, and of the others where nothing else stands."""
    marks = [(plan.at(one.takes), plan.y(one.score.value)) for one in places]
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in marks]
    body = []
    order = sorted(places, key=lambda one: (not one.champion, one not in best))
    for one in order:
        x, y, wide = plan.at(one.takes), plan.y(one.score.value), min(width_of(one.name), 150.0)
        for begin, base in ((x + 10, y - 6), (x - 10 - wide, y - 6), (x + 10, y + 16), (x - 10 - wide, y + 16)):
            box = (begin, base - 11, begin + wide, base + 3)
            fits = begin >= plan.left and begin + wide <= width and 14 <= base <= plan.floor
            if fits and not any(box[0] < c and a < box[2] and box[1] < d and b < box[3] for a, b, c, d in taken):
                taken.append(box)
                tone = "t-champion strong" if one.champion else "t1" if one in best else "t3"
                body.append(write(begin, base, one.name, class_=f"{tone} halo", room=wide + 2))
                break
    return body
