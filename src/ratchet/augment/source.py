"""What an augmenter may look at: training rows of one part, and nothing of any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ratchet.text.language import Language

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """n training rows. Several texts of a row are one string; see `text.joined`."""

    texts: Sequence[str]
    labels: Sequence[str]
    """(n,) the cells of the answer column."""
    language: Language
    group: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """(n,) the fold of each row. A new text may be made only from rows of one group, so that the same new texts serve every
    fold that may see the group, and are paid for once; empty: all rows are one group."""
    texts_a_row: int = 1
    """Columns that hold a text of each row."""
