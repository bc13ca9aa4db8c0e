"""The colours of the report in both themes, and the style sheet that names them.

Blue against orange (never red against green) stays apart under every common colour blindness, and each outcome also has
its own shape. Text colours reach contrast 4.5 (WCAG 2.2 AA) on both backgrounds, marks reach 3; a test computes it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

COLOURS: dict[str, tuple[str, str]] = {
    # name: (light, dark)
    "page": ("#f4f6f8", "#0d1117"),
    "paper": ("#ffffff", "#151b23"),
    "sunk": ("#eef1f5", "#0f141b"),
    "ink": ("#12171f", "#e9edf3"),
    "ink-2": ("#444e5c", "#b3bdca"),
    "ink-3": ("#5b6676", "#93a0b1"),
    "line": ("#dfe4ea", "#2a323d"),
    "grid": ("#e8ecf0", "#232b35"),
    "champion": ("#0a5cad", "#6bb3ff"),
    "champion-wash": ("#e3eefb", "#13273d"),
    "loss": ("#b34a06", "#ff9d5c"),
    "loss-wash": ("#fdeee1", "#33200f"),
    "open": ("#667181", "#8e9aab"),
    "equal": ("#7a3fa8", "#c39bf0"),
    "equal-wash": ("#f3eafa", "#281b38"),
    "error": ("#ab2f12", "#ff9580"),
    "error-wash": ("#fdebe6", "#38190f"),
    "warning": ("#805400", "#e5b84b"),
    "warning-wash": ("#fbf1d9", "#302610"),
    "heat-right": ("#5a9de0", "#215587"),
    "heat-wrong": ("#f0905a", "#8c4318"),
}


def tokens() -> str:
    """CSS custom properties: the system's theme, unless ``data-theme`` says otherwise; print is always light."""
    light = "".join(f"--{name}:{pair[0]};" for name, pair in COLOURS.items()) + "color-scheme:light;"
    dark = "".join(f"--{name}:{pair[1]};" for name, pair in COLOURS.items()) + "color-scheme:dark;"
    return (
        f":root{{{light}}}\n"
        f'@media screen and (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{{dark}}}}}\n'
        f'@media screen{{:root[data-theme="dark"]{{{dark}}}}}\n'
    )


@cache
def resource(name: str) -> str:
    """A file that is part of this package, as text."""
    return files("ratchet.report").joinpath(name).read_text(encoding="utf-8")
