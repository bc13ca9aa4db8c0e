"""The answer of the most alike training prompt: TF-IDF over character n-grams, for answers that come again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import BundleError
from ratchet.models.model import Answers
from ratchet.models.ngrams import normalise

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

WIDTH = 2**20
"""Places that n-grams are hashed to."""
ANSWERS, ARRAYS = "answers.json", "prompts.safetensors"
FORMAT = "ratchet-nearest-1"
_BLOCK = 512


class NearestModel:
    """Gives each text the answer of the training prompt with the highest cosine similarity; of equals, the first.

    Args:
        low: shortest n-gram of characters; ``high``: longest.
        answers: (n,) of the training prompts.
        idf: (WIDTH,) weight of each hashed n-gram.
        prompts: (n, WIDTH) rows of length one, already weighted.
    """

    labels = ("answer",)

    def __init__(
        self, *, low: int, high: int, answers: Sequence[str], idf: npt.NDArray[np.float32], prompts: csr_matrix
    ) -> None:
        self.low, self.high, self.answers, self.idf, self.prompts = low, high, tuple(answers), idf, prompts

    @classmethod
    def fit(cls, texts: Sequence[str], answers: Sequence[str], *, low: int, high: int) -> NearestModel:
        """Remember the prompts and their answers; equal pairs are kept once."""
        pairs = [*dict.fromkeys(zip(map(normalise, texts), answers, strict=True))]
        counts = _counts([text for text, _ in pairs], low=low, high=high)
        seen = np.bincount(counts.indices, minlength=WIDTH)
        idf = (np.log((1 + len(pairs)) / (1 + seen)) + 1).astype(np.float32)
        model = cls(low=low, high=high, answers=[answer for _, answer in pairs], idf=idf, prompts=counts)
        model.prompts = model._weighted(counts)
        return model

    def predict(self, texts: Sequence[str], /) -> Answers:
        """(n, 1) the answers."""
        found = np.empty((len(texts), 1), dtype=object)
        for start in range(0, len(texts), _BLOCK):
            block = [normalise(text) for text in texts[start : start + _BLOCK]]
            alike = self._weighted(_counts(block, low=self.low, high=self.high)) @ self.prompts.T
            for row, near in enumerate(np.asarray(alike.argmax(axis=1)).ravel().tolist()):
                found[start + row, 0] = self.answers[near]
        return found

    def _weighted(self, counts: csr_matrix) -> csr_matrix:
        """Rows of length one; counts enter by 1 + ln(count)."""
        from sklearn.preprocessing import normalize

        weighted = counts.astype(np.float32)
        weighted.data = ((1 + np.log(weighted.data)) * self.idf[weighted.indices]).astype(np.float32)
        return normalize(weighted, copy=False)

    def save(self, folder: Path, /) -> None:
        """Write the model as two files."""
        from safetensors.numpy import save

        from ratchet.workspace.workspace import write_atomic

        used = np.flatnonzero(np.bincount(self.prompts.indices, minlength=WIDTH)).astype(np.int32)
        arrays = {
            "data": self.prompts.data.astype(np.float32),
            "indices": self.prompts.indices.astype(np.int32),
            "indptr": self.prompts.indptr.astype(np.int64),
            "used": used,
            "idf": self.idf[used],
            "unseen": self.idf.max(keepdims=True),
        }
        described = {"format": FORMAT, "low": self.low, "high": self.high, "answers": self.answers}
        write_atomic(folder / ARRAYS, save(arrays))
        write_atomic(folder / ANSWERS, json.dumps(described).encode())

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> NearestModel:
        """Read what ``save`` wrote.

        Raises:
            BundleError: a file is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load
        from scipy.sparse import csr_matrix

        del threads
        try:
            described = json_value((folder / ANSWERS).read_bytes())
            arrays = load((folder / ARRAYS).read_bytes())
            if described["format"] != FORMAT:
                raise ValueError(f"the format is {described['format']!r}")
            answers = [str(answer) for answer in described["answers"]]
            idf = np.full(WIDTH, arrays["unseen"][0], np.float32)
            idf[arrays["used"]] = arrays["idf"]
            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            prompts = csr_matrix(parts, shape=(len(answers), WIDTH))
            prompts.check_format()
        except (OSError, KeyError, TypeError, ValueError, IndexError, SafetensorError) as error:
            raise BundleError(
                f"{folder} must hold the prompts and answers of a model but its files do not fit ({error}).",
                next_step="Export the model again with this version of ratchet.",
            ) from error
        return cls(low=int(described["low"]), high=int(described["high"]), answers=answers, idf=idf, prompts=prompts)


def _counts(texts: Sequence[str], *, low: int, high: int) -> csr_matrix:
    """(n, WIDTH) how often each hashed n-gram occurs."""
    from sklearn.feature_extraction.text import HashingVectorizer

    settings: dict[str, Any] = {"alternate_sign": False, "norm": None, "lowercase": False, "dtype": np.float32}
    hashed = HashingVectorizer(analyzer="char", ngram_range=(low, high), n_features=WIDTH, **settings)
    return hashed.transform(texts)
