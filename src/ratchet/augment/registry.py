"""All augmenters, one line each."""

from __future__ import annotations

from typing import Any

from ratchet.augment.augmenter import Augmenter
from ratchet.augment.eda import Eda
from ratchet.augment.generate import Generate
from ratchet.augment.masked import Masked
from ratchet.augment.noise import Noise
from ratchet.augment.translate import Translate
from ratchet.plugins import registered

GROUP = "ratchet.augmenters"
AUGMENTERS: tuple[Augmenter[Any], ...] = (Eda(), Noise(), Translate(), Masked(), Generate())


def augmenters() -> dict[str, Augmenter[Any]]:
    """Augmenters by name, with those of other installed packages.

    Raises:
        RatchetError: one of them cannot be loaded.
    """
    return registered(AUGMENTERS, group=GROUP, base=Augmenter)
