"""The frame of every page: one HTML file that carries its style and its script, and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from ratchet.charts import figures
from ratchet.charts import text as words
from ratchet.charts.palette import resource, tokens
from ratchet.text.personal import mask

SHOWN, FULL = 240, 4000
"""Characters of a text that are shown at once, and in all: a cell of five megabytes must not fill the page."""
_FIGURES = (
    "percent",
    "bounds",
    "score",
    "value",
    "interval",
    "gap",
    "difference",
    "signed",
    "points",
    "p_value",
    "small",
    "count",
    "size",
    "seconds",
    "milliseconds",
)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A long text: its start, the rest behind a click, and the number of characters that are left out altogether."""

    start: str
    rest: str
    missing: int


def cut(text: str, limit: int = SHOWN) -> Cut:
    """Part a text for the page; personal data in it are masked."""
    text = mask(text)
    start = words.head(text, limit=limit)
    # One more line is cheaper to read than a click.
    start = text if len(text) <= limit + 60 else start
    rest = text[len(start) : FULL] if len(text) > len(start) else ""
    return Cut(start=start, rest=rest, missing=max(0, len(text) - len(start) - len(rest)))


def emphasised(sentence: str) -> list[tuple[str, bool]]:
    """The pieces of a sentence, each with whether it is a percentage."""
    pieces = re.split(r"(\d+(?:\.\d+)? ?%)", sentence)
    return [(piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece]


def render_page(template: str, *, shown: Mapping[str, object]) -> str:
    """A page from a template that extends ``frame.html``; every text of ``shown`` is escaped, whatever it holds."""
    style = tokens() + resource("charts.css") + resource("style.css")
    script = resource("page.js")
    page = (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            style_hash=_digest(style),
            script_hash=_digest(script),
            **shown,
        )
    )
    return words.clean(page)


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
    made.filters |= {name: getattr(figures, name) for name in (*_FIGURES, "when", "metric")}
    made.filters |= {"cut": cut, "emphasised": emphasised}
    return made
