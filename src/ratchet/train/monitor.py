"""What a training reports while it runs: one JSON line a step, and TensorBoard event files when that is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Self

from ratchet.workspace.workspace import write_atomic, writing

STEPS = "steps.jsonl"
BOARD = "tensorboard"


class Monitor:
    """Writes ``steps.jsonl`` and ``tensorboard/`` under a folder.

    Args:
        folder: of the training.
        step: where the training goes on; what a killed run wrote from there on is taken out, so nothing is twice.
    """

    def __init__(self, folder: Path, *, step: int = 0) -> None:
        self.path = folder / STEPS
        write_atomic(self.path, "".join(_before(self.path, step=step)).encode())
        self._lines: IO[str] = self.path.open("a", encoding="utf-8")
        self._board = _board(folder / BOARD, step=step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Record named numbers at a step."""
        with writing(self.path):
            self._lines.write(json.dumps({"step": step, **values}) + "\n")
            if self._board is not None:
                for name, value in values.items():
                    self._board.add_scalar(name, value, global_step=step)

    def flush(self) -> None:
        """Hand everything to the operating system, so that a live view sees it."""
        with writing(self.path):
            self._lines.flush()
            if self._board is not None:
                self._board.flush()

    def close(self) -> None:
        """Flush and close."""
        with writing(self.path):
            self._lines.close()
            if self._board is not None:
                self._board.close()


def _before(path: Path, *, step: int) -> list[str]:
    """The lines of an earlier run that are before ``step``; a line that a kill cut is left out."""
    if step == 0 or not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return [line for line in lines if _step_of(line) < step]


def _step_of(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def _board(folder: Path, *, step: int) -> Any:
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step or None, max_queue=1000, flush_secs=10)
