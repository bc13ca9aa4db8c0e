"""What a bundle must show before it is served: it answers at all, and its golden rows as when it was exported."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ratchet.bundle.golden import Golden
from ratchet.errors import BundleError
from ratchet.models.model import Answers
from ratchet.serve.crew import Worker
from ratchet.tasks.task import Task

logger = logging.getLogger("ratchet.serve")

OTHER = 0.1
"""Share of the golden rows that may have another answer: processors round int8 graphs in two ways."""
MOVED = 1e-3
"""A difference of a probability that is said."""
ROUNDS = 3
GAIN = 0.95
"""Several requests in one call must take less than this share of the time of one after the other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof:
    """What a worker is asked before the first request.

    Attributes:
        name: of the bundle, for messages.
        rows: odd ones, whatever the model answers to them; none where each answer costs money.
        written: writes answers as those of requests are written, and raises where it cannot.
        golden: rows with known answers.
        task: says how far two answers are apart.
        several: whether several requests may be computed in one call, where that is measured to be faster.
    """

    name: str
    rows: Sequence[str]
    written: Callable[[Answers], object]
    golden: Golden | None
    task: Task
    several: bool

    async def __call__(self, worker: Worker) -> bool:
        """Whether waiting requests are to be computed several in one call.

        Raises:
            BundleError: the model answers its golden rows otherwise than when it was exported.
            Exception: it fails on a row.
        """
        if len(self.rows):
            self.written(await worker.predict(self.rows))
        rows, several = self.rows, self.several
        if self.golden is not None and len(self.golden.rows):
            rows = self.golden.rows
            self._compare(await worker.predict(rows), self.golden)
            several &= (
                self.golden.answers.dtype != object
            )  # what is written must not depend on what is written beside it
        return several and bool(len(rows)) and await _is_faster_together(worker, rows)

    def _compare(self, answers: Answers, golden: Golden) -> None:
        found = self.task.parity(golden.answers, answers)
        if found.disagreement > OTHER:
            raise BundleError(
                f"The model of {self.name} must answer its golden rows as when it was exported but answers "
                f"{found.disagreements} of {found.n} otherwise.",
                next_step="Install the versions named in its manifest, or export it again on such a machine.",
            )
        if found.max_difference > MOVED:
            logger.warning(
                "%s answers its golden rows a little otherwise than where it was exported: by up to %.2g, %d of %d labels",
                self.name,
                found.max_difference,
                found.disagreements,
                found.n,
            )


async def _is_faster_together(worker: Worker, rows: Sequence[str]) -> bool:
    """Whether one call with all rows takes clearly less time than a call for each, in alternating rounds."""
    shares = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for place in range(len(rows)):
            await worker.predict(rows[place : place + 1])
        between = time.perf_counter()
        await worker.predict(rows)
        shares.append((time.perf_counter() - between) / (between - begun))
    share = statistics.median(shares)
    together = bool(share < GAIN)
    logger.info("%d rows in one call take %.2f of the time of one by one: %s", len(rows), share, _POLICY[together])
    return together


_POLICY = {True: "waiting requests are computed together", False: "requests are computed one by one"}
