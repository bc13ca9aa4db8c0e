"""Which chart each section shows: from the report's records to SVG, once for wide and once for narrow screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from markupsafe import Markup

from ratchet.charts import charts, figures
from ratchet.charts.charts import NARROW, WIDE, Bar, Dot, Gap, Line, Mark
from ratchet.charts.front import Place, front
from ratchet.charts.staircase import look, staircase, told
from ratchet.checks.facts import Lengths
from ratchet.gate.ledger import Challenge
from ratchet.metrics.metrics import Score
from ratchet.report.content import (
    Challenges,
    Compression,
    Count,
    Curve,
    Environment,
    Leak,
    Offer,
    SealedTest,
)
from ratchet.report.story import NOTICEABLE, overstated

HALF = 370.0
"""Two charts of this width stand side by side."""
FEW = 14
"""More classes than this are not all drawn as bars."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The same chart for a wide and for a narrow screen; the style sheet shows one of them."""

    wide: Markup
    narrow: Markup
    heading: str = ""


def both(key: str, draw: Callable[[str, float], str], *, wide: float = WIDE, heading: str = "") -> Picture:
    """Draw at both widths with ids that differ."""
    # The charts escape every text and attribute themselves.
    drawn = [Markup(draw(f"{key}-{form}", width)) for form, width in (("w", wide), ("n", NARROW))]  # noqa: S704
    return Picture(wide=drawn[0], narrow=drawn[1], heading=heading)


def class_bars(classes: tuple[Count, ...], *, key: str, title: str, rows: int | None = None) -> Picture:
    """Classes by size; of many only the largest and the smallest, and a line that says what lies between.

    Shares are of ``rows``, of which one may count for several classes; without them of the sum of the classes.
    """
    total = rows or sum(one.rows for one in classes) or 1
    ranked = sorted(classes, key=lambda one: -one.rows)

    def bar(one: Count) -> Bar:
        return Bar(
            label=one.name, value=one.rows, shown=f"{figures.count(one.rows)}  ({figures.percent(one.rows / total)})"
        )

    drawn = [bar(one) for one in ranked]
    if len(ranked) > FEW:
        between = ranked[8:-4]
        said = f"{len(between)} more classes with {figures.count(between[-1].rows)} to {figures.count(between[0].rows)} rows"
        drawn = [*drawn[:8], Bar(label=said, value=None), *drawn[-4:]]
    return both(key, partial(_bars, drawn, title))


def lengths(one: Lengths) -> Picture:
    """Histogram of text lengths with median and 95th percentile."""
    marks = [
        Mark(at=at, label=f"{said} {figures.count(at)}")
        for at, said in ((one.median, "median"), (one.p95, "95 % are shorter than"))
    ]
    return both(
        "lengths",
        lambda k, w: charts.histogram(
            one.edges, one.counts, above=one.above, unit=one.unit, marks=marks, title="Text lengths", key=k, width=w
        ),
    )


def leak(one: Leak, sealed: SealedTest | None, champion: str) -> Picture:
    """What the random split claims, on which rows it claims it, and what is true."""
    rows: list[Dot] = []

    def add(label: str, score: Score | None, note: str, tone: str) -> None:
        if score is not None:
            rows.append(Dot(label=label, value=score.value, low=score.low, high=score.high, note=note, tone=tone))

    clean_rows = one.test_rows - one.leaked_rows
    add("Random split, rows with a copy in train", one.leaked, f"{figures.count(one.leaked_rows)} rows", "loss")
    add("Random split, all rows", one.naive, f"{figures.count(one.test_rows)} rows", "loss")
    add("Random split, rows without a copy", one.clean, f"{figures.count(clean_rows)} rows", "open")
    add("Honest split", one.honest, _rows(one.honest.n if one.honest else None), "champion")
    if sealed and sealed.scores and sealed.scores[0].metric == one.naive.metric:
        add(f"Champion {champion}, sealed test", sealed.scores[0], _rows(sealed.scores[0].n), "champion")
    gap = overstated(one)
    names = [row.label for row in rows]
    brace = None
    if gap is not None and gap > NOTICEABLE:
        brace = Gap(
            start=names.index("Random split, all rows"),
            stop=names.index("Honest split"),
            label=f"overstated by {100 * gap:.1f} points",
        )
    title = "Scores of a naive random split beside the honest ones"
    return both("leak", lambda k, w: charts.dots(rows, gap=brace, title=title, key=k, width=w))


def _rows(n: int | None) -> str:
    return f"{figures.count(n)} rows" if n else ""


def leak_share(one: Leak) -> Picture:
    """A hundred squares for the rows of the naive test part."""
    share = one.leaked_rows / max(1, one.test_rows)
    title = f"{figures.percent(share)} of the naive test part has an exact copy in its train part"
    return both("waffle", lambda k, w: charts.waffle(share, title=title, key=k, width=w))


def stairs(one: Challenges) -> Picture:
    """The staircase of verdicts."""
    value, metric = one.baseline_score.value, one.baseline_score.metric
    return both("stairs", lambda k, w: staircase(one.baseline, value, one.verdicts, metric=metric, key=k, width=w))


def verdict_marks(one: Challenges) -> list[Markup]:
    """For each verdict its interval around zero, all of one metric on one scale."""
    ends: dict[str, list[float]] = {}
    for challenge in one.verdicts:
        found = challenge.verdict.findings[0]
        ends.setdefault(found.metric, []).append(max(abs(found.low), abs(found.high)))
    spans = {metric: min(max(reach), 4 * median(reach)) or 0.01 for metric, reach in ends.items()}
    return [_mark(index, v, spans[v.verdict.findings[0].metric]) for index, v in enumerate(one.verdicts)]


def _mark(index: int, one: Challenge, span: float) -> Markup:
    _, shape, tone = look(one.verdict.outcome, one.promoted)
    found, key = one.verdict.findings[0], f"verdict-{index}"
    drawn = charts.interval(
        found.estimate, found.low, found.high, span=span, tone=tone, shape=shape, key=key, title=told(one)
    )
    return Markup(drawn)  # noqa: S704


def curve(index: int, one: Curve) -> list[Picture]:
    """Losses, and the accuracy beside them, for one training."""
    xs = [epoch.epoch for epoch in one.epochs]
    losses = [
        Line(label="train", values=tuple(e.train_loss for e in one.epochs), tone="open", dashed=True),
        Line(label="valid", values=tuple(e.valid_loss for e in one.epochs)),
    ]
    accuracy = [Line(label="valid", values=tuple(e.accuracy for e in one.epochs))]
    made = []
    for name, series, percent in (("loss", losses, False), ("accuracy", accuracy, True)):
        known = [line for line in series if any(v is not None for v in line.values)]
        if known:
            title = f"{one.name}: {name} per epoch"
            draw = partial(_lines, known, xs, title, percent)
            made.append(both(f"curve-{index}-{name}", draw, wide=HALF, heading=name.capitalize()))
    return made


def _lines(series: list[Line], xs: list[int], title: str, percent: bool, key: str, width: float) -> str:
    return charts.lines(series, xs=xs, title=title, key=key, percent=percent, width=width)


def _bars(rows: list[Bar], title: str, key: str, width: float) -> str:
    return charts.bars(rows, title=title, key=key, width=width)


def compression(one: Compression) -> list[Picture]:
    """Size and latency of each form."""
    made = []
    sized = [Bar(label=f.name, value=f.bytes, shown=figures.size(f.bytes)) for f in one.forms]
    timed = [
        Bar(label=f.name, value=f.p50_ms, shown=figures.milliseconds(f.p50_ms), tone="equal")
        for f in one.forms
        if f.p50_ms is not None
    ]
    for key, rows, title in (("sizes", sized, "Size"), ("latency", timed, "Median latency of one text")):
        if rows:
            made.append(both(key, partial(_bars, rows, title), wide=HALF, heading=title))
    return made


def offers(some: Sequence[Offer]) -> tuple[Picture, ...]:
    """Quality over price and over latency, each where two contenders or more have such figures."""
    priced = [
        Place(name=one.name, score=one.score, takes=1000 * one.cost_per_row, champion=one.champion)
        for one in some
        if one.cost_per_row is not None
    ]
    timed = [
        Place(name=one.name, score=one.score, takes=one.p50_ms, upto=one.p95_ms, champion=one.champion)
        for one in some
        if one.p50_ms is not None and one.p50_ms > 0
    ]
    made = []
    for key, places, heading, axis in (
        ("price", priced if any(one.takes > 0 for one in priced) else [], "Price", "cost of 1,000 rows"),
        ("speed", timed, "Latency", "milliseconds a row: the median, and a line up to the 95th percentile"),
    ):
        if len(places) > 1:
            made.append(both(key, partial(_front, places, axis, f"Quality over {heading.lower()}"), heading=heading))
    return tuple(made)


def _front(places: Sequence[Place], axis: str, title: str, key: str, width: float) -> str:
    x_name = axis if width > 500 else axis.partition(":")[0]
    return front(places, metric=places[0].score.metric, x_name=x_name, title=title, key=key, width=width)


def stages(one: Environment) -> Picture | None:
    """Seconds of each stage."""
    rows = [
        Bar(
            label=s.name,
            value=s.seconds,
            shown=figures.seconds(s.seconds) + (f"  {s.status}" if s.status else ""),
            tone="open" if "skip" in s.status else "champion",
        )
        for s in one.stages
        if s.seconds is not None
    ]
    return both("stages", partial(_bars, rows, "Time of each stage")) if rows else None
