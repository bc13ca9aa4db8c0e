"""Texts of our own for the guard, by the templates of ``guard_texts.toml``: attacks, and benign prompts with trigger words.

Templates are in three parts: ``train``; ``dev``, by which rules and settings were chosen; and ``test``.
"""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path
from typing import Literal

Language = Literal["zh", "en"]
Kind = Literal["attacks", "benign"]
Part = Literal["train", "dev", "test"]

_DATA = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_SLOT = re.compile(r"\{(\w+)\}")


def texts(language: Language, kind: Kind, part: Part, *, n: int, seed: int) -> list[str]:
    """Up to ``n`` different texts, about equally many from each template; most begin as a sentence does."""
    rng = random.Random(seed)
    slots, templates = _DATA[language]["slots"], _DATA[language][kind][part]
    found: dict[str, None] = {}
    for place in range(4 * n):
        text = _SLOT.sub(lambda slot: rng.choice(slots[slot[1]]), templates[place % len(templates)])
        found[text if rng.random() < 0.2 else text[0].upper() + text[1:]] = None
        if len(found) == n:
            break
    return list(found)
