"""The errors a user can cause and mend; the command line turns each into one line and exit code 2."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from ratchet.forms import legible

LONGEST = 1_000
"""Characters of a problem that are shown: what it quotes may be as long as a file."""


class RatchetError(Exception):
    """A user's mistake: what is wrong, and what to do next.

    Whatever they quote, both are one line without control characters.

    Args:
        problem: one sentence of the form "X must be Y but got Z.", naming the row, column, key or file.
        next_step: one sentence that tells what to do about it.
    """

    def __init__(self, problem: str, *, next_step: str = "") -> None:
        super().__init__(problem)
        self.problem = _line(problem)
        self.next_step = _line(next_step)

    def __str__(self) -> str:
        return f"{self.problem} {self.next_step}".strip()


def _line(text: str) -> str:
    plain = legible(re.sub(r"\s*[\r\n]\s*", " ", text))
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST // 2]} ... {plain[-LONGEST // 2 :]}"


class RecipeError(RatchetError):
    """The recipe (``ratchet.yaml`` or ``--set``) is not usable."""


class MetricFailed(RecipeError):
    """A metric has no value for the answers of a model that is being trained."""


class DataError(RatchetError):
    """A table, a column or a row is not usable."""


class WorkspaceError(RatchetError):
    """The workspace folder is read-only, full, damaged or in use by another run."""


class LedgerError(WorkspaceError):
    """The ledger is damaged: a record was cut, edited or reordered."""


class BundleError(RatchetError):
    """A bundle is incomplete, was changed, or disagrees with the model it was made from."""


class ExtraMissing(RatchetError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, *, extra: str, why: str) -> None:
        super().__init__(
            f"{why} needs the package {package!r}, which is not installed.",
            next_step=f"Run: pip install 'ratchetml[{extra}]'",
        )


def no_such_column(column: str, names: Sequence[str], *, table: str, role: str, otherwise: str) -> DataError:
    """The error of a column that is named but not there; the next step is the nearest name, or ``otherwise``."""
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(column.casefold(), folded, n=1, cutoff=0.5)
    have = ", ".join(map(repr, names[:8])) + (" ..." if len(names) > 8 else "")
    return DataError(
        f"{table} must have the column {column!r} ({role}) but has {have}.",
        next_step=f"Did you mean {folded[near[0]]!r}?" if near else otherwise,
    )
