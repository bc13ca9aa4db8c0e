"""One pass over the characters of all texts, since to decode them takes longer than to count and to add them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.near.fingerprints import fingerprints_of, settled
from ratchet.text.characters import LOOK, look_at
from ratchet.text.columns import blocks

SCAN = np.dtype([("print", np.uint64), ("look", LOOK)])


def scan(texts: pa.Array) -> npt.NDArray[Any]:
    """The fingerprint of each text, and what its characters are like, as :data:`SCAN`; a missing one counts as empty."""
    texts = texts.fill_null("") if texts.null_count else texts
    found = np.zeros(len(texts), SCAN)
    for start, end, points, lengths in blocks(texts):
        found["print"][start:end] = fingerprints_of(points, lengths)
        found["look"][start:end] = look_at(points, lengths)
    found["print"] = settled(found["print"], texts)
    return found
