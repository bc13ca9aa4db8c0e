"""A Dataset: rows, the roles of their columns, and where each row came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from ratchet.recipe.sections import FeatureKind
from ratchet.text.columns import Rows
from ratchet.text.columns import taken as cells_of

_BATCH = 1 << 14


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which column plays which part; ``None`` where the table has no such column."""

    text: str
    label: str | None = None
    group: str | None = None
    time: str | None = None
    id: str | None = None
    texts: tuple[str, ...] = ()
    """The columns that ``text`` was joined from; empty: it is a column of the table as it came."""
    features: tuple[tuple[str, FeatureKind], ...] = ()
    """The columns that models may use beside the text, in the order of the recipe."""

    @property
    def used(self) -> frozenset[str]:
        """Every column with a role."""
        named = (self.text, self.label, self.group, self.time, self.id, *self.texts, *dict(self.features))
        return frozenset(name for name in named if name is not None)

    @property
    def own_texts(self) -> tuple[str, ...]:
        """The columns of the table as it came that hold the text."""
        return self.texts or (self.text,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A table of strings (null where a cell is missing) with the roles of its columns.

    ``origin[i]`` is the 1-based data row (header not counted) of row ``i`` in ``files[file_index[i]]``: every message
    about a row names it by that number, however often the table was filtered since.
    """

    table: pa.Table
    roles: Roles
    files: tuple[str, ...]
    file_index: Rows
    origin: Rows
    queues: tuple[int, ...] = ()
    """Which of the files are queues: their rows were chosen to be labelled, not drawn."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> list[str | None]:
        """The cells of one column, ``None`` where missing."""
        cells: list[str | None] = self.table.column(name).to_pylist()
        return cells

    @cached_property
    def texts(self) -> list[str]:
        """The text of each row; a missing text is the empty string."""
        return [text or "" for text in self.column(self.roles.text)]

    @cached_property
    def labels(self) -> list[str]:
        """The label of each row; a missing label is the empty string."""
        if self.roles.label is None:
            return [""] * len(self)
        return [label or "" for label in self.column(self.roles.label)]

    @property
    def queued(self) -> Rows:
        """Positions of the rows of queues."""
        return np.flatnonzero(np.isin(self.file_index, self.queues))

    def place(self, row: int) -> str:
        """Where a row of this dataset came from, as messages say it: ``row 7 of train.csv``."""
        return f"row {self.origin[row]} of {self.files[self.file_index[row]]}"

    def find(self, file_index: Rows, origin: Rows) -> Rows:
        """Positions of the rows that came from there, -1 where this dataset has none."""
        if not len(self):
            return np.full(len(origin), -1, np.int64)
        width = int(max(self.origin.max(), origin.max(initial=0))) + 1
        places, wanted = self.file_index * width + self.origin, file_index * width + origin
        order = np.argsort(places, kind="stable")
        at = order[np.minimum(np.searchsorted(places, wanted, sorter=order), len(self) - 1)]
        return np.where((places[at] == wanted) & (origin >= 0) & (file_index >= 0), at, -1)

    def take(self, rows: Rows | Sequence[int]) -> Dataset:
        """The given rows (0-based positions in this dataset), in that order."""
        index = np.asarray(rows, dtype=np.int64)
        taken = replace(
            self,
            table=pa.table({name: cells_of(self.table.column(name), index) for name in self.table.column_names}),
            file_index=self.file_index[index],
            origin=self.origin[index],
        )
        if "texts" in self.__dict__:  # share the strings: a million reviews take 250 MB
            texts = self.texts
            taken.__dict__["texts"] = [texts[row] for row in index.tolist()]
        return taken

    @cached_property
    def content_hash(self) -> str:
        """sha256 over roles, column names and every cell, in order; 64 hex digits."""
        digest = hashlib.sha256(repr((self.roles, self.table.column_names)).encode())
        for name in self.table.column_names:
            for cell in (cell for chunk in self.table.column(name).chunks for cell in chunk.to_pylist()):
                data = b"\xff" if cell is None else cell.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "little"))
                digest.update(data)
        return digest.hexdigest()


def concat(first: Dataset, second: Dataset) -> Dataset:
    """The rows of ``first``, then those of ``second``, in the columns that both have; the roles of ``first``."""
    names = [name for name in first.table.column_names if name in second.table.column_names]
    return Dataset(
        table=pa.concat_tables([first.table.select(names), second.table.select(names)]),
        roles=first.roles,
        files=first.files + second.files,
        file_index=np.concatenate([first.file_index, second.file_index + len(first.files)]),
        origin=np.concatenate([first.origin, second.origin]),
    )


def row_digests(dataset: Dataset) -> list[bytes]:
    """A 32-byte blake2b of each row's column names and cells; equal exactly for equal rows."""
    names = sorted(dataset.table.column_names)
    table = dataset.table.select(names)
    head = hashlib.blake2b(repr(names).encode(), digest_size=32)
    digests = []
    for batch in table.to_batches(max_chunksize=_BATCH):
        for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            digest = head.copy()
            for cell in cells:
                data = b"\xff" if cell is None else cell.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "little") + data)
            digests.append(digest.digest())
    return digests
