"""Files before the guard: a table with a decision for each row, benign texts to calibrate on, scores to compare."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.errors import DataError
from ratchet.forms import FORMATS
from ratchet.guard.calibrate import Calibration, calibrate
from ratchet.guard.guard import Guard
from ratchet.tables.read import read_table
from ratchet.tables.roles import guess_roles
from ratchet.workspace.workspace import write_named

if TYPE_CHECKING:
    import pyarrow as pa

    from ratchet.gate.verdict import Verdict

ATTACK, BENIGN = "attack", "benign"
"""What the guard answers, in the column ``prediction``."""
_ATTACKS = frozenset((ATTACK, "malicious", "injection", "jailbreak", "unsafe", "1", "true", "yes", "攻击"))
_BENIGNS = frozenset((BENIGN, "safe", "clean", "legitimate", "ham", "0", "false", "no", "正常"))


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A table whose texts were judged."""

    rows: int
    flagged: int
    unread: int
    """Rows that were too long to be read whole."""
    reasons: dict[str, int]
    """Rows that were flagged, by the rule of the strongest reason."""
    out: Path | None

    @property
    def line(self) -> str:
        """What came out, in one sentence."""
        why = ", ".join(f"{count:,} {rule}" for rule, count in self.reasons.items())
        told = f"{self.flagged:,} of {self.rows:,} texts flagged" + (f" ({why})" if why else "")
        told += f"; {self.unread:,} were too long to be read whole" if self.unread else ""
        return f"{told}; wrote {self.out}" if self.out else told


def is_table(path: Path) -> bool:
    """Whether the guard reads a file as a table, by its extension; else it is one text."""
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    return bool(FORMATS.get(suffix))


def texts_of(path: Path, *, column: str = "") -> tuple[pa.Table, list[str]]:
    """A table, and its texts; of a table without a named column the text is guessed.

    Raises:
        DataError: the file cannot be read, or has no such column.
    """
    table = read_table(path).table
    found = column or guess_roles(table, name=path.name).roles.text
    return table, [text or "" for text in _cells(table, found, path)]


def check_table(guard: Guard, path: Path, *, column: str = "", out: Path | None = None) -> Checked:
    """Judge each text of a table; ``out`` gets the table with ``prediction``, ``score`` and the strongest reason.

    Raises:
        DataError: the table cannot be read, or ``out`` is not the name of a CSV file.
    """
    import pyarrow as pa

    if out is not None and out.suffix.lower() != ".csv":
        raise DataError(f"The result must be a CSV file but got {out}.", next_step="Give it the suffix .csv.")
    table, texts = texts_of(path, column=column)
    decisions = [guard.check(text) for text in texts]
    strongest = [decision.reasons[0] if decision.flagged else None for decision in decisions]
    if out is not None:
        added = {
            "prediction": [ATTACK if decision.flagged else BENIGN for decision in decisions],
            "score": [f"{decision.score:.6f}" for decision in decisions],
            "reason": [None if one is None else one.rule for one in strongest],
            "view": [None if one is None else one.view for one in strongest],
            "start": [None if one is None else str(one.start) for one in strongest],
            "end": [None if one is None else str(one.end) for one in strongest],
        }
        kept = table.drop_columns([name for name in added if name in table.column_names])
        for name, values in added.items():
            kept = kept.append_column(name, pa.array(values, pa.string()))
        write_named(out, _csv(kept))
    return Checked(
        rows=len(texts),
        flagged=sum(decision.flagged for decision in decisions),
        unread=sum(decision.unread > 0 for decision in decisions),
        reasons=dict(Counter(one.rule for one in strongest if one is not None).most_common()),
        out=out,
    )


def calibrate_on(guard: Guard, path: Path, *, column: str = "", rate: float = 0.01, level: float = 0.95) -> Calibration:
    """The threshold that keeps the rate on the benign texts of a table, each different one counted once."""
    _, texts = texts_of(path, column=column)
    return calibrate([guard.check(text).score for text in dict.fromkeys(texts)], rate=rate, level=level)


def compare_files(new: Path, old: Path, *, label: str = "label", score: str = "score", rate: float = 0.01) -> Verdict:
    """Whether the guard that gave the scores of one table is better than that of the other: see ``challenge``.

    Raises:
        DataError: the tables are not about the same rows, a score is no number, or a label is neither an attack nor benign.
    """
    from ratchet.guard.challenge import Side, challenge

    sides, labels = [], []
    for path in (new, old):
        table = read_table(path).table
        labels.append([_is_attack(cell, path) for cell in _cells(table, label, path)])
        sides.append(Side(name=path.stem, scores=[_number(cell, path) for cell in _cells(table, score, path)]))
    if labels[0] != labels[1]:
        raise DataError(
            f"{new} and {old} must have the same rows in the same order but their labels differ.",
            next_step="Let both guards judge the same table.",
        )
    return challenge(sides[0], sides[1], attack=labels[0], rate=rate)


def _cells(table: pa.Table, column: str, path: Path) -> list[str | None]:
    if column not in table.column_names:
        names = ", ".join(table.column_names)
        raise DataError(f"{path} must have the column {column!r} but has {names}.", next_step="Name one with --column.")
    cells: list[str | None] = table.column(column).to_pylist()
    return cells


def _is_attack(cell: str | None, path: Path) -> bool:
    plain = (cell or "").strip().lower()
    if plain not in _ATTACKS | _BENIGNS:
        raise DataError(
            f"A label of {path} must be attack or benign but got {cell!r}.",
            next_step="Name the column of the labels with --label.",
        )
    return plain in _ATTACKS


def _number(cell: str | None, path: Path) -> float:
    try:
        value = float(cell or "")
    except ValueError:
        value = float("nan")
    if value != value:
        raise DataError(
            f"A score of {path} must be a number but got {cell!r}.", next_step="Name the column with --score."
        )
    return value


def _csv(table: pa.Table) -> bytes:
    import pyarrow as pa
    from pyarrow import csv

    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink)
    return bytes(sink.getvalue())
