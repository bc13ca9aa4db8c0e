"""The map of missing cells: one strip per column, from the first row of the table to the last."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.charts import figures
from ratchet.charts.charts import WIDE
from ratchet.charts.svg import chart, line, number, tag, tooltip, width_of, write

MOST = 40
"""More columns than this are not drawn."""
_SHADES = 10


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A column: its missing share, and that in equal blocks of rows from the first to the last."""

    name: str
    share: float
    blocks: Sequence[float]


def missing_map(
    columns: Sequence[Strip], *, rows: int, title: str, key: str, desc: str = "", width: float = WIDE
) -> str:
    """One strip per column; the shade is the root of the missing share, so that a few missing cells show."""
    stacked = width < 500
    tail = 58.0
    left = 4.0 if stacked else min(width * 0.3, max((width_of(one.name) for one in columns), default=0) + 14)
    step, tall = (44.0, 18.0) if stacked else (26.0, 18.0)
    body: list[str] = []
    for place, one in enumerate(columns):
        y = place * step + (20 if stacked else 4)
        if stacked:
            body.append(write(left, y - 6, one.name, class_="t1", room=width - 8))
        else:
            body.append(write(left - 10, y + tall - 5, one.name, class_="t1", anchor="end", room=left - 12))
        body.append(_strip(one, x=left, y=y, wide=width - left - tail, tall=tall))
        body.append(write(width, y + tall - 5, figures.percent(one.share), class_="t2 num", anchor="end"))
    floor = len(columns) * step + 6
    right = width - tail
    body.append(line(left, floor, right, floor, "axis"))
    body.append(write(left, floor + 16, "row 1", class_="t3 num"))
    body.append(write(right, floor + 16, f"row {figures.count(rows)}", class_="t3 num", anchor="end"))
    said = desc or "; ".join(f"{one.name}: {figures.percent(one.share)} missing" for one in columns)
    return chart(body, width=width, height=floor + 22, title=title, desc=said, key=key)


def _strip(one: Strip, *, x: float, y: float, wide: float, tall: float) -> str:
    """One path for each shade: two hundred columns stay small."""
    each = wide / len(one.blocks)
    shades: dict[int, list[str]] = defaultdict(list)
    for block, share in enumerate(one.blocks):
        if share > 0:
            at, size = number(x + block * each), number(each)
            shades[math.ceil(_SHADES * math.sqrt(share))].append(f"M{at} {number(y)}h{size}v{number(tall)}h-{size}z")
    parts = [tooltip(f"{one.name}: {figures.percent(one.share)} missing")]
    parts.append(tag("rect", x=x, y=y, width=wide, height=tall, rx=2, class_="heat-none"))
    for shade, squares in sorted(shades.items()):
        opacity = f"{0.1 + 0.9 * shade / _SHADES:.2f}"
        parts.append(tag("path", d="".join(squares), class_="fill-loss", fill_opacity=opacity))
    return tag("g", *parts)
