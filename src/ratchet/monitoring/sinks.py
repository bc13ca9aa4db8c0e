"""Where the numbers of a training go: a file with a JSON line a step, and TensorBoard event files."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from ratchet.workspace.workspace import write_atomic, writing

STEPS = "steps.jsonl"
BOARD = "tensorboard"
Line = tuple[int, dict[str, float]]
"""A step and its numbers by name."""


class Sink(ABC):
    """Takes numbers by step. One that is opened at a step has nothing from there on: what a killed run wrote is purged."""

    @abstractmethod
    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Record named numbers at a step; steps never go down."""

    @abstractmethod
    def flush(self) -> None:
        """Hand everything on, so that others see it."""

    @abstractmethod
    def close(self, *, whole: bool) -> None:
        """Flush and end; ``whole``: the training came to its end."""


class Lines(Sink):
    """``steps.jsonl``: one JSON object a call, with ``step`` first.

    Args:
        folder: of the training.
        step: where it goes on.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        self.path = folder / STEPS
        self.before: list[Line] = read_lines(self.path, step=step) if step else []
        text = "".join(_written(at, values) for at, values in self.before)
        write_atomic(self.path, text.encode())
        self._lines: IO[str] = self.path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """As `Sink.write`.

        Raises:
            WorkspaceError: the disk is full.
        """
        with writing(self.path):
            self._lines.write(_written(step, values))

    def flush(self) -> None:
        """As `Sink.flush`."""
        with writing(self.path):
            self._lines.flush()

    def close(self, *, whole: bool) -> None:
        """As `Sink.close`."""
        del whole
        with writing(self.path):
            self._lines.close()


class Board(Sink):
    """``tensorboard/``: event files, where tensorboard is installed."""

    def __init__(self, folder: Path, *, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / BOARD
        self._writer: Any = SummaryWriter(str(self.path), purge_step=step or None, max_queue=1000, flush_secs=10)

    @staticmethod
    def installed() -> bool:
        """Whether there is what it needs."""
        return find_spec("tensorboard") is not None and find_spec("torch") is not None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """As `Sink.write`."""
        with writing(self.path):
            for name, value in values.items():
                self._writer.add_scalar(name, value, global_step=step)

    def flush(self) -> None:
        """As `Sink.flush`."""
        with writing(self.path):
            self._writer.flush()

    def close(self, *, whole: bool) -> None:
        """As `Sink.close`."""
        del whole
        with writing(self.path):
            self._writer.close()


def read_lines(path: Path, *, step: float = math.inf) -> list[Line]:
    """What a training wrote before ``step``; a line that a kill cut, or that is none of ours, is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = (line_of(line) for line in text.splitlines())
    return [line for line in found if line is not None and line[0] < step]


def line_of(text: str) -> Line | None:
    """One line as it was written; ``None`` where it is none."""
    try:
        values = json.loads(text)
        step = values.pop("step")
        if isinstance(step, bool) or not isinstance(step, int):
            return None
        return step, {str(name): float(value) for name, value in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _written(step: int, values: Mapping[str, float]) -> str:
    return json.dumps({"step": step, **values}) + "\n"
