"""The pieces that charts are drawn from: elements, text that fits, scales and ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from ratchet.charts import text as words

FONT = 12.0


def number(value: float) -> str:
    """Coordinates with one decimal, without a trailing ".0"."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def tag(name: str, *content: str, **attributes: str | float) -> str:
    """An element; ``content`` is markup already, attribute values are escaped (``class_`` is ``class``)."""
    parts = [name]
    for key, value in attributes.items():
        shown = value if isinstance(value, str) else number(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    opening = " ".join(parts)
    return f"<{opening}>{''.join(content)}</{name}>" if content else f"<{opening}/>"


def write(
    x: float,
    y: float,
    content: str,
    *,
    class_: str = "",
    anchor: str = "start",
    room: float | None = None,
    size: float = FONT,
) -> str:
    """Text at a baseline; with ``room`` (pixels) a longer text is cut and the whole shown as a tooltip."""
    line = words.label(content)
    shown = line if room is None else words.cut(line, ems=room / size)
    whole = (tooltip(line),) if shown != line else ()
    attributes: dict[str, str | float] = {"x": x, "y": y}
    if class_:
        attributes["class_"] = class_
    if anchor != "start":
        attributes["text_anchor"] = anchor
    return tag("text", escape(shown), *whole, **attributes)


def tooltip(content: str) -> str:
    """A ``<title>`` that browsers show over the element which holds it."""
    return tag("title", escape(words.label(content)))


def width_of(content: str, *, size: float = FONT) -> float:
    """Estimated width of a text in pixels."""
    return words.em_width(words.label(content)) * size


def path(d: str, class_: str) -> str:
    """A path with a class."""
    return tag("path", d=d, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line with a class."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def chart(body: list[str], *, width: float, height: float, title: str, desc: str, key: str) -> str:
    """An ``<svg>`` that scales with its container and reads its title and description to a screen reader.

    ``key`` must be unique on the page: the ids of title and description are made from it.
    """
    return tag(
        "svg",
        tag("title", escape(words.label(title)), id=f"{key}-t"),
        tag("desc", escape(words.label(desc or title)), id=f"{key}-d"),
        *body,
        class_="chart",
        role="img",
        aria_labelledby=f"{key}-t {key}-d",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
    )


@dataclass(frozen=True)
class Scale:
    """A straight map from values ``lo..hi`` to pixels ``a..b``."""

    lo: float
    hi: float
    a: float
    b: float

    def __call__(self, value: float) -> float:
        """Pixels of a value; an empty range maps to the middle, what lies outside stays at the edge."""
        if self.hi <= self.lo:
            return (self.a + self.b) / 2
        share = (value - self.lo) / (self.hi - self.lo)
        return self.a + min(max(share, 0.0), 1.0) * (self.b - self.a)


def ticks(lo: float, hi: float, *, most: int = 5) -> list[float]:
    """At most ``most`` round numbers in ``lo..hi``, in steps of 1, 2 or 5 times a power of ten."""
    if hi <= lo or most < 1:
        return [lo]
    raw = (hi - lo) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def percent_ticks(values: list[float]) -> list[str]:
    """Ticks of fractions as percent, with as many decimals as their step needs."""
    step = 100 * min((b - a for a, b in pairwise(values)), default=1.0)
    digits = 0 if step > 0.95 else 1 if step > 0.095 else 2
    return [f"{100 * value:.{digits}f}" for value in values]
