"""Text health: wrong encodings, characters no one sees, HTML, lengths and languages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from ratchet.checks.context import Context, Samples, counted, percent
from ratchet.checks.finding import Finding, Severity, mending, patch
from ratchet.prepare.cleaning import CONTROLS, HTML, INVISIBLE, plain
from ratchet.text.characters import SCRIPTS
from ratchet.text.columns import Rows
from ratchet.text.mojibake import COARSE, LOST, repaired
from ratchet.text.personal import brief

GIVES = (
    *("text.mojibake", "text.replacement", "text.control", "text.invisible", "text.html", "text.fullwidth"),
    *("text.wordless", "text.length", "text.language"),
)
MANY = 0.01
UNFORCED = ("auto", "utf-8", "utf-16")
"""Encodings that no other bytes pass for: what is mojibake in such a file was so when it was written."""
_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]")


def check(context: Context) -> Iterator[Finding]:
    """What is wrong with the characters of the texts."""
    if not len(context.texts):
        return
    yield from _mojibake(context)
    yield from _unseen(context)
    yield from _html(context)
    yield from _lengths(context)
    yield from _language(context)


_SHOWN = 60


def _meant(before: str, after: str) -> str:
    """The text as it was meant, from a little before the first place that changes."""
    place = next((n for n, (x, y) in enumerate(zip(before, after, strict=False)) if x != y), 0)
    start = 0 if place < _SHOWN - 20 else place - 20
    return "meant: " + " ".join(brief(after, start, most=_SHOWN).split())


def _mojibake(context: Context) -> Iterator[Finding]:
    characters = context.texts.characters
    maybe = characters.maybe_mojibake
    found = np.flatnonzero(context.texts.matching(COARSE, among=maybe))
    odd = dict(zip(found.tolist(), context.texts.some(found), strict=True))
    repairs = {i: repair for i, text in odd.items() if (repair := repaired(text))}
    if repairs:
        rows = context.texts.rows(np.isin(np.arange(len(context.texts)), list(repairs)))
        ways = Counter(repairs[value].misread for value in context.texts.member[rows].tolist())
        listed = ", ".join(f"{way} ({count:,})" for way, count in ways.most_common())
        share = len(rows) / len(context.dataset)
        shown = _one_a_value(context, rows)
        values = [(row, int(context.texts.member[row])) for row in shown]
        yield context.finding(
            "text.mojibake",
            severity="error" if share >= MANY else "warning",
            message=f"{counted(len(rows), 'text')} ({percent(share)}) {'was' if len(rows) == 1 else 'were'} read in the wrong "
            f"encoding: {listed}.",
            why="To a model these are other words than those of the texts that it will be asked about.",
            positions=rows,
            fix=_encoding(context, ways.most_common(1)[0][0], share=share),
            samples=Samples(at=shown, notes={row: _meant(odd[value], repairs[value].text) for row, value in values}),
        )
    lost = characters.having("replacement") | context.texts.matching(LOST, among=maybe)
    rows = context.texts.rows(lost)
    if len(rows):
        yield _of_rows(
            context,
            "text.replacement",
            rows,
            severity="warning",
            what="hold characters that were lost in a change of encoding (U+FFFD or 锟斤拷)",
            why="What was there cannot be had back from this file; read it again from its source.",
        )


def _encoding(context: Context, way: str, *, share: float) -> str:
    """A recipe patch: the right encoding where the recipe itself asked for the wrong one, else the repair of the texts."""
    asked = context.recipe.data.encoding
    right = {"UTF-8 read as Latin-1": "utf-8", "GBK read as Latin-1": "gb18030", "UTF-8 read as GBK": "utf-8"}.get(
        way, asked
    )
    if asked not in (*UNFORCED, right) and share >= 0.5:
        return patch({"data": {"encoding": right}})
    return mending("mojibake", already=context.recipe.prepare.text)


def _unseen(context: Context) -> Iterator[Finding]:
    for id, (kind, pattern, severity, what, why) in _UNSEEN.items():
        rows = context.texts.rows(context.texts.characters.having(kind))
        if len(rows):
            yield _of_rows(
                context,
                id,
                rows,
                severity=_severity(severity),
                what=what,
                why=why,
                fix="" if kind == "fullwidth" else mending("invisible", already=context.recipe.prepare.text),
                note=partial(_first, pattern),
            )


_UNSEEN = {
    "text.control": (
        "control",
        CONTROLS,
        "warning",
        "hold control characters, which no one can see",
        "They are left by broken exports; they split words, and some programs stop reading at them.",
    ),
    "text.invisible": (
        "invisible",
        INVISIBLE,
        "note",
        "hold characters without width, such as zero-width spaces or direction marks",
        "Two texts look alike and are different; they are also used to hide words from filters.",
    ),
    "text.fullwidth": (
        "fullwidth",
        _WIDE,
        "note",
        "hold full-width letters or digits (ＡＢＣ１２３)",
        "Models see other characters than in ABC123; the linear ones here make them equal, an encoder may not.",
    ),
}
"""By finding: the kind of character, its pattern, the severity, what the texts hold, and why it matters."""


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return f"U+{ord(match[0]):04X}, character {match.start() + 1}" if match else ""


def _html(context: Context) -> Iterator[Finding]:
    found = context.texts.matching(HTML, among=context.texts.characters.having("markup"))
    maybe = np.flatnonzero(found)
    found[maybe] = [plain(text) != text for text in context.texts.some(maybe)]
    rows = context.texts.rows(found)
    if len(rows):
        yield _of_rows(
            context,
            "text.html",
            rows,
            severity="warning" if len(rows) >= MANY * len(context.dataset) else "note",
            what="hold HTML tags or entities",
            why="A model learns from where a text was scraped, not from what it says.",
            fix=mending("html", already=context.recipe.prepare.text),
            note=lambda text: _meant(text, plain(text)),
        )


def _lengths(context: Context) -> Iterator[Finding]:
    characters, limit = context.texts.characters, context.recipe.train.max_tokens
    wordless = context.texts.rows(characters.wordless)
    if len(wordless):
        yield _of_rows(
            context,
            "text.wordless",
            wordless,
            severity="warning" if len(wordless) >= MANY * len(context.dataset) else "note",
            what="hold no letter and no digit",
            why="There is nothing to learn from; the label is a guess.",
        )
    tokens = characters.look["tokens"]
    long = context.texts.rows(tokens > limit)
    if len(long):
        longest = int(tokens.max())
        better = min(_rounded_up(float(np.quantile(tokens, 0.99))), 512)
        yield _of_rows(
            context,
            "text.length",
            long,
            severity="note",
            what=f"are longer than the encoder's {limit} tokens (train.max_tokens), by about {longest - limit:,} at most",
            why="What is behind the limit is cut off before an encoder reads it.",
            fix=patch({"train": {"max_tokens": better}}) if better > limit else "",
        )


def _language(context: Context) -> Iterator[Finding]:
    """Texts whose letters are mostly of another script than those of the table."""
    per_row = np.append(context.texts.characters.look["script"], -1)[context.texts.member]
    rows = np.bincount(per_row[per_row >= 0], minlength=len(SCRIPTS))
    known = int(rows.sum())
    main = int(rows.argmax())
    others = {SCRIPTS[i]: int(rows[i]) for i in np.argsort(-rows, kind="stable") if i != main and rows[i]}
    if not others:
        return
    where = np.flatnonzero((per_row >= 0) & (per_row != main)).astype(np.int64)
    share = len(where) / known
    shown = [int(np.flatnonzero(per_row == SCRIPTS.index(name))[0]) for name in list(others)[:3]]
    listed = ", ".join(f"{_TITLES[name]} ({count:,})" for name, count in others.items())
    yield context.finding(
        "text.language",
        severity="note",
        message=f"Most texts are in {_TITLES[SCRIPTS[main]]}; {counted(len(where), 'text')} ({percent(share)}) "
        f"{'is' if len(where) == 1 else 'are'} in {listed}.",
        why="A language with few rows is hardly learned, and if its rows lean to one label the model learns the language.",
        positions=where,
        samples=Samples(at=shown),
    ).among(known)


_TITLES = {
    "latin": "Latin letters",
    "han": "Chinese characters",
    "kana": "Japanese",
    "hangul": "Korean",
    "cyrillic": "Cyrillic",
    "greek": "Greek",
    "arabic": "Arabic",
    "hebrew": "Hebrew",
    "indic": "an Indic script",
    "thai": "Thai or a neighbouring script",
}


def _of_rows(
    context: Context,
    id: str,
    rows: Rows,
    *,
    severity: Severity,
    what: str,
    why: str,
    fix: str = "",
    note: Callable[[str], str] | None = None,
) -> Finding:
    """A finding about texts that "hold ..." or "are ..." something."""
    share = len(rows) / max(int((context.texts.member >= 0).sum()), 1)
    shown = _one_a_value(context, rows)
    if len(rows) == 1:
        what = what.replace("hold ", "holds ", 1).replace("are ", "is ", 1)
    return context.finding(
        id,
        severity=severity,
        message=f"{counted(len(rows), 'text')} ({percent(share)}) {what}.",
        why=why,
        positions=rows,
        fix=fix,
        samples=Samples(
            at=shown,
            notes={row: note(context.texts.some([context.texts.member[row]])[0]) for row in shown} if note else {},
        ),
    ).among(int((context.texts.member >= 0).sum()))


def _one_a_value(context: Context, rows: Rows) -> list[int]:
    """The first three rows with different texts."""
    first = np.unique(context.texts.member[rows], return_index=True)[1]
    return [int(row) for row in rows[np.sort(first)[:3]]]


def _rounded_up(tokens: float) -> int:
    return max(64, int(-(-tokens // 64) * 64))


def _severity(name: str) -> Severity:
    return "warning" if name == "warning" else "note"
