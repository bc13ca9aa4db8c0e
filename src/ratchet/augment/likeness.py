"""How like a new text is to its parent: the cosine of character n-grams, or of an encoder's vectors."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.errors import ExtraMissing, RecipeError
from ratchet.near.copies import normalise
from ratchet.recipe.augment import AugmentFilters
from ratchet.recipe.sections import EmbeddingSpec

Doubles = npt.NDArray[np.float64]
PACKAGES = ("torch", "transformers", "onnx", "onnxruntime")
"""What vectors of an encoder need."""
_SHORTEST, _LONGEST = 1, 3
_ENTRIES = 1 << 20
_BLOCK = 20_000  # texts whose n-grams are held at a time


def likeness(texts: Sequence[str], parents: Sequence[str]) -> Doubles:
    """(n,) cosine of the counts of character 1-, 2- and 3-grams, blind to case and spaces; 0 where a text has none.

    N-grams are hashed (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"), without signs, so that
    two texts without a common character are at 0 but for chance.

    >>> likeness(["a clean room", "xyz"], ["A  clean room", "a clean room"]).round(3).tolist()
    [1.0, 0.0]
    """
    found = np.zeros(len(texts))
    for first in range(0, len(texts), _BLOCK):
        block = slice(first, first + _BLOCK)
        found[block] = _cosines(texts[block], parents[block])
    return found


def _cosines(texts: Sequence[str], parents: Sequence[str]) -> Doubles:
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        analyzer="char",
        ngram_range=(_SHORTEST, _LONGEST),
        n_features=_ENTRIES,
        norm="l2",
        alternate_sign=False,
        preprocessor=normalise,
    )
    ours, theirs = hashing.transform(texts), hashing.transform(parents)
    cosine: Doubles = np.clip(np.asarray(ours.multiply(theirs).sum(axis=1), np.float64).ravel(), 0.0, 1.0)
    return cosine


class VectorLikeness:
    """The cosine of the vectors that an encoder gives; each text is asked about once and kept in the workspace.

    Args:
        filters: where the vectors come from.
        language: of the texts.
        store: folder of all encoders.
        threads: cores; 0: all.
        columns: texts in a row.

    Raises:
        RatchetError: the source is not usable.
        ExtraMissing: a package is not installed.
    """

    def __init__(self, filters: AugmentFilters, *, language: str, store: Path, threads: int, columns: int) -> None:
        from ratchet.train.embedding import embedder

        require_vectors(filters, language=language)
        spec = EmbeddingSpec(source=filters.vectors)
        self._encoder = embedder(spec, language=language, cache=store, threads=threads, columns=columns)

    def __call__(self, texts: Sequence[str], parents: Sequence[str]) -> Doubles:
        """(n,) from 0 to 1."""
        vectors = self._encoder.vectors([*texts, *parents]).astype(np.float64)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(length > 0, length, 1.0)
        cosine: Doubles = np.clip((vectors[: len(texts)] * vectors[len(texts) :]).sum(axis=1), 0.0, 1.0)
        return cosine


def require_vectors(filters: AugmentFilters, *, language: str) -> None:
    """Refuse vectors that cannot be had.

    Raises:
        RatchetError: the source is not usable.
        ExtraMissing: a package is not installed.
    """
    from ratchet.models.checkpoints import locate

    missing = next((package for package in PACKAGES if find_spec(package) is None), None)
    if missing is not None:
        raise ExtraMissing(missing, extra="train", why="filters.vectors")
    if locate(filters.vectors, language=language).folder is None:
        raise RecipeError(
            f"filters.vectors must name a pretrained encoder but got {filters.vectors!r}, whose vectors know nothing.",
            next_step="Name a directory, package:NAME or a hub id, or leave it empty for character n-grams.",
        )
