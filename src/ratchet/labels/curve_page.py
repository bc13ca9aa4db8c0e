"""The page and the lines of a learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import ratchet
from ratchet.charts import charts, figures
from ratchet.charts.charts import Line
from ratchet.labels.forecast import Forecast, Measured
from ratchet.metrics.metrics import named
from ratchet.report.content import Tile
from ratchet.report.frame import render_page
from ratchet.report.pictures import Picture, both

AHEAD = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Times the rows that there are at which the forecast is drawn."""
PLOT = 40
"""Characters of the longest bar in the terminal."""


def lines(found: Forecast) -> list[str]:
    """What people read in a terminal: the scores by rows, each with a bar, and what more rows would bring."""
    said = [*found.notes]
    for one in found.measured:
        said += ["", f"{one.name}: {found.metric} by rows ({found.draws} draws)"]
        said += _plot(one, found)
        said += [f"  {found.told(gain)}" for gain in one.gains]
    return said


def _plot(one: Measured, found: Forecast) -> list[str]:
    """A bar for each size; the shortest stands for the lowest score."""
    mean = one.curve.mean
    low, high = float(mean.min()), float(mean.max())
    bars = [4 + round((PLOT - 4) * (value - low) / ((high - low) or 1.0)) for value in mean.tolist()]
    return [
        f"  {size:>9,}  {found.shown(value):>8}  {'#' * bar}"
        for size, value, bar in zip(one.curve.sizes.tolist(), mean.tolist(), bars, strict=True)
    ]


def render_curve(found: Forecast) -> str:
    """The whole page as one string; every text is escaped."""
    return render_page(
        "curve.html",
        shown={
            "name": found.source,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": ratchet.__version__,
            "found": found,
            "story": story(found),
            "tiles": _tiles(found),
            "curves": [
                (one, _picture(one, found, index), _rows(one, found)) for index, one in enumerate(found.measured)
            ],
        },
    )


def story(found: Forecast) -> str:
    """What matters most, in a sentence: what the fewest asked rows would bring by the first procedure."""
    return f"{found.told(found.measured[0].gains[0])}."


def _tiles(found: Forecast) -> Sequence[Tile]:
    first = found.measured[0].curve
    return (
        Tile(
            label="Labelled rows",
            value=figures.count(found.now),
            note="train and valid; the sealed test is not touched",
        ),
        Tile(
            label=f"{found.metric} now",
            value=found.shown(float(first.mean[-1])),
            note=f"trained on {figures.count(int(first.sizes[-1]))} of them",
        ),
        Tile(label="Draws", value=figures.count(found.draws), note=f"in {found.seconds:,.0f} s"),
    )


def _rows(one: Measured, found: Forecast) -> list[tuple[str, str, str, str]]:
    """A line of the table for each size: rows, share, mean score, and the range over the draws."""
    draws, sign = one.curve.scores.mean(axis=1), named(found.metric)[0].sign
    ends = [
        sorted((low, high), key=lambda value: sign * value)
        for low, high in zip(draws.min(axis=0), draws.max(axis=0), strict=True)
    ]
    return [
        (figures.count(size), f"{fraction:.0%}", found.shown(float(mean)), f"{found.shown(low)} to {found.shown(high)}")
        for size, fraction, mean, (low, high) in zip(
            one.curve.sizes.tolist(), found.fractions, one.curve.mean, ends, strict=True
        )
    ]


def _picture(one: Measured, found: Forecast, index: int) -> Picture:
    sizes = one.curve.sizes.tolist()
    ahead = sorted({round(times * found.now) for times in AHEAD} - {sizes[-1]})
    levels = [one.extrapolation.level_at(rows) for rows in (sizes[-1], *ahead)]
    sign = named(found.metric)[0].sign
    before: tuple[float | None, ...] = (None,) * (len(sizes) - 1)

    def forecast(which: int) -> tuple[float | None, ...]:
        return (*before, *(sign * level[which] for level in levels))

    after: tuple[float | None, ...] = (None,) * len(ahead)
    series = (
        Line(label="measured", values=(*(sign * float(value) for value in one.curve.mean), *after)),
        Line(label="forecast", values=forecast(0), tone="equal", dashed=True),
        Line(label="97.5 %", values=forecast(2), tone="open", dashed=True),
        Line(label="2.5 %", values=forecast(1), tone="open", dashed=True),
    )
    percent = named(found.metric)[0].unit == "points"
    draw = partial(_drawn, series, (*sizes, *ahead), found.metric, percent)
    return both(f"curve-{index}", draw)


def _drawn(series: Sequence[Line], xs: Sequence[int], title: str, percent: bool, key: str, width: float) -> str:
    return charts.lines(series, xs=xs, title=title, key=key, percent=percent, width=width, across="training rows")
