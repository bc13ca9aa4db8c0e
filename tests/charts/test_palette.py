"""Contrast after WCAG 2.2: (lighter + .05) / (darker + .05) of relative luminances."""

from __future__ import annotations

import re

import pytest

from ratchet.charts.palette import COLOURS, resource, tokens

BADGES = [("champion", "champion-wash"), ("equal", "equal-wash"), ("loss", "loss-wash"), ("error", "error-wash")]
ON_GROUND = [
    (text, ground) for text in ("ink", "ink-2", "ink-3", "champion", "loss", "equal") for ground in ("page", "paper")
]
TEXT = [
    *ON_GROUND,
    *BADGES,
    ("warning", "warning-wash"),
    ("ink", "warning-wash"),
    ("ink", "sunk"),
    ("ink-2", "sunk"),
    ("ink", "heat-right"),
    ("ink", "heat-wrong"),
    ("loss", "loss-wash"),
]
MARKS = [(mark, "paper") for mark in ("champion", "loss", "equal", "open")] + [
    ("loss", "line"),
    ("open", "champion-wash"),
]


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_can_be_read(text: str, ground: str, theme: int) -> None:
    assert contrast(COLOURS[text][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("mark", "ground"), MARKS)
def test_marks_can_be_seen(mark: str, ground: str, theme: int) -> None:
    assert contrast(COLOURS[mark][theme], COLOURS[ground][theme]) >= 3


def test_every_colour_that_is_used_exists_in_both_themes() -> None:
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", resource("charts.css") + resource("style.css")))
    assert used <= set(COLOURS)
    for name in COLOURS:
        assert tokens().count(f"--{name}:") == 3


def test_print_is_light() -> None:
    assert re.findall(r"@media ([a-z]+)", tokens()) == ["screen", "screen"]
