"""Charts that lay the old beside the new: bars in pairs, histograms over each other, and shares that moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.charts import figures
from ratchet.charts.charts import WIDE
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

OLD, NEW = "open", "champion"
"""Tones of the two sides."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """A share (0 to 1) before and after; a share of ``None`` makes a line of text."""

    label: str
    old: float | None
    new: float = 0.0


def legend(names: tuple[str, str], *, width: float, y: float = 12.0) -> list[str]:
    """The two sides by name, each with its colour; long names are cut to half of the width."""
    body: list[str] = []
    x = 0.0
    for name, tone in zip(names, (OLD, NEW), strict=True):
        room = width / 2 - 24
        body.append(tag("rect", x=x, y=y - 9, width=10, height=10, rx=2, class_=f"fill-{tone}"))
        body.append(write(x + 15, y, name, class_="t2", room=room))
        x += min(width_of(name), room) + 36
    return body


def pairs(
    rows: Sequence[Move], *, names: tuple[str, str], title: str, key: str, desc: str = "", width: float = WIDE
) -> str:
    """Two bars a row, the old above the new, with both shares at their ends."""
    step, thick, crown = 44.0, 13.0, 26.0
    labels = min(width * 0.36, max((width_of(row.label) for row in rows if row.old is not None), default=0) + 16)
    top = max((max(row.old, row.new) for row in rows if row.old is not None), default=0.0)
    scale = Scale(0, top or 1, 0, max(20.0, width - labels - 62))
    body = legend(names, width=width)
    y = crown
    for row in rows:
        if row.old is None:
            body.append(write(labels, y + 16, row.label, class_="t3", room=width - labels))
            y += 28
            continue
        body.append(write(labels - 10, y + thick + 5, row.label, class_="t1", anchor="end", room=labels - 11))
        for value, tone, at in ((row.old, OLD, y), (row.new, NEW, y + thick + 2)):
            long = max(scale(value), 1.5) if value > 0 else 0.0
            body.append(tag("rect", x=labels, y=at, width=long, height=thick, rx=2, class_=f"fill-{tone}"))
            shown = figures.percent(value)
            body.append(write(labels + long + 7, at + thick - 2.5, shown, class_="t2 num" if tone == OLD else "t1 num"))
        y += step
    return chart(body, width=width, height=y, title=title, desc=desc or _said(rows), key=key)


def overlaid(
    edges: Sequence[float],
    old: Sequence[int],
    new: Sequence[int],
    *,
    names: tuple[str, str],
    unit: str,
    title: str,
    key: str,
    width: float = WIDE,
) -> str:
    """Two histograms over the same bins as shares of their rows: the old as bars, the new as steps over them."""
    height, left, right, bottom, crown = 240.0, 46.0, 6.0, 40.0, 40.0
    floor = height - bottom
    shares = [[count / max(sum(side), 1) for count in side] for side in (old, new)]
    y = Scale(0, max([*shares[0], *shares[1], 0.01]) * 1.05, floor, crown)
    x = Scale(edges[0], edges[-1], left, width - right)
    body = legend(names, width=width)
    marks = ticks(0, y.hi, most=3)[1:]
    for value, shown in zip(marks, percent_ticks(marks), strict=True):
        body.append(line(left, y(value), width - right, y(value), "grid"))
        body.append(write(left - 7, y(value) + 4, f"{shown} %", class_="t3 num", anchor="end"))
    body.append(line(left, floor, width - right, floor, "axis"))
    body += _bars_and_steps(edges, shares[0], shares[1], x=x, y=y, unit=unit)
    for value in ticks(edges[0], edges[-1], most=8 if width > 500 else 4):
        body.append(line(x(value), floor, x(value), floor + 4, "axis"))
        body.append(write(x(value), floor + 17, figures.count(value), class_="t3 num", anchor="middle"))
    body.append(write(left, floor + 32, unit, class_="t3", room=width - left - right))
    desc = f"{names[0]}: {figures.count(sum(old))} rows; {names[1]}: {figures.count(sum(new))} rows."
    return chart(body, width=width, height=height, title=title, desc=desc, key=key)


def _bars_and_steps(
    edges: Sequence[float], old: Sequence[float], new: Sequence[float], *, x: Scale, y: Scale, unit: str
) -> list[str]:
    """A bar for each bin's old share, and one line through the new shares."""
    body, floor = [], y(0)
    steps = f"M{number(x(edges[0]))} {number(floor)}"
    for place, (before, after) in enumerate(zip(old, new, strict=True)):
        start, end = x(edges[place]), x(edges[place + 1])
        tip = (
            f"{edges[place]:g} to {edges[place + 1]:g} {unit}: {figures.percent(before)}, then {figures.percent(after)}"
        )
        shape = {"x": start + 0.5, "width": max(end - start - 1, 0.5), "y": y(before), "height": floor - y(before)}
        body.append(tag("rect", tooltip(tip), **shape, class_=f"fill-{OLD}"))
        steps += f"V{number(y(after))}H{number(end)}"
    return [*body, path(f"{steps}V{number(floor)}", f"curve line-{NEW}")]


def moves(
    rows: Sequence[Move], *, names: tuple[str, str], title: str, key: str, desc: str = "", width: float = WIDE
) -> str:
    """One line per row, from the old share (a ring) to the new one (a dot)."""
    step, crown = 27.0, 34.0
    shown = [row for row in rows if row.old is not None]
    labels = min(width * 0.3, max((width_of(row.label) for row in shown), default=0) + 16)
    top = max((max(row.old or 0.0, row.new) for row in shown), default=0.0)
    x = Scale(0, top or 1, labels + 8, width - 58)
    floor = crown + step * len(shown)
    body = legend(names, width=width)
    marks = ticks(0, x.hi, most=6 if width > 500 else 3)
    for value, said in zip(marks, percent_ticks(marks), strict=True):
        body.append(line(x(value), crown - 6, x(value), floor, "grid"))
        body.append(write(x(value), floor + 16, f"{said} %", class_="t3 num", anchor="middle"))
    for place, row in enumerate(shown):
        at, before, after = crown + step * place + step / 2, x(row.old or 0.0), x(row.new)
        tone = NEW if row.new >= (row.old or 0.0) else "loss"
        body.append(write(labels - 8, at + 4, row.label, class_="t1", anchor="end", room=labels - 10))
        body.append(path(f"M{number(before)} {number(at)}H{number(after)}", f"whisker line-{tone}"))
        body.append(tag("circle", cx=before, cy=at, r=4.5, class_=f"fill-paper edge-{OLD}"))
        body.append(tag("circle", cx=after, cy=at, r=5, class_=f"fill-{tone}"))
        end = max(before, after) + 9
        body.append(write(end, at + 4, figures.percent(row.new), class_="t2 num halo"))
    return chart(body, width=width, height=floor + 24, title=title, desc=desc or _said(shown), key=key)


def _said(rows: Sequence[Move]) -> str:
    parts = [
        f"{row.label}: {figures.percent(row.old)} to {figures.percent(row.new)}" for row in rows if row.old is not None
    ]
    return "; ".join(parts[:40])
