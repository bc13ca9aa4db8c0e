from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.answers.answer_file import AnswerFile

Make = Callable[..., AnswerFile]


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[[str, Sequence[Mapping[str, Any]]], Path]:
    def write(name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def answers() -> Make:
    """A file of answers from columns, without a file."""

    def make(said: Sequence[str | None], name: str = "a", **columns: Any) -> AnswerFile:
        nothing = (None,) * len(said)
        return AnswerFile(
            path=Path(f"{name}.csv"),
            format="table",
            model=name,
            ids=tuple(columns.get("ids", nothing)),
            inputs=tuple(columns.get("inputs", nothing)),
            references=tuple(columns.get("references", nothing)),
            answers=tuple(said),
            epochs=np.array(columns.get("epochs", [0] * len(said)), dtype=np.int64),
            scores={},
            measures={},
            columns=columns.get("columns", {}),
        )

    return make
