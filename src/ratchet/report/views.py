"""Views of a task's answers as the page shows them: for each type of view its macro and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ratchet.charts import charts, figures
from ratchet.charts.charts import Bar, Mark
from ratchet.charts.forest import Branch, Twig, forest
from ratchet.charts.heatmap import MOST, heatmap
from ratchet.charts.scatter import Box, Cell, boxes, scatter
from ratchet.charts.sureness import Held, Kept, Named, Series, reliability, selection
from ratchet.gate.selective import Point
from ratchet.models.calibration import Bin
from ratchet.report.classes import Pair, confused, per_class
from ratchet.report.content import ReportData
from ratchet.report.pictures import HALF, Picture, both
from ratchet.report.robustness import Robustness
from ratchet.report.slices import Slices
from ratchet.tasks.sureness import Reliability, Selection
from ratchet.tasks.views import (
    GRID,
    THOUSAND,
    AnswerLengths,
    Confusion,
    Examples,
    LabelRow,
    LabelTable,
    Residuals,
    RowScores,
    Scatter,
    View,
)

CLASS_ROWS = 200
"""Classes listed in the per-class table; the worst ones come first when there are more."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A view with its pictures, and the macro of ``views.html`` that shows them."""

    macro: str
    view: View
    pictures: tuple[Picture, ...] = ()
    rows: tuple[LabelRow, ...] = ()
    """Of a confusion matrix: its classes."""
    pairs: tuple[Pair, ...] = ()


def drawn(views: tuple[View, ...]) -> tuple[Drawn, ...]:
    """The views of a report in their order; errors by tenths have the band of the scatter before them."""
    band = next((view.half_width for view in views if isinstance(view, Scatter)), None)
    return tuple(_drawn(view, key=f"view-{index}", band=band) for index, view in enumerate(views))


def slices_picture(slices: Slices) -> Picture:
    """The mean score of each slice with its interval, around that of all rows."""
    branches = [
        Branch(
            heading=f"by {group.by}",
            twigs=tuple(
                Twig(label=f"{one.name}  ({figures.count(one.rows)})", score=one.mean, worse=one.worse)
                for one in group.slices
            ),
        )
        for group in slices.groups
    ]
    draw = partial(forest, branches, whole=slices.whole, title="Scores of the slices")
    return both("slices", lambda k, w: draw(key=k, width=w))


def robustness_picture(found: Robustness) -> Picture:
    """The share of answers that each kind of noise changes, with its interval."""
    rows = [
        Bar(
            label=one.about,
            value=one.changed.value,
            shown=f"{figures.percent(one.changed.value)} {figures.bounds(one.changed.low, one.changed.high)}",
            ends=(one.changed.low, one.changed.high),
        )
        for one in found.kinds
    ]
    return both("noise", lambda k, w: charts.bars(rows, title="Answers that change with noise", key=k, width=w))


def without_certainty(report: ReportData) -> bool:
    """Whether the worst answers are not the surest ones: no mistake has a probability, and no class was chosen."""
    if report.mistakes:
        return all(mistake.probability is None for mistake in report.mistakes)
    return report.answered is not None and not any(isinstance(view, Confusion) for view in report.answered.views)


def _drawn(view: View, *, key: str, band: float | None) -> Drawn:
    match view:
        case Confusion():
            return _confusion(view, key=key)
        case LabelTable():
            return Drawn(macro="labels", view=view)
        case Scatter():
            return Drawn(macro="scatter", view=view, pictures=(_scatter(view, key=key),))
        case Residuals():
            pictures = (_residuals(view, key=key, band=band),) if view.tenths else ()
            return Drawn(macro="residuals", view=view, pictures=pictures)
        case RowScores():
            return Drawn(macro="scores", view=view)
        case Examples():
            return Drawn(macro="examples", view=view)
        case AnswerLengths():
            return Drawn(macro="lengths", view=view, pictures=_lengths(view, key=key))
        case Reliability():
            return Drawn(macro="reliability", view=view, pictures=(_reliability(view, key=key),) if view.before else ())
        case Selection():
            return Drawn(macro="selection", view=view, pictures=(_selection(view, key=key),) if view.points else ())


def _confusion(view: Confusion, *, key: str) -> Drawn:
    """The heat map, unless there are too many classes for a picture; the pairs mixed up most; a row for each class."""
    rows = per_class(view)
    if len(rows) > CLASS_ROWS:
        ranked = sorted(rows, key=lambda row: (row.f1.value if row.f1 is not None else 2.0, row.label))
        rows = tuple(ranked[:CLASS_ROWS])
    pictures: tuple[Picture, ...] = ()
    if view.cells and len(view.labels) <= MOST:
        title = "Confusion matrix"
        pictures = (both(key, lambda k, w: heatmap(view.labels, view.cells, title=title, key=k, width=w)),)
    return Drawn(macro="confusion", view=view, pictures=pictures, rows=rows, pairs=confused(view))


def _scatter(view: Scatter, *, key: str) -> Picture:
    points = [(x / THOUSAND, y / THOUSAND) for x, y in view.points]
    cells = [Cell(x=x / GRID, y=y / GRID, side=1 / GRID, rows=rows) for x, y, rows in view.cells]
    draw = partial(scatter, points, ends=(view.low, view.high), cells=cells, band=view.half_width)
    said = f"{figures.count(view.rows)} rows between {view.low:.4g} and {view.high:.4g}, {view.outside} beyond."
    return both(key, lambda k, w: draw(title="True over predicted values", desc=said, key=k, width=w))


def _residuals(view: Residuals, *, key: str, band: float | None) -> Picture:
    groups = [
        Box(
            low=one.low,
            at=one.middle,
            high=one.high,
            rows=one.rows,
            ends=(one.p10, one.p90),
            middle=(one.p25, one.p75),
            median=one.p50,
        )
        for one in view.tenths
    ]
    draw = partial(boxes, groups, x_name="predicted, in tenths of the rows", y_name="true minus predicted", band=band)
    return both(key, lambda k, w: draw(title="Errors by the size of the prediction", key=k, width=w))


def _reliability(view: Reliability, *, key: str) -> Picture:
    def held(bins: Sequence[Bin]) -> list[Held]:
        return [Held(confidence=b.confidence, right=b.right, low=b.low, high=b.high, rows=b.rows) for b in bins]

    series = [Series(label="as the model says", bins=held(view.before), quiet=bool(view.after))]
    if view.after:
        series.append(Series(label=f"as served (T = {view.temperature:.3g})", bins=held(view.after)))
    draw = partial(reliability, series)
    return both(key, lambda k, w: draw(title="Right answers over confidence", key=k, width=w))


def _selection(view: Selection, *, key: str) -> Picture:
    points = [one for point in view.points if (one := _kept(point)) is not None]
    named = []
    if view.chosen is not None and (at := _kept(view.chosen)) is not None:
        named.append(Named(at=at, label=f"chosen: from {at.threshold:.4g}", shape="diamond", tone="champion"))
    if (at := _kept(view.naive)) is not None:
        named.append(Named(at=at, label=f"usual: from {at.threshold:g}", shape="ring", tone="loss"))
    draw = partial(selection, points, named=named, wanted=view.wanted)
    return both(key, lambda k, w: draw(title="Errors over the share that is answered", key=k, width=w))


def _kept(point: Point) -> Kept | None:
    error = point.error
    if error is None:
        return None
    return Kept(
        threshold=point.threshold, answered=point.answered.value, error=error.value, low=error.low, high=error.high
    )


def _lengths(view: AnswerLengths, *, key: str) -> tuple[Picture, ...]:
    sides = (
        ("right", "Right answers", view.right, view.right_above, view.right_median),
        ("given", "Given answers", view.given, view.given_above, view.given_median),
    )
    made = []
    for name, heading, counts, above, middle in sides:
        marks = [Mark(at=min(middle, view.edges[-1]), label=f"median {figures.count(middle)}")]
        draw = partial(charts.histogram, view.edges, counts, above=above, unit="characters", marks=marks)
        title = f"{heading}: lengths"
        made.append(both(f"{key}-{name}", partial(_titled, draw, title), wide=HALF, heading=heading))
    return tuple(made)


def _titled(draw: partial[str], title: str, key: str, width: float) -> str:
    return draw(title=title, key=key, width=width)
