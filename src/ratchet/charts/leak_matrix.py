"""The leak matrix: which rows of one part another part gives away."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from ratchet.charts import figures
from ratchet.charts.charts import WIDE
from ratchet.charts.svg import chart, tag, tooltip, width_of, write

Cell = tuple[int, int]


def leak_matrix(
    names: Sequence[str],
    rows: Sequence[int],
    cells: Sequence[Sequence[Cell]],
    *,
    title: str,
    key: str,
    desc: str = "",
    width: float = WIDE,
) -> str:
    """A square for each pair of parts: the rows of the column's part that the row's part gives away, and their share.

    ``cells[i][j]`` are (copies, further near-copies); the diagonal, copies within a part, is grey.
    """
    count = len(names)
    left = max(min(width * 0.3, max((width_of(name) for name in names), default=0) + 16), width_of("this part") + 14)
    each = min((width - left - 4) / count, 150.0)
    tall = min(max(each * 0.6, 44.0), 72.0)
    crown = 52.0
    body = [
        write(left, 12, "... gives away rows of", class_="t3"),
        write(left - 10, crown - 8, "this part", class_="t3", anchor="end"),
    ]
    for j, name in enumerate(names):
        middle = left + (j + 0.5) * each
        body.append(write(middle, crown - 22, name, class_="t1 strong", anchor="middle", room=each - 4))
        said = f"{figures.count(rows[j])} rows" if each > 84 else figures.count(rows[j])
        body.append(write(middle, crown - 8, said, class_="t3 num", anchor="middle"))
    told = []
    for i, name in enumerate(names):
        y = crown + i * tall
        body.append(write(left - 10, y + tall / 2 + 4, name, class_="t1", anchor="end", room=left - 12))
        for j, cell in enumerate(cells[i]):
            body.append(_square(names, rows, cell, at=(i, j), box=(left + j * each, y, each, tall)))
            if i != j:
                told.append(f"{name} gives away {figures.count(sum(cell))} rows of {names[j]}")
    return chart(body, width=width, height=crown + count * tall + 4, title=title, desc=desc or "; ".join(told), key=key)


def _square(
    names: Sequence[str],
    rows: Sequence[int],
    cell: Cell,
    *,
    at: tuple[int, int],
    box: tuple[float, float, float, float],
) -> str:
    """The square of row ``i`` and column ``j`` (``at``), in a ``box`` of x, y, width and height."""
    (i, j), (x, y, wide, tall) = at, box
    leaking = sum(cell)
    share = leaking / max(rows[j], 1)
    kinds = f"{figures.count(cell[0])} copies, {figures.count(cell[1])} near-copies"
    where = f"{names[i]} gives away rows of {names[j]}" if i != j else f"further copies within {names[j]}"
    parts = [
        tooltip(f"{where}: {kinds} ({figures.percent(share)})"),
        tag("rect", x=x, y=y, width=wide - 3, height=tall - 3, rx=4, class_="heat-none"),
    ]
    if leaking and i != j:
        shade = f"{0.15 + 0.85 * sqrt(share):.2f}"
        parts.append(
            tag("rect", x=x, y=y, width=wide - 3, height=tall - 3, rx=4, class_="heat-wrong", fill_opacity=shade)
        )
    middle, base = x + (wide - 3) / 2, y + tall / 2
    tone = "t1 num strong" if i != j else "t2 num"
    parts.append(write(middle, base - 1, figures.count(leaking), class_=tone, anchor="middle"))
    parts.append(
        write(middle, base + 14, figures.percent(share), class_="t1 num" if i != j else "t2 num", anchor="middle")
    )
    return tag("g", *parts)
