"""The model that always gives one text: the first champion of generation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ratchet.bounds import json_value
from ratchet.errors import BundleError
from ratchet.models.model import Answers

FILE = "answer.json"


class ConstantModel:
    """Gives the same text to every row."""

    labels = ("answer",)

    def __init__(self, *, answer: str) -> None:
        self.answer = answer

    def predict(self, texts: Sequence[str], /) -> Answers:
        """(n, 1) the text."""
        found = np.empty((len(texts), 1), dtype=object)
        found[:] = self.answer  # np.full would take NUL characters off its end
        return found

    def save(self, folder: Path, /) -> None:
        """Write the text."""
        (folder / FILE).write_text(
            json.dumps(self.answer, ensure_ascii=False) + "\n", encoding="utf-8", errors="surrogatepass"
        )

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> ConstantModel:
        """Read what ``save`` wrote.

        Raises:
            BundleError: the file is missing or holds no text.
        """
        del threads
        try:
            answer = json_value((folder / FILE).read_bytes())
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder / FILE} must hold a text but: {error}.", next_step="Run again.") from error
        if not isinstance(answer, str):
            raise BundleError(
                f"{folder / FILE} must hold a text but has {type(answer).__name__}.", next_step="Run again."
            )
        return cls(answer=answer)
