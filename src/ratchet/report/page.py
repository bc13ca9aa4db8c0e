"""The page: one HTML file that carries its style, its script and its pictures, and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from ratchet.report import figures, pictures
from ratchet.report import text as words
from ratchet.report.classes import confused, per_class
from ratchet.report.content import ReportData
from ratchet.report.palette import resource, tokens
from ratchet.report.story import overstated, story, tiles, verdict_counts
from ratchet.workspace import write_atomic

SHOWN, FULL = 240, 4000
"""Characters of a text that are shown at once, and in all: a cell of five megabytes must not fill the page."""
MARGIN = 18
CLASS_ROWS = 200
"""Classes listed in the per-class table; the worst ones come first when there are more."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A long text: its start, the rest behind a click, and the number of characters that are left out altogether."""

    start: str
    rest: str
    missing: int


def cut(text: str, limit: int = SHOWN) -> Cut:
    """Part a text for the page."""
    start = words.head(text, limit=limit)
    # One more line is cheaper to read than a click.
    start = text if len(text) <= limit + 60 else start
    rest = text[len(start) : FULL] if len(text) > len(start) else ""
    return Cut(start=start, rest=rest, missing=max(0, len(text) - len(start) - len(rest)))


def emphasised(sentence: str) -> list[tuple[str, bool]]:
    """The pieces of a sentence, each with whether it is a percentage."""
    pieces = re.split(r"(\d+(?:\.\d+)? ?%)", sentence)
    return [(piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece]


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(resource),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = (
        "percent",
        "bounds",
        "score",
        "signed",
        "points",
        "p_value",
        "small",
        "count",
        "size",
        "seconds",
        "milliseconds",
        "when",
    )
    made.filters |= {name: getattr(figures, name) for name in written}
    made.filters |= {"metric": figures.metric, "cut": cut, "emphasised": emphasised}
    return made


def render(report: ReportData) -> str:
    """The whole page as one string; every text of the report is escaped, whatever it holds."""
    style = tokens() + resource("charts.css") + resource("style.css")
    script = resource("page.js")
    page = (
        _environment()
        .get_template("template.html")
        .render(
            r=report,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            style_hash=_digest(style),
            script_hash=_digest(script),
            story=story(report),
            tiles=tiles(report),
            **_sections(report),
        )
    )
    return words.clean(page)


def _sections(report: ReportData) -> dict[str, object]:
    """Everything the template shows that is computed from the records."""
    classes = per_class(report.confusion) if report.confusion else ()
    if len(classes) > CLASS_ROWS:
        classes = tuple(
            sorted(classes, key=lambda row: (row.f1 if row.f1 is not None else 2.0, row.label))[:CLASS_ROWS]
        )
    health, challenges, environment = report.data, report.challenges, report.environment
    return {
        "class_bars": pictures.class_bars(health.classes, key="classes", title="Rows of each class")
        if health and health.classes
        else None,
        "lengths": pictures.lengths(health.lengths) if health and health.lengths else None,
        "leak_picture": pictures.leak(report.leak, report.sealed, report.champion) if report.leak else None,
        "leak_share": pictures.leak_share(report.leak) if report.leak else None,
        "overstated": overstated(report.leak) if report.leak else None,
        "stairs": pictures.stairs(challenges) if challenges else None,
        "marks": pictures.verdict_marks(challenges) if challenges else [],
        "counts": verdict_counts(challenges) if challenges else "",
        "curve_pictures": [pictures.curve(index, one) for index, one in enumerate(report.curves)],
        "heat": pictures.heat(report.confusion) if report.confusion else None,
        "classes": classes,
        "pairs": confused(report.confusion) if report.confusion else (),
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
    """The staircase of verdicts as an SVG file, or nothing when the report has no score to start from."""
    drawn = pictures.stairs(report.challenges) if report.challenges else None
    return standalone(str(drawn.wide)) if drawn else None


def save(report: ReportData, *, path: Path) -> int:
    """Write the page whole or not at all; returns its size in bytes.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    page = render(report).encode()
    write_atomic(path, page)
    return len(page)
