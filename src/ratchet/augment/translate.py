"""Back-translation: each text into another language and back, by models, programs or an endpoint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.kept import opened, storable
from ratchet.augment.source import Source
from ratchet.augment.translation_faults import FAULTS, Expected, expected, expected_like
from ratchet.augment.translator import ENDLESS, Translator
from ratchet.augment.translator_command import CommandTranslator, command_files
from ratchet.augment.translator_endpoint import EndpointTranslator
from ratchet.augment.translator_model import ModelTranslator
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.purse import Purse
from ratchet.errors import RatchetError
from ratchet.models.checkpoints import TRANSLATOR, locate
from ratchet.models.encoder import require_torch
from ratchet.recipe.augment import TranslateSpec
from ratchet.text.joined import SEPARATOR
from ratchet.text.language import language_of
from ratchet.text.personal import brief

OPUS = {"en": "Helsinki-NLP/opus-mt-en-zh", "zh": "Helsinki-NLP/opus-mt-zh-en"}
"""The translator of ``auto``, by the language that it reads."""
_NAMES = {"en": "English", "zh": "Chinese"}
_OTHER = {"en": "zh", "zh": "en"}
_LETTER = re.compile(r"[^\W\d_]")
_BREAK = re.compile(r"(\s*[\n\r\v\f\x1c-\x1e\x85\u2028]\s*)")
_MOST_FAULTS, _LEAST = 0.5, 3
"""More than this share of the translations, and at least so many, are useless: the translator is out of order."""


class Translate(Augmenter[TranslateSpec]):
    """Texts translated into another language and back.

    Sennrich, Haddow and Birch (2016, "Improving neural machine translation models with monolingual data"); as augmentation
    of labelled texts with translations that are drawn, Xie et al. (2020, "Unsupervised data augmentation for consistency
    training"). Line breaks stay where they are; what has no letter is not translated.
    """

    name, spec = "translate", TranslateSpec

    def named_by(self, spec: TranslateSpec) -> object:
        """As `Augmenter.named_by`: with the programs as they are now, and without what makes it no other but faster."""
        fields = type(spec).model_fields
        plain = spec.model_copy(update={key: fields[key].default for key in ("batch_tokens", "timeout")})
        return super().named_by(plain), command_files(spec.command), command_files(spec.command_back)

    def drafts(self, spec: TranslateSpec, source: Source, making: Making) -> Drafts:
        """As `Augmenter.drafts`.

        Raises:
            RatchetError: a translator cannot be had, or most of what it writes is useless.
            EndpointError: the endpoint cannot be asked, or not about all texts.
        """
        texts = [storable(text) for text in source.texts]
        lines = [_divided(text, whole=spec.endpoint is not None) for text in texts]
        made: list[str | None] = []
        failed: dict[int, str] = {}
        with opened(making.cache) as cache:
            purse = None if spec.endpoint is None else making.purse(spec.endpoint)
            roads = _roads(spec, source, making, cache, purse)
            which = [_road_of(text, roads) for text in texts]
            for copy in range(spec.copies):
                found = [
                    road.there_and_back(_asked(lines, which, number), copy=copy, making=making)
                    for number, road in enumerate(roads)
                ]
                for pieces, number in zip(lines, which, strict=True):
                    text, reason = _assembled(pieces, found[number])
                    if reason:
                        failed[len(made)] = reason
                    made.append(text)
        facts: dict[str, object] = {"model": "; ".join(f"{road.forward.name} > {road.backward.name}" for road in roads)}
        if purse is not None:
            facts |= {"requests": purse.requests, "spent": purse.spent, "unsure": purse.unsure}
        elif not spec.command:
            facts |= {"temperature": spec.temperature, "beams": spec.beams}
        return Drafts(
            texts=made,
            parent=np.tile(np.arange(len(texts), dtype=np.int64), spec.copies),
            operation=["translate"] * len(made),
            failed=failed,
            facts=facts,
        )


@dataclass(frozen=True, kw_only=True)
class _Way:
    """What came of a line: a text, or a reason."""

    text: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Road:
    """From one language into the other and back."""

    reads: str
    """``en`` or ``zh``: the texts that take it; empty: all."""
    forward: Translator
    backward: Translator
    keys: tuple[str, str]
    """Of the recipe, for messages."""
    there: Expected
    back: Expected

    def there_and_back(self, lines: Sequence[str], *, copy: int, making: Making) -> Mapping[str, _Way]:
        """What came of each line."""
        there = self._gone(self.forward, dict(zip(lines, lines, strict=True)), self.there, self.keys[0], copy, making)
        arrived = {line: way.text for line, way in there.items() if not way.reason}
        back = self._gone(self.backward, arrived, self.back, self.keys[1], copy, making)
        return {**there, **back}

    @staticmethod
    def _gone(
        by: Translator, asked: Mapping[str, str], wanted: Expected, key: str, copy: int, making: Making
    ) -> dict[str, _Way]:
        """What a translator makes of the text that each line has become so far."""
        replies = by.translate([*asked.values()], copy=copy, advance=making.advance)
        ways: dict[str, _Way] = {}
        new = {line: replies[text].text or "" for line, text in asked.items()}
        faults = dict(zip(new, wanted.faults([*new.values()], [*new]), strict=True))
        for line, text in asked.items():
            reply = replies[text]
            reason = reply.reason or "empty" if reply.text is None else faults[line]
            ways[line] = _Way(text=new[line], reason=reason)
        _require_order(by, asked, ways, key=key)
        return ways


def _require_order(by: Translator, asked: Mapping[str, str], ways: Mapping[str, _Way], *, key: str) -> None:
    """Refuse a translator most of whose translations are useless.

    Raises:
        RatchetError: it says of which kind, and shows the first.
    """
    bad = [line for line, way in ways.items() if way.reason in (*FAULTS, ENDLESS)]
    if len(bad) < _LEAST or len(bad) <= _MOST_FAULTS * len(ways):
        return
    counts = Counter(ways[line].reason for line in bad)
    kinds = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
    raise RatchetError(
        f"{key} must translate but {len(bad):,} of {len(ways):,} translations of {by.name} are useless ({kinds}); the first: "
        f"{_short(asked[bad[0]])} became {_short(ways[bad[0]].text)}.",
        next_step="Check that it reads the language of the texts and writes the other one.",
    )


def _roads(spec: TranslateSpec, source: Source, making: Making, cache: Cache, purse: Purse | None) -> list[_Road]:
    """One road, or two where a table has texts of both languages and it is known which translator reads which."""
    by_language = spec.languages == ("auto", "auto") and (
        spec.endpoint is not None or (not spec.command and spec.forward == "auto")
    )
    codes = [""] if not by_language else ["en", "zh"] if source.language == "mixed" else [source.language]
    loaded: dict[str, Any] = {}
    back = expected_like(source.texts)
    roads = []
    for code in codes:
        own, other = (_NAMES[code], _NAMES[_OTHER[code]]) if code else _named(spec, source)
        pair = _pair(spec, code, (other, own), making=making, cache=cache, purse=purse, loaded=loaded)
        keys = ("command", "command_back") if spec.command else ("forward", "backward")
        if spec.endpoint is not None:
            keys = ("endpoint", "endpoint")
        roads.append(_Road(reads=code, forward=pair[0], backward=pair[1], keys=keys, there=expected(other), back=back))
    return roads


def _pair(
    spec: TranslateSpec,
    code: str,
    into: tuple[str, str],
    *,
    making: Making,
    cache: Cache,
    purse: Purse | None,
    loaded: dict[str, Any],
) -> tuple[Translator, Translator]:
    """The translators there and back of one road."""
    if spec.endpoint is not None:
        assert purse is not None
        asked = spec.endpoint
        there, back = (EndpointTranslator(asked=asked, language=one, cache=cache, purse=purse) for one in into)
        return there, back
    if spec.command:
        both = (("command", spec.command), ("command_back", spec.command_back))
        out, home = (
            CommandTranslator(command=command, key=key, timeout=spec.timeout, cache=cache) for key, command in both
        )
        return out, home
    require_torch()
    auto = (OPUS[code or "en"], OPUS[_OTHER[code or "en"]])
    names = [
        given if given != "auto" else known for given, known in zip((spec.forward, spec.backward), auto, strict=True)
    ]
    first, second = (
        ModelTranslator(
            source=locate(name, language=code, wanted=TRANSLATOR),
            spec=spec,
            into=language,
            prefix=None if spec.prefixes is None else spec.prefixes[place],
            seed=making.seed,
            threads=making.threads,
            cache=cache,
            loaded=loaded,
        )
        for place, (name, language) in enumerate(zip(names, into, strict=True))
    )
    return first, second


def _named(spec: TranslateSpec, source: Source) -> tuple[str, str]:
    """The languages of the recipe; an own one that it does not say is Chinese where the table is."""
    own, other = ("" if name == "auto" else name for name in spec.languages)
    return own or ("Chinese" if source.language == "zh" else ""), other


def _road_of(text: str, roads: Sequence[_Road]) -> int:
    """The number of the road for texts of this language; the first, where there is but one."""
    if len(roads) == 1:
        return 0
    read = "zh" if language_of(text) in ("zh", "mixed") else "en"
    return next(number for number, road in enumerate(roads) if road.reads == read)


def _divided(text: str, *, whole: bool) -> list[str]:
    """The text in pieces: lines, and the breaks between them; whole: the texts of the row."""
    pattern = re.compile(f"({SEPARATOR})") if whole else re.compile(f"{_BREAK.pattern}|({SEPARATOR})")
    return [piece for piece in pattern.split(text) if piece is not None]


def _asked(lines: Sequence[Sequence[str]], which: Sequence[int], number: int) -> list[str]:
    """The different pieces with a letter of the texts that take this road."""
    taking = (pieces for pieces, road in zip(lines, which, strict=True) if road == number)
    return sorted({piece.strip() for pieces in taking for piece in pieces if _LETTER.search(piece)})


def _assembled(pieces: Sequence[str], ways: Mapping[str, _Way]) -> tuple[str | None, str]:
    """The text with what became of its pieces, or why there is none; empty reason: it had nothing to translate."""
    made = []
    for piece in pieces:
        way = ways.get(piece.strip())
        if way is not None and way.reason:
            return None, way.reason
        made.append(piece if way is None else way.text)
    changed = any(piece.strip() in ways for piece in pieces)
    return ("".join(made) if changed else None), ""


def _short(text: str) -> str:
    return repr(brief(text, most=60))
