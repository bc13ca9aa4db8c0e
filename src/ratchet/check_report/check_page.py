"""The page of a check: its findings with pictures of the table, in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import ratchet
from ratchet.charts import figures
from ratchet.charts.missing_map import MOST
from ratchet.check_report import check_pictures as draw
from ratchet.check_report.check_details import Details, details
from ratchet.check_report.check_terminal import LANGUAGES, short_names
from ratchet.checks.context import counted
from ratchet.checks.finding import Finding
from ratchet.checkup.checkup import Checkup
from ratchet.report import pictures
from ratchet.report.content import Finding as Shown
from ratchet.report.content import Leak, Tile
from ratchet.report.frame import render_page
from ratchet.report.story import NOTICEABLE, overstated

LABELS, SUSPECTS = 30, 30
"""Labels whose vocabulary, and rows whose label, are listed at most."""


def render_check(found: Checkup) -> str:
    """The whole page as one string; every text of the table is escaped, whatever it holds."""
    facts, detail = found.health.facts, details(found)
    leak = draw.leak(facts.naive) if facts.naive else None
    names = short_names(found.target.files)
    shown = {
        "name": found.target.name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": ratchet.__version__,
        "facts": facts,
        "details": detail,
        "steps": found.steps,
        "seconds": found.seconds,
        "test": found.target.test,
        "story": story(found, leak),
        "tiles": tiles(found),
        "findings": [Shown.of(one, names=names) for one in found.findings],
        "naive": facts.naive,
        "leak": leak,
        "overstated": overstated(leak) if leak else None,
        "leak_picture": pictures.leak(leak, None, "") if leak else None,
        "suspects": found.health.suspects[:SUSPECTS],
        "doubted": len(found.health.suspects),
        "labels": sorted(facts.diversity.labels, key=lambda one: one.covered)[:LABELS] if facts.diversity else (),
        "unit": draw.UNITS.get(facts.diversity.unit, facts.diversity.unit) if facts.diversity else "",
        **_pictures(found, detail),
    }
    return render_page("check.html", shown=shown)


def _pictures(found: Checkup, detail: Details) -> dict[str, object]:
    facts, clusters = found.health.facts, detail.clusters
    return {
        "most": MOST,
        "missing": draw.missing(facts, detail.columns),
        "classes": draw.classes(facts),
        "lengths": draw.lengths(facts),
        "copies": draw.copies(facts.rows, clusters) if clusters else None,
        "sizes": draw.cluster_sizes(clusters) if clusters else None,
        "largest": draw.largest_clusters(clusters) if clusters else None,
        "matrix": draw.matrix(detail.matrix) if detail.matrix else None,
        "zipf": draw.zipf(facts.diversity) if facts.diversity else [],
    }


def story(found: Checkup, leak: Leak | None) -> str:
    """What matters most, in one or two sentences."""
    gravest = [finding for finding in found.findings if finding.severity == "error"]
    if not found.findings:
        return f"Nothing was found in {counted(found.health.facts.rows, 'row')} that would make a model, or its score, lie."
    if leak and leak.honest and (overstated(leak) or 0) > NOTICEABLE:
        said = (
            f"A random split of this table would claim {figures.percent(leak.naive.value)}; on texts that it has not "
        )
        said += f"seen, the same model scores {figures.percent(leak.honest.value)}."
        others = [finding for finding in gravest if finding.id != "leaks.naive_split"]
        return f"{_first_sentence(others[0])} {said}" if others else said
    if gravest:
        return " ".join(_first_sentence(finding) for finding in gravest[:2])
    return (
        f"No error; the most severe of {counted(len(found.findings), 'finding')}: {_first_sentence(found.findings[0])}"
    )


def _first_sentence(finding: Finding) -> str:
    """The beginning of a message, to where it goes into detail."""
    message = finding.message
    ends = [place for mark in (": ", ". ", "; ") if (place := message.find(mark)) > 0]
    return message[: min(ends)].rstrip(".") + "." if ends else message


def tiles(found: Checkup) -> Sequence[Tile]:
    """The key figures on top."""
    facts, counts = found.health.facts, found.counts
    share = facts.distinct_texts / max(facts.rows, 1)
    made = [
        Tile(label="Findings", value=f"{counts['error']} / {counts['warning']} / {counts['note']}", note=_SEVERITIES),
        Tile(label="Rows", value=figures.count(facts.rows), note=counted(len(facts.columns), "column")),
        Tile(
            label="Different texts",
            value=figures.count(facts.distinct_texts),
            note=f"{figures.percent(share)} of the rows",
        ),
    ]
    if facts.classes:
        ratio = facts.classes[0].rows / max(facts.classes[-1].rows, 1)
        made.append(
            Tile(label="Labels", value=figures.count(len(facts.classes)), note=f"largest : smallest {ratio:.3g} : 1")
        )
    if facts.lengths:
        median = figures.count(facts.lengths.median)
        language = LANGUAGES.get(facts.language, facts.language)
        made.append(Tile(label="Median length", value=median, note=f"{facts.lengths.unit}, {language}"))
    if facts.naive:
        made.append(
            Tile(
                label="Leak of a random split",
                value=figures.percent(facts.naive.near_share),
                note="of its test rows are in train, or nearly",
            )
        )
    return made


_SEVERITIES = "errors / warnings / notes"
