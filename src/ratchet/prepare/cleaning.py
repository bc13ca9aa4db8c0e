"""Mending texts: wrong encodings, HTML, characters that no one sees, and personal data."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ratchet.forms import SOUTH_EAST_ASIAN, characters
from ratchet.recipe.sections import TextFix
from ratchet.text.joined import joined, parted
from ratchet.text.mojibake import COARSE, repaired
from ratchet.text.personal import KINDS, mask

_BARE = (
    "async|autoplay|checked|controls|defer|disabled|hidden|ismap|loop|multiple|muted|noshade|novalidate|nowrap|open|readonly|"
    "required|reversed|selected"
)
_ATTRIBUTE = (
    rf"""[\t-\r ]+(?:(?:{_BARE})\b|[a-z_:@][\w:.@-]*[\t-\r ]*=[\t-\r ]*(?:"[^"<>]*"|'[^'<>]*'|[^\t-\r "'<>=]+))"""
)
_SHORT = "a|b|i|u|s"
_LONG = (
    "p|br|div|span|img|table|thead|tbody|tr|td|th|li|ul|ol|strong|em|font|script|style|h[1-6]|input|iframe|center|hr|meta|link|"
    "html|body|head|title|blockquote|pre|code|svg|video|button|form|section|article|header|footer|nav|label|select|option"
)
TAG = rf"(?i)</?(?:{_LONG}|{_SHORT})(?:{_ATTRIBUTE})*[\t-\r ]*/?>|<!--"
_VOID = "br|hr|p"  # as a rule nothing closes them
_WORDS = (
    "table|strong|font|script|style|input|center|link|html|body|head|title|code|video|button|form|section|article|header|footer|"
    "label|select|option"
)
HTML = rf"{TAG}|&(?:[a-zA-Z][a-zA-Z0-9]{{1,30}}|#[0-9]{{2,7}}|#[xX][0-9a-fA-F]{{2,6}});"
"""RE2 pattern of every text that may have HTML tags or entities in it; `plain` says which have."""
_SHORT_NAMES = _SHORT.split("|")
_LONE = re.compile(rf"(?i)<({_LONG}|{_SHORT})[\t-\r ]*>")
_CLOSED = re.compile(rf"(?i)</({_LONG}|{_SHORT})[\t-\r ]*>")
_ENTITY = r"&(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#[0-9]{2,7}|#[xX][0-9a-fA-F]{2,6});"
CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d]")
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2065-\u2069\ufeff]")
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LINE_BREAKS = re.compile("[\x0b\x0c]+")
"""Line breaks within a paragraph or between pages, as office programs write them."""
_NO_SPACES = re.compile(f"[{characters(SOUTH_EAST_ASIAN)}]")
"""Thai, Lao, Burmese and Khmer: words are not divided by spaces, but may be by U+200B."""
_HTML = re.compile(HTML)
_TAGS = re.compile(TAG + r"(?:(?!<!--)(?s:.))*?-->")
_MARKUP = re.compile(
    rf"(?i)</(?:{_LONG}|{_SHORT})[\t-\r ]*>|<(?:{_VOID})[\t-\r ]*/?>|<(?:{_LONG}|{_SHORT})(?:{_ATTRIBUTE})+"
)
"""What only a text with HTML in it has: a tag that closes, breaks a line or has attributes."""
_TALK = rf"(?:^|(?<=[\t-\r ]))&lt;(?i:{_VOID})[\t-\r ]*/?&gt;(?=[\t-\r ]|$)"
"""An escaped tag between spaces: the text is about it."""
_TALK_OR_ENTITY = re.compile(rf"(?P<talk>{_TALK})|{_ENTITY}")
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

    What might as well be something else stays: ``x<a and y>b`` compares, ``a<b>c`` has a tag only where ``</b>`` closes it,
    ``List<TD>`` names a type, ``cp <input>`` has a word to fill in, and ``"<img>"`` in quotes is what the text is about.

    >>> plain("good<br>value &amp; <b>clean</b>")
    'good\\nvalue & clean'
    """
    if not _HTML.search(text):
        return text
    closed = {match[1].lower() for match in _CLOSED.finditer(text)}
    markup = _MARKUP.search(text) is not None

    def without(match: re.Match[str]) -> str:
        lone = _LONE.fullmatch(match[0])
        if lone and lone[1].lower() not in closed and _may_be_else(match, name=lone[1], markup=markup):
            return match[0]
        return "\n" if _BREAK.match(match[0]) else ""

    return _TALK_OR_ENTITY.sub(_meant, _TAGS.sub(without, text))


def _may_be_else(match: re.Match[str], *, name: str, markup: bool) -> bool:
    """Whether a tag that nothing closes may be a comparison, the parameter of a type, a word to fill in, or one in quotes."""
    text, start, end = match.string, match.start(), match.end()
    before, behind = text[start - 1 : start], text[end : end + 1]
    if name.lower() in _SHORT_NAMES or (before and before in "`'\"" and before == behind):
        return True
    if name in ("br", "BR", "hr", "HR", "p"):
        return False
    alone = not before.strip() and not behind.strip()
    if not markup and (alone or name.lower() in _WORDS.split("|")):
        return True
    return before.isascii() and (before.isalnum() or before == "_")


def _meant(match: re.Match[str]) -> str:
    """What an entity stands for; a name that is none stays, and so does a tag that the text is about."""
    if match["talk"]:
        return match[0]
    meant = html.unescape(match[0])
    return match[0] if meant.endswith(";") and len(meant) > 1 else meant.replace("\xa0", " ")


def visible(text: str) -> str:
    """The text without control characters and characters that have no width; marks of direction stay where they are needed."""
    text = CONTROLS.sub("", _LINE_BREAKS.sub("\n", text))
    right_to_left, unspaced = _RIGHT_TO_LEFT.search(text), _NO_SPACES.search(text)

    def needed(match: re.Match[str]) -> str:
        stays = (unspaced and match[0] == "\u200b") or (right_to_left and _DIRECTION.match(match[0]))
        return match[0] if stays else ""

    return INVISIBLE.sub(needed, text)


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

    Texts that were joined are mended each by itself, and stay as many.

    >>> mended("<b>ok</b> 13812345678", ("mask", "html"))
    ('ok 138****5678', ('html', 'mask'))
    """
    steps, worked = [step for step in STEPS if step.name in fixes], set[TextFix]()
    parts = [_mended(part, steps, worked) for part in parted(text)]
    return joined(parts), tuple(step.name for step in steps if step.name in worked)


def _mended(text: str, steps: Sequence[Step], worked: set[TextFix]) -> str:
    """One text with these steps, until none changes it; those that did are added to ``worked``."""
    for _ in range(_ROUNDS):  # an entity may stand for what another step looks for
        before = text
        for step in steps:
            after = step.apply(text)
            if after != text:
                worked.add(step.name)
            text = after
        if text == before:
            break
    return text
