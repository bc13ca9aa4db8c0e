"""Trials of settings: the best score so far over the trials, and the scores over the values of one key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from ratchet.charts import figures
from ratchet.charts.charts import WIDE, symbol
from ratchet.charts.svg import Scale, chart, line, number, path, tag, ticks, tooltip, width_of, write
from ratchet.metrics.metrics import named

HALF = 370.0
"""Two slices stand side by side."""
LOWEST = 0.1
"""Share of the scores below which a score is drawn at the lower edge: a few bad trials would flatten all others."""

FEW = 8
"""Of so few whole numbers the trials are drawn beside each other."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One trial as it is drawn."""

    number: int
    score: float | None
    """``None``: it failed."""
    state: Literal["complete", "pruned", "failed", "left"]
    best: bool = False
    """Whether it is the best of its study."""
    value: float | str | None = None
    """Of the key of a slice; a text is one of several choices."""


def history(
    studies: Sequence[Sequence[Shot]], *, metric: str, title: str, key: str, desc: str = "", width: float = WIDE
) -> str:
    """Every trial, and the best complete score so far: of each study, and the median of them where there are several."""
    y, body = _scores([shot for shots in studies for shot in shots], metric, width)
    last = max((shot.number for shots in studies for shot in shots), default=0)
    label = "median" if len(studies) > 1 else "best so far"
    x = Scale(0, max(last, 1), y.left + 10, width - width_of(label) - 16)
    body += [_dot(shot, x(shot.number), y) for shots in studies for shot in shots]
    courses = [_best_so_far(shots, last) for shots in studies]
    if len(courses) > 1:
        body += [path(_steps(course, x, y.scale), "course") for course in courses]
    known = [[course[at] for course in courses] for at in range(last + 1)]
    middle = [median(own) if (own := [one for one in row if one is not None]) else None for row in known]
    body.append(path(_steps(middle, x, y.scale), "step"))
    if middle and middle[-1] is not None:
        body.append(write(x(last) + 9, y.scale(middle[-1]) + 4, label, class_="t-champion strong halo"))
    for at in ticks(0, last, most=8 if width > 500 else 4) if last else [0]:
        if at == int(at):
            body.append(write(x(at), y.floor + 17, figures.count(at), class_="t3 num", anchor="middle"))
    body.append(write((y.left + width) / 2, y.floor + 35, "trial", class_="t3", anchor="middle"))
    ends = [course[-1] for course in courses if course and course[-1] is not None]
    said = desc or f"Best so far at the end: {', '.join(figures.value(end, metric) for end in ends)}"
    return chart(body, width=width, height=y.floor + 42, title=title, desc=said, key=key)


def piece(
    shots: Sequence[Shot],
    *,
    name: str,
    metric: str,
    log: bool,
    title: str,
    key: str,
    desc: str = "",
    width: float = HALF,
) -> str:
    """The scores of all trials over the values of one key; ◆ is the best of a study."""
    y, body = _scores(shots, metric, width)
    words = sorted({shot.value for shot in shots if isinstance(shot.value, str)})
    numbers = [float(shot.value) for shot in shots if isinstance(shot.value, int | float)]
    if words:
        each = (width - 8 - y.left) / len(words)
        places = {word: y.left + (place + 0.5) * each for place, word in enumerate(words)}
        for word, at in places.items():
            body.append(write(at, y.floor + 17, word, class_="t3", anchor="middle", room=each - 4))
        at_of = {id(s): places[s.value] + _aside(s.number) * each / 3 for s in shots if isinstance(s.value, str)}
    else:
        low, high = min(numbers, default=0.0), max(numbers, default=1.0)
        x = Scale(_scaled(low, log), _scaled(high, log), y.left + 16, width - 20)
        whole = all(value == int(value) for value in numbers)
        for mark in (one for one in _marks(low, high, log) if not whole or one == int(one)):
            body.append(line(x(_scaled(mark, log)), y.floor, x(_scaled(mark, log)), y.floor + 4, "axis"))
            at = x(_scaled(mark, log))
            body.append(write(at, y.floor + 17, figures.short(float(f"{mark:.2g}")), class_="t3 num", anchor="middle"))
        wide = 10.0 if whole and len({*numbers}) <= FEW else 0.0
        at_of = {
            id(s): x(_scaled(float(s.value), log)) + wide * _aside(s.number)
            for s in shots
            if isinstance(s.value, int | float)
        }
    body += [_dot(shot, at_of[id(shot)], y) for shot in sorted(shots, key=lambda shot: shot.best) if id(shot) in at_of]
    body.append(write((y.left + width) / 2, y.floor + 35, name, class_="t3", anchor="middle", room=width - y.left))
    best = [shot for shot in shots if shot.best]
    said = desc or "Best: " + "; ".join(
        f"{_shown(shot.value)} with {figures.value(shot.score, metric)}" for shot in best
    )
    return chart(body, width=width, height=y.floor + 42, title=title, desc=said, key=key)


@dataclass(frozen=True, kw_only=True)
class _Heights:
    """The axis of the scores."""

    scale: Scale
    left: float
    floor: float
    metric: str


def _scores(shots: Sequence[Shot], metric: str, width: float) -> tuple[_Heights, list[str]]:
    """The axis of the scores and its grid."""
    known = sorted(shot.score for shot in shots if shot.score is not None and math.isfinite(shot.score))
    top = known[-1] if known else 1.0
    low = (
        min(known[int(LOWEST * len(known))], *(s.score for s in shots if s.best and s.score is not None), top)
        if known
        else 0.0
    )
    pad = (top - low) * 0.08 or abs(top) * 0.02 or 0.01
    crown, floor = 26.0, 206.0
    high = min(top + pad, 1.0) if named(metric)[0].unit == "points" else top + pad
    marks = ticks(low - pad, high, most=5)
    shown = figures.scale(marks, metric)
    left = max(30.0, *(width_of(mark) for mark in shown)) + 12
    scale = Scale(low - pad, high, floor, crown)
    unit = ", %" if named(metric)[0].unit == "points" else ""
    body = [write(2, 12, f"{figures.metric(metric)}{unit}", class_="t3")]
    for value, said in zip(marks, shown, strict=True):
        body.append(line(left, scale(value), width - 6, scale(value), "grid"))
        body.append(write(left - 7, scale(value) + 4, said, class_="t3 num", anchor="end"))
    body.append(line(left, floor, width - 6, floor, "axis"))
    return _Heights(scale=scale, left=left, floor=floor, metric=metric), body


def _dot(shot: Shot, x: float, y: _Heights) -> str:
    """A trial: a dot, a ring where it was pruned, a cross at the lower edge where it failed, ◆ for the best."""
    if shot.state == "left":
        return ""
    at = "" if shot.value is None else f" at {_shown(shot.value)}"
    tip = tooltip(f"trial {shot.number}{at}: {shot.state}, {figures.value(shot.score, y.metric)}")
    if shot.score is None:
        cross = f"M{number(x - 3)} {number(y.floor - 3)}l6 6m0 -6l-6 6"
        return tag("g", tip, path(cross, "cap line-loss"))
    up = y.scale(shot.score)
    if shot.best:
        return tag("g", tip, symbol(x, up, shape="diamond", tone="champion", size=5.0))
    if shot.state == "pruned":
        return tag("g", tip, symbol(x, up, shape="ring", tone="open", size=2.5))
    return tag("g", tip, path(f"M{number(x)} {number(up)}h0", "speck"))


def _best_so_far(shots: Sequence[Shot], last: int) -> list[float | None]:
    """The best complete score up to each trial."""
    found: list[float | None] = [None] * (last + 1)
    for shot in shots:
        if shot.state == "complete":
            found[shot.number] = shot.score
    best: float | None = None
    for at, score in enumerate(found):
        best = score if best is None else best if score is None else max(best, score)
        found[at] = best
    return found


def _steps(course: Sequence[float | None], x: Scale, y: Scale) -> str:
    """A line that goes up in steps."""
    parts: list[str] = []
    for at, score in enumerate(course):
        if score is not None:
            parts.append(
                f"M{number(x(at))} {number(y(score))}" if not parts else f"H{number(x(at))}V{number(y(score))}"
            )
    return "".join(parts) or "M0 0"


def _scaled(value: float, log: bool) -> float:
    return math.log10(max(value, 1e-300)) if log else value


def _marks(low: float, high: float, log: bool) -> list[float]:
    """Round numbers between two values."""
    if not log:
        return ticks(low, high, most=5)
    powers = range(math.floor(_scaled(low, True)), math.ceil(_scaled(high, True)) + 1)
    steps = (1, 2, 5) if _scaled(high, True) - _scaled(low, True) < 1.5 else (1,)
    found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
    return found[:: 1 + len(found) // 6] or [low, high]


def _aside(place: int) -> float:
    """Between -1 and 1 by the number of a trial, evenly: trials of one choice do not hide each other."""
    return 2 * ((place * 0.618034) % 1.0) - 1


def _shown(value: float | str | None) -> str:
    return value if isinstance(value, str) else "nothing" if value is None else f"{value:.3g}"
