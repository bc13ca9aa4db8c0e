"""The heat map of a confusion matrix: readable cells for a few classes, a compact picture for many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import sqrt

from ratchet.charts import figures
from ratchet.charts.charts import WIDE
from ratchet.charts.svg import chart, number, tag, tooltip, width_of, write

Cell = tuple[int, int, int]
MOST = 200
"""More classes than this are not drawn: a cell would be smaller than a dot."""
NAMED = 20
"""Up to this many classes have their names at the axes."""


def heatmap(
    labels: Sequence[str], cells: Sequence[Cell], *, title: str, key: str, desc: str = "", width: float = WIDE
) -> str:
    """Rows are true classes, columns predictions; the shade is the root of the share of the row (so that rare mistakes show).

    ``cells`` are (row, column, count), zero cells left out. Right predictions are blue, wrong ones orange.
    """
    total: dict[int, int] = defaultdict(int)
    for row, _, rows in cells:
        total[row] += rows
    shares = [(row, column, rows, rows / total[row]) for row, column, rows in cells if total[row]]
    draw = _named if len(labels) <= NAMED else _compact
    body, height = draw(labels, shares, width)
    right = sum(rows for row, column, rows in cells if row == column)
    said = desc or f"{figures.count(right)} of {figures.count(sum(total.values()))} right, {len(labels)} classes."
    return chart(body, width=width, height=height, title=title, desc=said, key=key)


def _named(
    labels: Sequence[str], shares: Sequence[tuple[int, int, int, float]], width: float
) -> tuple[list[str], float]:
    count = len(labels)
    left = min(width * 0.3, max((width_of(label) for label in labels), default=0) + 14)
    room = 96.0 if width > 500 else 64.0
    longest = min(room, max((width_of(label) for label in labels), default=0))
    each = min((width - left - 4) / count, 120.0)
    flat = longest <= each - 4 or count <= 3
    if not flat:
        # Slanted names lean out over the last column.
        each = min((width - left - 0.72 * longest) / (count - 0.5), 120.0)
    tall = each if count > 4 else min(each, 64.0)
    crown = 42.0 if flat else longest * 0.72 + 34
    body = [
        write(left, 12, "predicted →", class_="t3"),
        write(left - 8, crown - 8, "true ↓", class_="t3", anchor="end"),
    ]
    for index, label in enumerate(labels):
        x, y = left + (index + 0.5) * each, crown + (index + 0.5) * tall
        body.append(write(left - 8, y + 4, label, class_="t1", anchor="end", room=left - 10))
        if flat:
            body.append(write(x, crown - 8, label, class_="t1", anchor="middle", room=each - 4))
        else:
            turned = write(0, 0, label, class_="t1", room=room)
            body.append(tag("g", turned, transform=f"translate({number(x)} {number(crown - 8)}) rotate(-45)"))
    for row in range(count):
        for column in range(count):
            body.append(_square(left + column * each, crown + row * tall, each, tall, "heat-none", 1))
    for share in shares:
        body.append(_cell(labels, share, x=left + share[1] * each, y=crown + share[0] * tall, each=each, tall=tall))
    return body, crown + count * tall + 4


def _cell(
    labels: Sequence[str], cell: tuple[int, int, int, float], *, x: float, y: float, each: float, tall: float
) -> str:
    """A cell with its count and, where there is room, its share of the row."""
    row, column, rows, share = cell
    said = f"{labels[row]} → {labels[column]}: {figures.count(rows)} ({figures.percent(share)})"
    kind = "heat-right" if row == column else "heat-wrong"
    parts = [tooltip(said), _square(x, y, each, tall, kind, sqrt(share))]
    middle, base = x + each / 2, y + tall / 2
    if each > 30:
        lift = 0 if tall < 46 or each < 46 else 7
        parts.append(write(middle, base + 4 - lift, figures.count(rows), class_="t1 num strong", anchor="middle"))
        if lift:
            parts.append(write(middle, base + 14, figures.percent(share), class_="t1 num", anchor="middle"))
    return tag("g", *parts)


def _square(x: float, y: float, wide: float, tall: float, class_: str, opacity: float) -> str:
    gap = 2.0 if wide > 24 else 1.0
    shade: dict[str, str | float] = {} if opacity >= 1 else {"fill_opacity": f"{opacity:.2f}"}
    return tag("rect", x=x, y=y, width=wide - gap, height=tall - gap, rx=min(3.0, wide / 8), class_=class_, **shade)


def _compact(
    labels: Sequence[str], shares: Sequence[tuple[int, int, int, float]], width: float
) -> tuple[list[str], float]:
    """One path for each shade: 77 classes stay under twenty kilobytes; the commonest mistakes keep a tooltip."""
    count, crown = len(labels), 20.0
    each = min(width, 560.0) / count
    side = each * count
    body = [
        write(0, 12, "true ↓   predicted →", class_="t3"),
        tag("rect", x=0, y=crown, width=side, height=side, class_="heat-none"),
    ]
    shades: dict[tuple[str, int], list[str]] = defaultdict(list)
    size = max(each - (0.5 if each > 4 else 0), 0.8)
    for row, column, _, share in shares:
        kind = "fill-champion" if row == column else "fill-loss"
        x, y = column * each, crown + row * each
        shades[kind, max(1, round(8 * sqrt(share)))].append(f"M{x:.1f} {y:.1f}h{size:.1f}v{size:.1f}h-{size:.1f}z")
    for (kind, shade), squares in sorted(shades.items()):
        body.append(tag("path", d="".join(squares), class_=kind, fill_opacity=f"{0.2 + shade / 10:.2f}"))
    wrong = sorted((s for s in shares if s[0] != s[1]), key=lambda s: (-s[2], s[0], s[1]))
    for row, column, rows, share in wrong[:60]:
        said = f"{labels[row]} → {labels[column]}: {figures.count(rows)} ({figures.percent(share)})"
        x, y = column * each, crown + row * each
        body.append(tag("rect", tooltip(said), x=x, y=y, width=each, height=each, class_="hover"))
    return body, crown + side + 4
