"""Which chart each section of a check's page shows: from facts and details to SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ratchet.charts import charts, figures
from ratchet.charts.charts import Bar
from ratchet.charts.leak_matrix import leak_matrix
from ratchet.charts.missing_map import MOST, Strip, missing_map
from ratchet.charts.plane import Shade, plane
from ratchet.check_report.check_details import Column
from ratchet.check_report.clusters import Cluster, Clusters
from ratchet.check_report.leak_rows import LeakMatrix
from ratchet.checks import Facts, NaiveSplit
from ratchet.checks.context import counted
from ratchet.checks.diversity import Diversity
from ratchet.report import pictures
from ratchet.report.content import Count, Leak
from ratchet.report.pictures import HALF, Picture, both

UNITS = {"word": "words", "pair": "pairs of characters"}
_FEW = 20
"""On fewer rows than this a score says nothing, and its interval would fill the picture."""
_BUCKETS = ((2, 2), (3, 3), (4, 4), (5, 9), (10, 49), (50, 499), (500, None))


def missing(facts: Facts, columns: Sequence[Column]) -> Picture | None:
    """The map of missing cells, the columns with the most first; nothing where no cell is missing."""
    lacking = sorted((one for one in columns if one.name in facts.missing), key=lambda one: -one.missing)[:MOST]
    if not lacking:
        return None
    strips = [Strip(name=one.name, share=one.missing / facts.rows, blocks=facts.missing[one.name]) for one in lacking]
    return both("missing", lambda k, w: missing_map(strips, rows=facts.rows, title="Missing cells", key=k, width=w))


def classes(facts: Facts) -> Picture | None:
    """Rows of each label."""
    if not facts.classes:
        return None
    counts = tuple(Count(name=one.name, rows=one.rows) for one in facts.classes)
    return pictures.class_bars(counts, key="classes", title="Rows of each label")


def lengths(facts: Facts) -> Picture | None:
    """Histogram of text lengths."""
    return pictures.lengths(facts.lengths) if facts.lengths else None


def copies(rows: int, found: Clusters) -> Picture | None:
    """A hundred squares for all rows of the table: filled ones say what an earlier row says."""
    further = sum((size - 1) * count for size, count in found.sizes)
    if not further:
        return None
    share = further / max(rows, 1)
    title = f"{figures.percent(share)} of the rows say what an earlier row says"
    return both("copies", lambda k, w: charts.waffle(share, title=title, key=k, width=w))


def cluster_sizes(found: Clusters) -> Picture | None:
    """How many clusters there are of each size."""
    rows = []
    for low, high in _BUCKETS:
        sizes = [(size, count) for size, count in found.sizes if size >= low and (high is None or size <= high)]
        clusters = sum(count for _, count in sizes)
        if clusters:
            name = f"{low}" if low == high else f"{low}-{high}" if high else f"{low} or more"
            held = counted(sum(size * count for size, count in sizes), "row")
            rows.append(Bar(label=f"{name} rows each", value=clusters, shown=f"{counted(clusters, 'cluster')}, {held}"))
    title = "Clusters of copies and near-copies by their size"
    return both("sizes", lambda k, w: charts.bars(rows, title=title, key=k, width=w)) if rows else None


def largest_clusters(found: Clusters) -> Picture | None:
    """The largest clusters, each named by its first text; orange ones carry several labels."""
    if not found.largest:
        return None
    rows = [_cluster(one) for one in found.largest]
    title = "The largest clusters"
    return both("largest", lambda k, w: charts.bars(rows, title=title, key=k, width=w))


def _cluster(one: Cluster) -> Bar:
    shown = f"{figures.count(one.rows)} rows"
    if one.texts > 1:
        shown += f", {figures.count(one.texts)} texts"
    if len(one.labels) > 1:
        shown += f", {len(one.labels)} labels"
    return Bar(
        label=one.members[0] if one.members else "",
        value=one.rows,
        shown=shown,
        tone="loss" if len(one.labels) > 1 else "champion",
    )


def matrix(found: LeakMatrix) -> Picture:
    """The leak matrix."""
    title = "Rows of one part that another part gives away"
    return both(
        "matrix", lambda k, w: leak_matrix(found.names, found.rows, found.cells, title=title, key=k, width=min(w, 620))
    )


def zipf(found: Diversity) -> list[Picture]:
    """Zipf's curve with the thin tail marked, and the growth of the vocabulary."""
    unit = UNITS.get(found.unit, found.unit)
    tail = Shade(start=found.tail, label=f"thin tail: {figures.percent(found.once)} in one text only")
    first = partial(_zipf, found, unit, tail)
    made = [both("zipf", first, wide=HALF, heading="Zipf's curve")]
    if len(found.growth) > 1:
        made.append(both("growth", partial(_growth, found, unit), wide=HALF, heading="Growth of the vocabulary"))
    return made


def _zipf(found: Diversity, unit: str, tail: Shade, key: str, width: float) -> str:
    return plane(
        found.zipf,
        x_name=f"rank of the {unit}",
        y_name="texts that have it",
        title=f"{unit.capitalize()} by rank: texts that have them",
        key=key,
        logarithmic=True,
        shade=tail,
        width=width,
    )


def _growth(found: Diversity, unit: str, key: str, width: float) -> str:
    return plane(
        ((0, 0), *found.growth),
        x_name="texts read",
        y_name=f"different {unit}",
        title=f"Different {unit} while the texts are read in random order",
        key=key,
        width=width,
    )


def leak(found: NaiveSplit) -> Leak | None:
    """The naive split in the words of the report; nothing where no model was scored."""
    shown = Leak.of(found)
    return replace(shown, leaked=None) if shown and found.leaked_rows < _FEW else shown
