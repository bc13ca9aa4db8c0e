"""The rows of a score: answers beside their references, or a refusal that says which row lacks one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError

Floats = npt.NDArray[np.float64]
Texts = Sequence[str | None]


def paired(answers: Texts, references: Texts) -> list[tuple[str | None, str]]:
    """Each answer with its reference.

    Raises:
        DataError: there are not as many, or a row has no reference.
    """
    if len(answers) != len(references):
        raise DataError(
            f"There must be a reference for each answer but there are {len(answers):,} and {len(references):,}.",
            next_step="Match the answers with their rows first.",
        )
    found = [
        (answer, reference) for answer, reference in zip(answers, references, strict=True) if reference is not None
    ]
    if len(found) < len(answers):
        first = next(row for row, reference in enumerate(references) if reference is None)
        raise DataError(
            f"Each row must have a right answer but {len(answers) - len(found):,} of {len(answers):,} have none, row "
            f"{first + 1:,} first.",
            next_step="Leave out these rows, or choose a score that needs no reference.",
        )
    return found


def scored(answers: Texts, references: Texts, one: Callable[[str, str], float]) -> Floats:
    """The score of each row, 0 where there is no answer; shape (n,)."""
    pairs = paired(answers, references)
    return np.array(
        [0.0 if answer is None else one(answer, reference) for answer, reference in pairs], dtype=np.float64
    )
