"""Mending texts: wrong encodings, HTML, characters that no one sees, and personal data."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ratchet.config import TextFix
from ratchet.data.mask import KINDS, mask
from ratchet.data.mojibake import COARSE, repaired

TAG = (
    r"(?i)</?(?:p|br|div|span|a|img|table|tr|td|th|li|ul|ol|b|i|u|strong|em|font|script|style|h[1-6]|input|iframe|center|hr|"
    r"meta|link|html|body|head|blockquote|pre|code|svg|video|button|form)(?:[\t-\r ][^<>]*)?/?>|<!--"
)
_NAMED = "nbsp|amp|lt|gt|quot|apos|ldquo|rdquo|lsquo|rsquo|hellip|middot|mdash|ndash|copy"
HTML = rf"{TAG}|&(?:{_NAMED}|#[0-9]{{2,7}}|#[xX][0-9a-fA-F]{{2,6}});"
"""RE2 pattern of every text with HTML tags or entities in it."""
CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d]")
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_HTML = re.compile(HTML)
_TAGS = re.compile(TAG + r"(?:(?:(?!<!--)(?s:.))*?-->)?")
_BREAK = re.compile(r"(?i)</?(?:p|br|div|tr|li|h[1-6]|table|ul|ol|hr)\b")
_ROUNDS = 16  # of an entity within an entity within ...; a text of a thousand levels is an attack, not a text


@dataclass(frozen=True, kw_only=True)
class Step:
    """One fix of texts: ``coarse`` is an RE2 pattern of every text that it may change."""

    name: TextFix
    coarse: str
    apply: Callable[[str], str]


def plain(text: str) -> str:
    """The text without HTML: tags go, those that break a line leave one, entities become what they stand for.

    >>> plain("good<br>value &amp; <b>clean</b>")
    'good\\nvalue & clean'
    """
    if not _HTML.search(text):
        return text
    text = _TAGS.sub(lambda match: "\n" if _BREAK.match(match[0]) else "", text)
    return html.unescape(text).replace("\xa0", " ")


def visible(text: str) -> str:
    """The text without control characters and characters that have no width."""
    return INVISIBLE.sub("", CONTROLS.sub("", text))


def _read_right(text: str) -> str:
    found = repaired(text)
    return found.text if found else text


STEPS: tuple[Step, ...] = (
    Step(name="mojibake", coarse=COARSE, apply=_read_right),
    Step(name="html", coarse=HTML, apply=plain),
    Step(name="invisible", coarse=f"{CONTROLS.pattern}|{INVISIBLE.pattern}", apply=visible),
    Step(name="mask", coarse="|".join(f"(?:{kind.coarse})" for kind in KINDS), apply=mask),
)
"""In the order in which they are applied: a wrong encoding hides what the others look for, and masking comes last."""


def mended(text: str, fixes: Collection[TextFix]) -> tuple[str, tuple[TextFix, ...]]:
    """The text with these fixes, whatever their order, and those of them that changed it; mending it again changes nothing.

    >>> mended("<b>ok</b> 13812345678", ("mask", "html"))
    ('ok 138****5678', ('html', 'mask'))
    """
    steps = [step for step in STEPS if step.name in fixes]
    worked: set[TextFix] = set()
    for _ in range(_ROUNDS):  # an entity may stand for what another step looks for
        before = text
        for step in steps:
            after = step.apply(text)
            if after != text:
                worked.add(step.name)
            text = after
        if text == before:
            break
    return text, tuple(step.name for step in steps if step.name in worked)
