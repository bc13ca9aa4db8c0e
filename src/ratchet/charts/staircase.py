"""The staircase of verdicts: the champion's line rises only where a challenger was proven."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.charts import figures
from ratchet.charts.charts import WIDE, symbol
from ratchet.charts.svg import Scale, chart, line, number, path, tag, ticks, tooltip, width_of, write
from ratchet.gate.claim import read_as
from ratchet.gate.ledger import Challenge
from ratchet.gate.verdict import Finding, Outcome
from ratchet.metrics.metric import Metric
from ratchet.metrics.metrics import named

LOOK: dict[Outcome, tuple[str, str, str]] = {
    # outcome: (words, shape, tone)
    "better": ("better", "dot", "champion"),
    "not_worse": ("not worse", "diamond", "equal"),
    "undecided": ("undecided", "ring", "open"),
    "worse": ("worse", "ring", "loss"),
}


@dataclass(frozen=True)
class _Plan:
    """Where everything goes: one column for the first champion and one for each step."""

    x: Scale
    y: Scale
    column: float
    floor: float
    width: float

    def middle(self, index: int) -> float:
        return self.x(index + 0.5)

    def riser(self, index: int) -> float:
        return self.x(index + 0.14)


def look(outcome: Outcome, promoted: bool) -> tuple[str, str, str]:
    """Words, shape and tone of an outcome; a diamond that did not take over is hollow."""
    said, shape, tone = LOOK[outcome]
    if shape == "diamond":
        said, shape = ("not worse and smaller", shape) if promoted else (said, "open-diamond")
    return said, shape, tone


def told(one: Challenge) -> str:
    """A challenge in a few words: who, the outcome, and the difference with its interval."""
    found = _first(one)
    words = f"{figures.difference(found)} {figures.unit(read_as(found))}".rstrip()
    return f"{one.verdict.challenger}: {look(one.verdict.outcome, one.promoted)[0]}, {words}"


def _first(one: Challenge) -> Finding:
    """What was found on the first metric, which is the one that is drawn."""
    return one.verdict.findings[0]


def _moved(height: float, difference: float, found: Finding) -> float:
    """A height that this difference leads to: a saving is a share of the height, which is negative where less is better."""
    return height * (1 - difference) if read_as(found).saving else height + difference


def levels(base: float, steps: Sequence[Challenge]) -> list[float]:
    """The champion's height before each step, and after the last: ``base`` plus the differences that were promoted."""
    before, heights = opposite(base, steps), [base]
    for height, step in zip(before, steps, strict=True):
        found = _first(step)
        heights.append(_moved(height, found.estimate, found) if step.promoted else heights[-1])
    return heights


def opposite(base: float, steps: Sequence[Challenge]) -> list[float]:
    """The height of the one that each step was compared with.

    That is the last that was proven better, and not the one who took over in the same round, nor a smaller copy: the copy
    of a copy is measured from where both began, and its loss is not counted twice.
    """
    stands = start = base
    known: dict[str, float] = {}
    heights, last = [], -1
    for step in steps:
        verdict, found = step.verdict, _first(step)
        if step.record.seq != last:
            start, last = stands, step.record.seq
        copied = known.get(verdict.anchor, base) if step.account == "copies" else None
        heights.append(known.get(verdict.champion, start) if copied is None else copied)
        if step.promoted:
            stands = known[verdict.challenger] = _moved(heights[-1], found.estimate, found)
    return heights


def window(base: float, steps: Sequence[Challenge], *, metric: str = "accuracy") -> tuple[float, float]:
    """The heights worth showing; of a share never less than half a point, and nothing beyond 0 and 1.

    A challenger thirty points below would flatten every other step to nothing, so the window reaches at most six
    typical intervals down from the best; what lies lower is drawn at the edge with an arrow and its figure.
    """
    heights = levels(base, steps)
    found = [_first(step) for step in steps]
    share = named(metric)[0].unit == "points"
    spans = [
        (_moved(height, one.low, one), _moved(height, one.high, one))
        for height, one in zip(opposite(base, steps), found, strict=True)
    ]
    widths = [high - low for low, high in spans]
    reach = [end for span in spans for end in span]
    top, lowest = max([*heights, *reach]), min([*heights, *reach])
    typical = median(widths) if widths else 0.02 if share else 0.1 * abs(base)
    floor = max(heights) - max(6 * typical, 0.03 if share else 0.0)
    seen = [*(height for height in heights if height >= floor), *(low for low, high in spans if high >= floor)]
    bottom = min([top, *seen]) if lowest < floor else lowest
    pad = max((top - bottom) * 0.12, 0.003 if share else 0.005 * abs(top))
    # An arrow and its figure need room under the marks.
    low, high = bottom - pad * (2.5 if bottom > lowest else 1), top + pad
    return (max(0.0, low), min(1.0, high)) if share else (low, high)


def staircase(
    base: str,
    value: float,
    steps: Sequence[Challenge],
    *,
    metric: str,
    key: str,
    title: str = "",
    desc: str = "",
    width: float = WIDE,
) -> str:
    """The champion's line over the challengers in order, each with the interval of its difference to the champion.

    ``value`` is the first champion's score; later heights are ``value`` plus the promoted differences, so that each
    step has exactly the height which its own paired comparison found. With little room the names give way to numbers.
    """
    heights = levels(value, steps)
    lo, hi = window(value, steps, metric=metric)
    legend, crown = _legend(steps, width)
    last = figures.value(heights[-1], metric)
    marks = [width_of(mark) for mark in figures.scale(ticks(lo, hi, most=6), metric)]
    left, tail = max(40.0, *marks) + (0 if max(marks) < 32 else 12), width_of(max(last, "00.0 %", key=len)) + 18
    column = (width - left - tail) / (len(steps) + 1)
    named = column >= 58
    tall = 320.0 if width > 500 else 280.0
    floor = crown + tall
    plan = _Plan(Scale(0, len(steps) + 1, left, width - tail), Scale(lo, hi, floor, crown + 10), column, floor, width)
    body = [*legend, *_grid(plan, metric), *_champion(plan, heights, steps, key, metric)]
    for index, (step, before) in enumerate(zip(steps, opposite(value, steps), strict=True)):
        body.append(_challenger(plan, index, step, before))
    body += _names(plan, [base, *(step.verdict.challenger for step in steps)], named=named)
    return chart(
        body,
        width=width,
        height=floor + (50 if named else 24),
        title=title or "Staircase of verdicts",
        desc=desc or _story(base, value, steps, metric),
        key=key,
    )


def _story(base: str, value: float, steps: Sequence[Challenge], metric: str) -> str:
    parts = [f"The first champion {base} has {figures.metric(metric)} {figures.value(value, metric)}."]
    for index, step in enumerate(steps, start=1):
        parts.append(f"{index}. {told(step)}{', takes over' if step.promoted else ''}.")
    return " ".join(parts)


def _legend(steps: Sequence[Challenge], width: float) -> tuple[list[str], float]:
    """The shapes in use with their counts, wrapped to the width, and the height they take."""
    kinds: dict[tuple[str, str, str], int] = {}
    for outcome in LOOK:
        for step in steps:
            if step.verdict.outcome == outcome:
                kind = look(outcome, step.promoted)
                kinds[kind] = kinds.get(kind, 0) + 1
    x, y = 8.0, 12.0
    body = [path(f"M{number(x - 4)} {number(y - 4)}h18", "step"), write(x + 20, y, "champion", class_="t2")]
    x += 42 + width_of("champion")
    for (said, shape, tone), rows in kinds.items():
        words = f"{said} ({rows})"
        if x + width_of(words) + 24 > width:
            x, y = 8.0, y + 20
        body += [symbol(x + 5, y - 4, shape=shape, tone=tone, size=5), write(x + 16, y, words, class_="t2")]
        x += width_of(words) + 34
    return body, y + 14


def _grid(plan: _Plan, metric: str) -> list[str]:
    body = []
    marks = ticks(plan.y.lo, plan.y.hi, most=6)
    for value, shown in zip(marks, figures.scale(marks, metric), strict=True):
        body.append(line(plan.x.a, plan.y(value), plan.x.b, plan.y(value), "grid"))
        body.append(write(plan.x.a - 7, plan.y(value) + 4, shown, class_="t3 num", anchor="end"))
    body.append(write(plan.x.a + 2, plan.y.b - 1, _axis(named(metric)[0]), class_="t3"))
    return body


def _axis(metric: Metric) -> str:
    """The name of the axis: up is better, also where less is better."""
    unit = "%" if metric.unit == "points" else "" if metric.saving else metric.unit
    name = f"{figures.metric(metric.name)}, {unit}" if unit else figures.metric(metric.name)
    return f"{name}; less is better, up is less" if metric.sign < 0 else name


def _champion(plan: _Plan, heights: list[float], steps: Sequence[Challenge], key: str, metric: str) -> list[str]:
    """The line, the area below it, and the level that each promoted challenger had to beat."""
    runs = [(plan.x.a, heights[0])]
    beaten = []
    for index, step in enumerate(steps):
        if step.promoted:
            x, old = plan.riser(index + 1), plan.y(heights[index])
            runs.append((x, heights[index + 1]))
            if heights[index] >= plan.y.lo:
                beaten.append(line(x, old, plan.x(index + 2) - plan.column * 0.14, old, "beaten"))
    d = area = ""
    for (x, height), (stop, _) in zip(runs, [*runs[1:], (plan.x.b, 0.0)], strict=True):
        y = number(plan.y(height))
        area += f"{'L' if area else 'M'}{number(x)} {y}H{number(stop)}"
        # A level below the picture has no line; the next one rises from the floor.
        d += f"M{number(x)} {number(plan.floor)}" if not d and x > plan.x.a else ""
        d += f"{'L' if d else 'M'}{number(x)} {y}H{number(stop)}" if height >= plan.y.lo else ""
    area += f"V{number(plan.floor)}H{number(plan.x.a)}z"
    end = plan.y(heights[-1]) + 4
    last = write(plan.x.b + 8, end, figures.value(heights[-1], metric), class_="t-champion num strong")
    return [
        _fade(key),
        tag("path", d=area, fill=f"url(#{key}-g)"),
        *beaten,
        path(d, "step"),
        *_start(plan, heights[0], metric),
        last,
    ]


def _start(plan: _Plan, height: float, metric: str) -> list[str]:
    """The first champion's mark with its figure, above the line where there is room for it."""
    x, y = plan.middle(0), plan.y(height)
    if height < plan.y.lo:
        y = plan.floor - 7
        mark = path(f"M{number(x - 5)} {number(y - 4)}h10l-5 7z", "fill-champion")
    else:
        mark = tag("circle", cx=x, cy=y, r=5.5, class_="fill-champion ring")
    lift = 20 if plan.column < 54 and y < plan.floor - 30 else -12
    return [mark, write(x, y + lift, figures.value(height, metric), class_="t1 num strong halo", anchor="middle")]


def _fade(key: str) -> str:
    """Below the line colour fades out: the axis does not start at zero, so the area must not look like an amount."""
    stops = (tag("stop", offset="0", class_="fade-top"), tag("stop", offset="1", class_="fade-end"))
    return tag("defs", tag("linearGradient", *stops, id=f"{key}-g", x1="0", y1="0", x2="0", y2="1"))


def _challenger(plan: _Plan, index: int, step: Challenge, before: float) -> str:
    """The mark of a challenger at the height of its opponent, ``before``, plus its difference, with its figure."""
    found, tone = _first(step), look(step.verdict.outcome, step.promoted)[2]
    x = plan.middle(index + 1)
    low, own, high = (_moved(before, one, found) for one in (found.low, found.estimate, found.high))
    if own < plan.y.lo:
        mark, y_text = _arrow(plan, x, high, tone)
    else:
        mark = _whisker(plan, x, (low, high), tone)
        shape, size = look(step.verdict.outcome, step.promoted)[1], min(6.0, max(2.5, plan.column * 0.3))
        mark.append(symbol(x, plan.y(own), shape=shape, tone=tone, size=size))
        below = found.estimate < 0 and not step.promoted
        y_text = plan.y(low) + 15 if below else plan.y(high) - 7
        y_text = y_text if y_text < plan.floor - 2 else plan.y(high) - 7
    shown = figures.change(found)
    if plan.column > width_of(shown) + 3:
        mark.append(write(x, y_text, shown, class_=f"t-{tone} num strong halo", anchor="middle"))
    return tag("g", tooltip(f"{index + 1}. {told(step)}"), *mark)


def _arrow(plan: _Plan, x: float, high: float, tone: str) -> tuple[list[str], float]:
    """What lies below the picture, with what of its interval reaches into it; and where its figure stands."""
    y, parts = plan.floor - 7, []
    if high > plan.y.lo:
        y = min(y, plan.y(high))
        parts.append(path(f"M{number(x)} {number(plan.floor)}V{number(y)}", f"whisker line-{tone}"))
    parts.append(path(f"M{number(x - 5)} {number(plan.floor - 11)}h10l-5 7z", f"fill-{tone}"))
    return parts, min(y, plan.floor - 11) - 7


def _whisker(plan: _Plan, x: float, ends: tuple[float, float], tone: str) -> list[str]:
    """The interval, with caps where there is room and they lie within the picture."""
    low, high = ends
    parts = [path(f"M{number(x)} {number(plan.y(low))}V{number(plan.y(high))}", f"whisker line-{tone}")]
    if plan.column > 26:
        inside = [end for end in ends if plan.y.lo < end < plan.y.hi]
        parts += [path(f"M{number(x - 4)} {number(plan.y(end))}h8", f"cap line-{tone}") for end in inside]
    return parts


def _names(plan: _Plan, names: list[str], *, named: bool) -> list[str]:
    body = [line(plan.x.a, plan.floor, plan.x.b, plan.floor, "axis")]
    every = max(1, round(18 / plan.column + 0.5)) if plan.column < 18 else 1
    first = "start" if plan.column > 30 else "0"
    for index, name in enumerate(names):
        x = plan.middle(index)
        if not named:
            if index % every == 0:
                body.append(write(x, plan.floor + 16, str(index) if index else first, class_="t3 num", anchor="middle"))
            continue
        room = plan.column - 6
        rows = [
            write(x, plan.floor + 17 + 14 * row, part, class_="t2", anchor="middle", room=room)
            for row, part in enumerate(_two_lines(name, room))
        ]
        body.append(tag("g", tooltip(name), *rows) if len(rows) > 1 else rows[0])
        body.append(write(x, plan.floor + 46, str(index) if index else first, class_="t3 num", anchor="middle"))
    return body


def _two_lines(name: str, room: float) -> list[str]:
    """A name on one line, or on two broken after a separator (anywhere in Chinese)."""
    if width_of(name) <= room:
        return [name]
    pieces = re.findall(r"[^-_ +/,·\u2e80-\u9fff]*[-_ +/,·\u2e80-\u9fff]|[^-_ +/,·\u2e80-\u9fff]+$", name) or [name]
    first = ""
    while pieces and width_of(first + pieces[0]) <= room:
        first += pieces.pop(0)
    return [first.strip(), "".join(pieces).strip()] if first.strip() and pieces else [name]
