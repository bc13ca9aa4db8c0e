"""Prepared rows without a run: five folds and a test part, of any task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Table, generate
from tests.endpoint.conftest import server
from tests.trial import trial

from ratchet.contenders.kind import Training
from ratchet.contenders.rows import PartedRows
from ratchet.prepare.parts import parts_of
from ratchet.tasks.registry import task_of

__all__ = ["server", "trial"]

COUNT = 180
TEXTS, LABELS = generate(COUNT, seed=11)


@pytest.fixture
def parted(table: Table) -> Callable[..., PartedRows]:
    """Rows of which every sixth is test, the others are folds 0 to 4."""

    def make(
        task: str = "classification",
        cells: Sequence[str] = LABELS,
        *,
        order: str = "random",
        key: str = "rows",
        **more: Any,
    ) -> PartedRows:
        dataset = task_of(task).read(table({"text": TEXTS[: len(cells)], "label": list(cells)}))
        fold = np.arange(len(dataset)) % 6 - 1
        parts = parts_of(dataset, fold.astype(np.int64), order=order, labelled=False)  # type: ignore[arg-type]
        return PartedRows(dataset=dataset, parts=parts, language="en", seal="", key=key, task=task_of(task), **more)

    return make


@pytest.fixture
def training(tmp_path: Path) -> Callable[..., Training]:
    """What a contender of these rows is trained with."""

    def make(rows: PartedRows, *, name: str = "mine", kind: str = "linear", **more: Any) -> Training:
        return Training(
            rows=rows,
            name=name,
            kind=kind,
            key=f"{name}-key",
            seed=1,
            threads=1,
            store=tmp_path / "models",
            advance=lambda done, total, text: None,
            **more,
        )

    return make
