"""The report's page: its pictures and figures in one self-contained HTML file."""

from __future__ import annotations

import re
from pathlib import Path

from ratchet.charts.palette import resource, tokens
from ratchet.report import pictures, tuned_pictures
from ratchet.report.content import ReportData
from ratchet.report.frame import render_page
from ratchet.report.story import in_points, less_is_better, overstated, p_of, remark, story, tiles, verdict_counts
from ratchet.report.views import drawn, robustness_picture, slices_picture, without_certainty
from ratchet.workspace.workspace import write_named

MARGIN = 18


def render(report: ReportData) -> str:
    """The whole page as one string; every text of the report is escaped, whatever it holds."""
    figured = {"story": story(report), "tiles": tiles(report), "p_of": p_of, "remark": remark}
    shown = {"r": report, **figured, **_sections(report)}
    return render_page("template.html", shown=shown)


def _sections(report: ReportData) -> dict[str, object]:
    """Everything the template shows that is computed from the records."""
    health, challenges, environment = report.data, report.challenges, report.environment
    return {
        "class_bars": pictures.class_bars(health.classes, key="classes", title="Rows of each class", rows=health.rows)
        if health and health.classes
        else None,
        "lengths": pictures.lengths(health.lengths) if health and health.lengths else None,
        "leak_picture": pictures.leak(report.leak, report.sealed, report.champion) if report.leak else None,
        "leak_share": pictures.leak_share(report.leak) if report.leak else None,
        "overstated": overstated(report.leak) if report.leak else None,
        "stairs": pictures.stairs(challenges) if challenges else None,
        "marks": pictures.verdict_marks(challenges) if challenges else [],
        "counts": verdict_counts(challenges) if challenges else "",
        "in_points": in_points(challenges) if challenges else True,
        "less": less_is_better(challenges) if challenges else (),
        "curve_pictures": [pictures.curve(index, one) for index, one in enumerate(report.curves)],
        "tuned_pictures": [
            (
                tuned_pictures.history(index, one),
                tuned_pictures.importance(index, one),
                tuned_pictures.slices(index, one),
            )
            for index, one in enumerate(report.tuned)
        ],
        "views": drawn(report.answered.views) if report.answered else (),
        "slices_picture": slices_picture(report.answered.slices)
        if report.answered and report.answered.slices
        else None,
        "noise_picture": robustness_picture(report.answered.robustness)
        if report.answered and report.answered.robustness
        else None,
        "unsure": without_certainty(report),
        "offers": pictures.offers(report.offers),
        "compression_pictures": pictures.compression(report.compression) if report.compression else [],
        "stages": pictures.stages(environment) if environment else None,
    }


def standalone(svg: str) -> str:
    """A chart as a file of its own (for a README): its style inside, a margin, the theme of whoever looks at it."""
    style = f"<style>{tokens()}{resource('charts.css')}</style>"
    width, height = (float(size) for size in re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])
    box = f'viewBox="-{MARGIN} -{MARGIN} {width + 2 * MARGIN:g} {height + 2 * MARGIN:g}"'
    paper = f'<rect x="-{MARGIN}" y="-{MARGIN}" width="100%" height="100%" rx="10" class="fill-paper"/>'
    svg = re.sub(r'viewBox="[^"]*"', box, svg, count=1).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return svg.replace("</desc>", f"</desc>{style}{paper}", 1)


def staircase_picture(report: ReportData) -> str | None:
    """The staircase of verdicts as an SVG file, or nothing when nobody was challenged."""
    return standalone(str(pictures.stairs(report.challenges).wide)) if report.challenges else None


def save(report: ReportData, *, path: Path) -> int:
    """Write the page whole or not at all; returns its size in bytes.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    page = render(report).encode()
    write_named(path, page)
    return len(page)
