"""Who computes: threads beside the server, or processes of their own, asked through one contract."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from ratchet.bundle.predict import checked
from ratchet.models.model import Answers, Predictor


class Died(Exception):
    """A worker ended while it computed."""


class Failed(Exception):
    """A model failed in a worker process; the message names the kind of the error and its place, never a text."""


class Worker(Protocol):
    """One that computes one thing at a time."""

    def predict(self, rows: Sequence[str]) -> asyncio.Future[Answers]:
        """(n, k) answers to the rows, in a while; or ``Died``, or what the model failed with."""


class Crew(Protocol):
    """Workers of one model. Whoever takes one gives it back."""

    labels: tuple[str, ...]
    freed: Callable[[], None]
    """Is called when a worker has become free by itself."""

    async def start(self) -> None:
        """Load the model; what fails is raised."""

    def take(self) -> Worker | None:
        """A worker that is free, if there is one."""

    def give(self, worker: Worker) -> None:
        """It is free again, unless it has died."""

    @property
    def alive(self) -> int:
        """Workers that compute or could."""

    async def close(self) -> None:
        """Start nothing more, and end."""


class Threads:
    """Threads of this process: numpy and ONNX Runtime release the interpreter lock, and the model is in memory once.

    Args:
        load: is called once, in a thread.
        count: threads.
    """

    def __init__(self, load: Callable[[], Predictor], *, count: int) -> None:
        self._load, self._count = load, count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="ratchet-predict")
        self._idle: deque[Worker] = deque()
        self.labels: tuple[str, ...] = ()
        self.freed: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """As `Crew.start`."""
        model = await asyncio.get_running_loop().run_in_executor(self._pool, self._load)
        self.labels = tuple(model.labels)
        self._idle.extend(_Thread(model, self._pool) for _ in range(self._count))

    def take(self) -> Worker | None:
        """As `Crew.take`."""
        return self._idle.popleft() if self._idle else None

    def give(self, worker: Worker) -> None:
        """As `Crew.give`."""
        self._idle.append(worker)

    @property
    def alive(self) -> int:
        """As `Crew.alive`."""
        return self._count if self.labels else 0

    async def close(self) -> None:
        """As `Crew.close`."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Thread:
    """One of the threads."""

    def __init__(self, model: Predictor, pool: ThreadPoolExecutor) -> None:
        self._model, self._pool = model, pool

    def predict(self, rows: Sequence[str]) -> asyncio.Future[Answers]:
        """As `Worker.predict`."""
        return asyncio.get_running_loop().run_in_executor(self._pool, checked, self._model, rows)
