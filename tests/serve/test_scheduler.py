from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers
from ratchet.serve.crew import Died, Worker
from ratchet.serve.scheduler import PIECE, Expired, Gone, NoWorker, QueueFull, Scheduler


class Played:
    """A crew whose workers answer with the lengths of the texts; a text may kill its worker, or fail."""

    labels = ("length",)

    def __init__(self, count: int = 1) -> None:
        self.idle: list[Worker] = [_Player(self) for _ in range(count)]
        self.count = count
        self.freed: Callable[[], None] = lambda: None
        self.calls: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.most = self.now = 0

    async def start(self) -> None:
        pass

    def take(self) -> Worker | None:
        return self.idle.pop(0) if self.idle else None

    def give(self, worker: Worker) -> None:
        assert worker not in self.idle
        if worker.alive:  # type: ignore[attr-defined]
            self.idle.append(worker)

    @property
    def alive(self) -> int:
        return self.count

    async def close(self) -> None:
        pass


class _Player:
    def __init__(self, crew: Played) -> None:
        self.crew, self.alive = crew, True

    def predict(self, rows: Sequence[str]) -> asyncio.Future[Answers]:
        return asyncio.ensure_future(self._predicted(rows))

    async def _predicted(self, rows: Sequence[str]) -> Answers:
        self.crew.now += 1
        self.crew.most = max(self.crew.most, self.crew.now)
        self.crew.calls.append(list(rows))
        await self.crew.gate.wait()
        await asyncio.sleep(0)
        self.crew.now -= 1
        if "kill" in rows:
            self.alive = False
            self.crew.count -= 1
            raise Died
        if "fail" in rows:
            raise ValueError("fail")
        return np.array([[len(text)] for text in rows], dtype=np.float64)


def play(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(work())  # type: ignore[arg-type]


def test_pieces_come_back_in_their_order_and_small_requests_do_not_wait_for_a_large_one() -> None:
    async def work() -> None:
        crew = Played()
        scheduler = Scheduler(crew, queue=8)
        large = [("x" * (place % 7)) for place in range(5 * PIECE + 3)]
        both = await asyncio.gather(scheduler.ask(large, seconds=5), scheduler.ask(["abc"], seconds=5))
        assert [row[0] for row in both[0].tolist()] == [len(text) for text in large]
        assert both[1].tolist() == [[3.0]]
        assert [len(call) for call in crew.calls].index(1) <= 2
        assert crew.most == 1
        assert (scheduler.busy, scheduler.waiting) == (0, 0)

    play(work)


def test_two_workers_share_one_large_request() -> None:
    async def work() -> None:
        crew = Played(2)
        found = await Scheduler(crew, queue=8).ask(["ab"] * (4 * PIECE), seconds=5)
        assert found.shape == (4 * PIECE, 1)
        assert crew.most == 2

    play(work)


def test_waiting_requests_are_computed_together_where_that_is_asked_for() -> None:
    async def work() -> None:
        for together, calls in ((False, [1, 1, 1, 2]), (True, [1, 4])):
            crew = Played()
            scheduler = Scheduler(crew, queue=8, together=together)
            found = await asyncio.gather(
                *(scheduler.ask(rows, seconds=5) for rows in (["a"], ["bb"], ["c"], ["d", "eee"]))
            )
            assert [rows.ravel().tolist() for rows in found] == [[1], [2], [1], [1, 3]]
            assert [len(call) for call in crew.calls] == calls

    play(work)


def test_features_stay_with_their_rows_in_one_call() -> None:
    async def work() -> None:
        crew = Played()
        seen: list[dict[str, Any]] = []
        first = crew.idle[0]
        plain = first.predict

        def predict(rows: Sequence[str]) -> asyncio.Future[Answers]:
            seen.append(dict(Inputs.of(rows).features))
            return plain(rows)

        first.predict = predict  # type: ignore[method-assign]
        scheduler = Scheduler(crew, queue=8, together=True)
        rows = [Inputs(["a"], {"n": ["1"]}), Inputs(["b"], {"n": ["2"]}), Inputs(["c"], {"n": [None]})]
        await asyncio.gather(*(scheduler.ask(one, seconds=5) for one in rows))
        assert seen == [{"n": ("1",)}, {"n": ("2", None)}]

    play(work)


def test_the_queue_is_bounded_and_what_nobody_waits_for_leaves_it() -> None:
    async def work() -> None:
        crew = Played()
        crew.gate.clear()
        scheduler = Scheduler(crew, queue=2)
        computed = asyncio.create_task(scheduler.ask(["computed"], seconds=5))
        await asyncio.sleep(0)
        late = asyncio.create_task(scheduler.ask(["late"], seconds=0.05))
        gone = asyncio.create_task(scheduler.ask(["gone"], seconds=5, gone=lambda: asyncio.sleep(0.1)))
        await asyncio.sleep(0)
        assert scheduler.full
        with pytest.raises(QueueFull):
            await scheduler.ask(["full"], seconds=5)
        with pytest.raises(Expired):
            await late
        assert not scheduler.full
        with pytest.raises(Gone):
            await gone
        crew.gate.set()
        assert (await computed).tolist() == [[8.0]]
        assert crew.calls == [["computed"]]

    play(work)


def test_a_request_that_is_too_late_leaves_its_worker_busy_until_that_is_done() -> None:
    async def work() -> None:
        crew = Played()
        crew.gate.clear()
        scheduler = Scheduler(crew, queue=0)
        with pytest.raises(Expired):
            await scheduler.ask(["slow"], seconds=0.02)
        assert scheduler.full
        crew.gate.set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not scheduler.full

    play(work)


def test_rows_of_a_dead_worker_are_computed_by_another_and_those_that_kill_are_given_up() -> None:
    async def work() -> None:
        crew = Played(4)
        scheduler = Scheduler(crew, queue=8, together=True)
        deadly = asyncio.create_task(scheduler.ask(["kill"], seconds=5))
        others = [asyncio.create_task(scheduler.ask([str(place)], seconds=5)) for place in range(6)]
        with pytest.raises(NoWorker):
            await deadly
        assert [(await other).tolist() for other in others] == [[[1.0]]] * 6
        assert crew.count == 2
        assert sum("kill" in call for call in crew.calls) == 2

    play(work)


def test_neighbours_of_rows_that_kill_are_not_given_up_with_them() -> None:
    async def work() -> None:
        crew = Played(3)
        crew.gate.clear()
        scheduler = Scheduler(crew, queue=8, together=True)
        held = [asyncio.create_task(scheduler.ask(["held"], seconds=5)) for _ in range(3)]
        await asyncio.sleep(0)
        asked = [asyncio.create_task(scheduler.ask([text], seconds=5)) for text in ("a", "kill", "b")]
        await asyncio.sleep(0)
        crew.gate.set()
        found = await asyncio.gather(*held, *asked, return_exceptions=True)
        assert [type(one) for one in found].count(NoWorker) == 1
        assert isinstance(found[4], NoWorker)
        assert ["a", "kill", "b"] in crew.calls

    play(work)


def test_when_all_workers_are_dead_nobody_waits() -> None:
    async def work() -> None:
        crew = Played(1)
        with pytest.raises(NoWorker):
            await Scheduler(crew, queue=8).ask(["kill"], seconds=60)

    play(work)


def test_a_failure_is_that_of_its_request_alone() -> None:
    async def work() -> None:
        crew = Played()
        scheduler = Scheduler(crew, queue=8, together=True)
        asked = [scheduler.ask([text], seconds=5) for text in ("first", "a", "fail", "b")]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(found[2], ValueError)
        assert [one.tolist() for one in (found[0], found[1], found[3])] == [[[5.0]], [[1.0]], [[1.0]]]  # type: ignore[union-attr]

    play(work)
