"""The engine: one loaded model, a bounded queue, a few threads, and a deadline for each request."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ratchet.bundle.predict import checked
from ratchet.endpoint.key import EndpointError, NoAnswer
from ratchet.errors import BundleError
from ratchet.models.model import Answers, Predictor
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import Refused

logger = logging.getLogger("ratchet.serve")

CHUNK = 32  # texts between two looks at the deadline
STATES = ("loading", "ready", "draining", "failed")
SELF_TEST = ("", "a", "服务正常", "\U0001f600\x00", "long " * 400)

Probe = Callable[[Answers], object]


class Expired(Exception):
    """The request's deadline passed before its texts were done."""


@dataclass
class Job:
    """One request on its way through the pool: what it asks may be asked of the model until its deadline."""

    model: Predictor
    stop: float
    abandoned: bool = False

    def predict(self, texts: Sequence[str]) -> Answers:
        """(n, k) answers to the texts, with the features beside them where the model has such.

        Raises:
            Expired: the deadline passed, or nobody waits any more.
        """
        parts = []
        for start in range(0, len(texts), CHUNK):
            if self.abandoned or time.monotonic() > self.stop:
                raise Expired
            parts.append(checked(self.model, texts[start : start + CHUNK]))
        return np.concatenate(parts) if parts else np.zeros((0, len(self.model.labels)), dtype=np.float32)


def worker_count(config: ServeConfig) -> int:
    """Threads that compute at the same time."""
    return config.workers or min(2, os.cpu_count() or 1)


def threads_each(config: ServeConfig) -> int:
    """Cores that one computing thread may use."""
    return max(1, (os.cpu_count() or 1) // worker_count(config))


class Engine:
    """Loads a model in the background and predicts in a bounded pool of threads.

    Args:
        load: is called once, in a thread.
        config: workers, queue and deadline.
        rows: what the model is asked before the first request; nothing where each answer costs money.
        probe: looks at its answers to these; where it raises, the server does not get ready.

    numpy and ONNX Runtime release the interpreter lock while they compute, so
    threads are enough and the model is in memory once.
    """

    def __init__(
        self, load: Callable[[], Predictor], *, config: ServeConfig, rows: Sequence[str] = SELF_TEST, probe: Probe
    ) -> None:
        self._load, self._rows, self._probe = load, rows, probe
        self._config = config
        self._room = worker_count(config) + config.queue
        self._pool = ThreadPoolExecutor(worker_count(config), thread_name_prefix="ratchet-predict")
        self._pending = 0
        self.model: Predictor | None = None
        self.failure: BaseException | None = None
        self.draining = False
        self.settled = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether the model is loaded, passed its self-test, and the server is not about to stop."""
        return self.model is not None and not self.draining

    @property
    def pending(self) -> int:
        """Requests that are computed or wait for it."""
        return self._pending

    @property
    def standing(self) -> str:
        """One of ``STATES``."""
        if self.failure is not None:
            return "failed"
        return "draining" if self.draining else "loading" if self.model is None else "ready"

    async def start(self) -> None:
        """Load and self-test the model; a failure is kept in ``failure``, and ``settled`` tells either way."""
        work = asyncio.wrap_future(self._pool.submit(self._loaded))
        await asyncio.wait({work})
        self.failure = work.exception()
        if self.failure is None:
            self.model = work.result()
        self.settled.set()

    def _loaded(self) -> Predictor:
        model = self._load()
        if not model.labels:
            raise BundleError("The model must have labels but has none.", next_step="Export the bundle again.")
        if len(self._rows):
            self._probe(checked(model, self._rows))
        return model

    def require_room(self) -> Predictor:
        """The model, if a request may be asked of it now; to be called before its body is read, too.

        Raises:
            Refused: 503 when the model is not ready or the queue is full.
        """
        if self.model is None:
            raise Refused(503, "not_ready", "The model is still loading.", headers={"Retry-After": "1"})
        if self._pending >= self._room:
            message = f"{self._pending} requests are waiting already; try again in a second."
            raise Refused(503, "busy", message, headers={"Retry-After": "1"})
        return self.model

    async def run(self, work: Callable[[Job], bytes], *, since: float) -> bytes:
        """The answer that ``work`` makes in a thread, from reading its body to writing its bytes.

        Args:
            work: asks the model through the job that it is given; what it raises as Refused is the client's mistake.
            since: when the request came, in seconds of time.monotonic().

        Raises:
            Refused: 503 when the model is not ready, the queue is full or an endpoint cannot be asked, 502 when an endpoint has
                no usable answer, 504 after the deadline, 500 if the model fails.
        """
        job = Job(self.require_room(), since + self._config.deadline)
        self._pending += 1
        running = self._pool.submit(work, job)
        answer = asyncio.wrap_future(running)
        answer.add_done_callback(self._leave)
        await asyncio.wait({answer}, timeout=max(0.0, job.stop - time.monotonic()))
        if not answer.done():
            job.abandoned = True
            running.cancel()
            raise _too_late(self._config)
        failure = answer.exception()
        if isinstance(failure, Expired):
            raise _too_late(self._config)
        if isinstance(failure, Refused):
            raise failure
        if isinstance(failure, EndpointError):
            asked = isinstance(failure, NoAnswer)
            raise Refused(502 if asked else 503, "no_answer" if asked else "endpoint_unavailable", failure.problem)
        if failure is not None:
            place = traceback.extract_tb(failure.__traceback__)[-1]
            # The exception's own text may hold the user's text, which does not belong in a log.
            logger.error("the model failed: %s at %s:%s", type(failure).__name__, place.filename, place.lineno)
            logger.debug("the model's traceback", exc_info=failure)
            raise Refused(500, "model_failed", "The model failed on this request; the server's log has the reason.")
        return answer.result()

    def _leave(self, answer: asyncio.Future[bytes]) -> None:
        """Free the place in the queue when the thread has really finished, not when its client went away."""
        self._pending -= 1
        if not answer.cancelled():
            answer.exception()  # asyncio warns of an exception that nobody looked at

    def close(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _too_late(config: ServeConfig) -> Refused:
    return Refused(504, "too_late", f"The request took longer than {config.deadline:g} seconds.")
