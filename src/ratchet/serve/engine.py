"""The engine: the bundle that is served now, whom its rows are given to, and how another takes its place."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from ratchet.bounds import usable_cores
from ratchet.endpoint.key import EndpointError, NoAnswer
from ratchet.errors import BundleError
from ratchet.models.model import Answers
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.crew import Crew, Failed, Worker
from ratchet.serve.messages import Refused
from ratchet.serve.scheduler import Expired, Gone, NoWorker, QueueFull, Scheduler

logger = logging.getLogger("ratchet.serve")

STATES = ("loading", "ready", "draining", "failed")
SELF_TEST = ("", "a", "服务正常", "\U0001f600\x00", "long " * 400)
RETRY = {"Retry-After": "1"}

What = TypeVar("What")


def worker_count(config: ServeConfig, *, processes: bool = False) -> int:
    """Workers that compute at the same time: a process for each core, or two threads."""
    cores = usable_cores()
    return config.workers or (cores if processes else min(2, cores))


def threads_each(workers: int) -> int:
    """Cores that each of so many workers may use."""
    return max(1, usable_cores() // workers)


@dataclass(frozen=True, kw_only=True, eq=False)
class Loading(Generic[What]):
    """A bundle that is to be served.

    Attributes:
        what: how it is asked, and how its answers are written.
        crew: its workers, not yet started.
        prove: asks a worker what the bundle is known to answer, and raises where it answers otherwise; it may also choose how
            waiting rows are computed: ``True`` for several requests in one call.
    """

    what: What
    crew: Crew
    prove: Callable[[Worker], Awaitable[bool]]


@dataclass(kw_only=True, eq=False)
class Served(Generic[What]):
    """A bundle that is served."""

    what: What
    crew: Crew
    scheduler: Scheduler
    users: int = 0
    """Requests that came to it and have no answer yet."""

    @contextmanager
    def used(self) -> Iterator[None]:
        """While a request needs it."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1


class Engine(Generic[What]):
    """Answers rows by the bundle that is served now.

    Args:
        load: the bundle to begin with.
        config: queue and deadline.
    """

    def __init__(self, load: Callable[[], Loading[What]], *, config: ServeConfig) -> None:
        self._load, self._config = load, config
        self._swap = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()
        self.served: Served[What] | None = None
        self.failure: BaseException | None = None
        self.draining = False
        self.settled = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether a model is loaded and proven, a worker lives, and the server is not about to stop."""
        return self.served is not None and bool(self.served.crew.alive) and not self.draining

    @property
    def waiting(self) -> int:
        """Requests that wait for a worker."""
        return 0 if self.served is None else self.served.scheduler.waiting

    @property
    def standing(self) -> str:
        """One of ``STATES``."""
        if self.failure is not None:
            return "failed"
        return "draining" if self.draining else "loading" if self.served is None else "ready"

    async def start(self) -> None:
        """Load and prove the first bundle; a failure is kept in ``failure``, and ``settled`` tells either way."""
        try:
            self.served = await self._begun(self._load)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server tells it and ends
            self.failure = error
        finally:
            self.settled.set()

    async def swap(self, load: Callable[[], Loading[What]]) -> Served[What]:
        """Serve another bundle from now on; requests that came before are answered by the one that they came to.

        Args:
            load: opens and verifies it; is called in a thread.

        Raises:
            RatchetError: it is damaged, does not load, or answers otherwise than when it was exported. The old one serves on.
        """
        async with self._swap:
            fresh, before = await self._begun(load), self.served
            self.served = fresh
            if before is not None:
                leaving = asyncio.create_task(_left(before))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
            return fresh

    async def _begun(self, load: Callable[[], Loading[What]]) -> Served[What]:
        loading = await asyncio.to_thread(load)
        crew = loading.crew
        try:
            await crew.start()
            if not crew.labels:
                raise BundleError("The model must have labels but has none.", next_step="Export the bundle again.")
            worker = crew.take()
            assert worker is not None
            together = await loading.prove(worker)
            crew.give(worker)
        except BaseException:
            await crew.close()
            raise
        scheduler = Scheduler(crew, queue=self._config.queue, together=together)
        return Served(what=loading.what, crew=crew, scheduler=scheduler)

    def require_room(self) -> Served[What]:
        """What is served, if a request may be asked of it now; to be called before its body is read, too.

        Raises:
            Refused: 503 when no model is ready, 429 when the queue is full.
        """
        served = self.served
        if served is None or not served.crew.alive:
            what = "The model is still loading." if served is None else "The workers are being started again."
            raise Refused(503, "not_ready", what, headers=RETRY)
        if served.scheduler.full:
            raise _busy(served)
        return served

    async def ask(
        self,
        served: Served[What],
        rows: Sequence[str],
        *,
        seconds: float,
        gone: Callable[[], Awaitable[object]] | None = None,
    ) -> Answers:
        """(n, k) answers to the rows, at least one, by a bundle that ``require_room`` gave.

        Args:
            served: the bundle.
            rows: what is asked.
            seconds: from now until the request's deadline.
            gone: ends when nobody waits for the answer any more.

        Raises:
            Refused: 429 when the queue is full, 504 after the deadline, 503 when no worker lives or an endpoint cannot be
                asked, 502 when an endpoint has no usable answer, 500 if the model fails.
            Gone: nobody waits.
        """
        try:
            return await served.scheduler.ask(rows, seconds=seconds, gone=gone)
        except Gone:
            raise
        except QueueFull:
            raise _busy(served) from None
        except Expired:
            message = f"The request took longer than {self._config.deadline:g} seconds."
            raise Refused(504, "too_late", message) from None
        except NoWorker:
            message = "The workers that computed this request have died; the server's log has the reason."
            raise Refused(503, "worker_died", message, headers=RETRY) from None
        except EndpointError as error:
            asked = isinstance(error, NoAnswer)
            raise Refused(
                502 if asked else 503, "no_answer" if asked else "endpoint_unavailable", error.problem
            ) from error
        except Exception as error:
            _log(error)
            message = "The model failed on this request; the server's log has the reason."
            raise Refused(500, "model_failed", message) from error

    async def close(self) -> None:
        """Start nothing more, and end all workers."""
        for leaving in self._leaving:
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        if self.served is not None:
            await self.served.crew.close()


async def _left(before: Served[What]) -> None:
    """Wait until the last request of a bundle that is served no more has its answer, and end its workers."""
    try:
        while before.users or before.scheduler.busy:
            await asyncio.sleep(0.05)
    finally:
        await before.crew.close()


def _busy(served: Served[What]) -> Refused:
    message = f"{served.scheduler.waiting} requests are waiting already; try again in a second."
    return Refused(429, "busy", message, headers=RETRY)


def _log(error: Exception) -> None:
    """The exception's own text may hold the user's text, which does not belong in a log."""
    if isinstance(error, Failed):
        logger.error("the model failed: %s", error)
        return
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("the model failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    logger.debug("the model's traceback", exc_info=error)
