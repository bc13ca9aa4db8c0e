"""How sure a model is: the share of right answers over the confidence, and the errors over the share that is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.charts import figures
from ratchet.charts.charts import WIDE, symbol
from ratchet.charts.scatter import MOST
from ratchet.charts.svg import Scale, chart, line, number, path, percent_ticks, tag, ticks, tooltip, width_of, write

TALL = 240.0


@dataclass(frozen=True, kw_only=True)
class Held:
    """Rows of about the same confidence: the share that is right with its interval."""

    confidence: float
    right: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Series:
    """Bins that belong together; ``quiet`` ones are drawn as rings."""

    label: str
    bins: Sequence[Held]
    quiet: bool = False


def reliability(series: Sequence[Series], *, title: str, key: str, desc: str = "", width: float = WIDE) -> str:
    """The share of right answers over the mean confidence of each bin; on the dashed line the confidence holds."""
    bins = [one for side in series for one in side.bins]
    start = min((min(one.confidence, one.low) for one in bins), default=0.0)
    start = max(0.0, min(start - 0.03, 0.9))
    marks = ticks(start, 1.0, most=5)
    shown = [f"{said} %" for said in percent_ticks(marks)]
    left = max(30.0, *(width_of(mark) for mark in shown)) + 12
    signs = [_Sign(label=one.label, tone=_tone(one.quiet), shape="ring" if one.quiet else "dot") for one in series]
    body, crown = _legend(signs, left=2, width=width)
    crown, side = crown + 22, min(MOST, width - left - 20)
    floor = crown + side
    x, y = Scale(start, 1.0, left, left + side), Scale(start, 1.0, floor, crown)
    for value, said in zip(marks, shown, strict=True):
        body += [line(left, y(value), left + side, y(value), "grid"), line(x(value), crown, x(value), floor, "grid")]
        body.append(write(left - 7, y(value) + 4, said, class_="t3 num", anchor="end"))
        body.append(write(x(value), floor + 17, said, class_="t3 num", anchor="middle"))
    body.append(line(x(start), y(start), x(1.0), y(1.0), "mark"))
    body += [line(left, floor, left + side, floor, "axis"), line(left, crown, left, floor, "axis")]
    for one in series:
        body += [_bin(held, x, y, quiet=one.quiet) for held in one.bins]
    body.append(write(left + side / 2, floor + 35, "confidence", class_="t3", anchor="middle"))
    body.append(write(2, crown - 10, "right", class_="t3"))
    said = desc or ". ".join(f"{one.label}: {'; '.join(map(_said, one.bins))}" for one in series)
    return chart(body, width=width, height=floor + 42, title=title, desc=said, key=key)


@dataclass(frozen=True, kw_only=True)
class _Sign:
    """An entry of the legend: a mark, or the dashed line where it has no shape."""

    label: str
    tone: str
    shape: str = ""


def _legend(signs: Sequence[_Sign], *, left: float, width: float) -> tuple[list[str], float]:
    """The signs in one line, or in as many as it takes, and the height of these."""
    body, at, y = [], left, 10.0
    for one in signs:
        room = 17 + width_of(one.label) + 18
        if at > left and at + room > width:
            at, y = left, y + 19
        if one.shape:
            body.append(symbol(at + 6, y, shape=one.shape, tone=one.tone, size=5.0))
        else:
            body.append(line(at, y, at + 13, y, "mark"))
        body.append(write(at + 18, y + 4, one.label, class_="t2"))
        at += room
    return body, y + 12


def _bin(one: Held, x: Scale, y: Scale, *, quiet: bool) -> str:
    tone, at = _tone(quiet), number(x(one.confidence))
    return tag(
        "g",
        tooltip(_said(one)),
        path(f"M{at} {number(y(one.low))}V{number(y(one.high))}", f"{'cap' if quiet else 'whisker'} line-{tone}"),
        symbol(x(one.confidence), y(one.right), shape="ring" if quiet else "dot", tone=tone, size=5.0),
    )


def _tone(quiet: bool) -> str:
    return "open" if quiet else "champion"


def _said(one: Held) -> str:
    right = f"{figures.percent(one.right)} {figures.bounds(one.low, one.high)}"
    return f"{figures.count(one.rows)} rows at {figures.percent(one.confidence)}: right {right}"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a threshold lets out: the share of the rows, and the share of these that is wrong with its interval."""

    threshold: float
    answered: float
    error: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Named:
    """A threshold that is pointed at."""

    at: Kept
    label: str
    shape: str
    tone: str


def selection(
    points: Sequence[Kept],
    *,
    named: Sequence[Named],
    wanted: float | None,
    title: str,
    key: str,
    desc: str = "",
    width: float = WIDE,
) -> str:
    """Errors among what is answered over the share that is answered, with its band; a dashed line at the promised rate."""
    top = 1.2 * max([one.error for one in points] + [one.at.error for one in named] + [wanted or 0.0, 0.005])
    marks = ticks(0.0, top, most=5)
    shown = [f"{said} %" for said in percent_ticks(marks)]
    left, right = max(30.0, *(width_of(mark) for mark in shown)) + 12, width - 22
    signs = [_Sign(label=one.label, tone=one.tone, shape=one.shape) for one in named]
    signs += [] if wanted is None else [_Sign(label=f"promised {figures.percent(wanted)}", tone="")]
    legend, crown = _legend(signs, left=2, width=width)
    crown += 22
    floor = crown + TALL
    x, y = Scale(0.0, 1.0, left, right), Scale(0.0, top, floor, crown)
    body = [*legend, *([_band(points, x, y)] if len(points) > 1 else [])]
    for value, said in zip(marks, shown, strict=True):
        body.append(line(left, y(value), right, y(value), "grid"))
        body.append(write(left - 7, y(value) + 4, said, class_="t3 num", anchor="end"))
    body.append(line(left, floor, right, floor, "axis"))
    for value in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        body.append(line(x(value), floor, x(value), floor + 4, "axis"))
        body.append(write(x(value), floor + 17, f"{100 * value:.0f} %", class_="t3 num", anchor="middle"))
    if wanted is not None:
        body.append(line(left, y(wanted), right, y(wanted), "mark"))
    d = "M" + "L".join(f"{number(x(one.answered))} {number(y(one.error))}" for one in points)
    body += [path(d, "curve line-champion")] if len(points) > 1 else []
    for one in reversed(named):  # the first lies on top
        mark = symbol(x(one.at.answered), y(one.at.error), shape=one.shape, tone=one.tone, size=6.0)
        body.append(tag("g", tooltip(_told(one.at)), mark))
    body.append(
        write((left + right) / 2, floor + 36, "share of the rows that is answered", class_="t3", anchor="middle")
    )
    body.append(write(2, crown - 10, "wrong among the answered", class_="t3"))
    said = desc or "; ".join(map(_told, points[:: max(1, len(points) // 10)]))
    return chart(body, width=width, height=floor + 43, title=title, desc=said, key=key)


def _band(points: Sequence[Kept], x: Scale, y: Scale) -> str:
    """The exact interval of the error at each threshold; what lies above the picture is cut."""
    up = [f"{number(x(one.answered))} {number(y(one.high))}" for one in points]
    down = [f"{number(x(one.answered))} {number(y(one.low))}" for one in reversed(points)]
    return path(f"M{'L'.join([*up, *down])}z", "strip")


def _told(one: Kept) -> str:
    error = f"{figures.percent(one.error, digits=2)} {figures.bounds(one.low, one.high)}"
    return f"from {one.threshold:.4g} on: {figures.percent(one.answered)} answered, of these wrong {error}"
