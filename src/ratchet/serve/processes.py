"""Worker processes under watch: one that dies or hangs is replaced, and whoever waits for it is told at once."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ratchet.errors import BundleError
from ratchet.models.model import Answers
from ratchet.serve.crew import Died, Failed, Worker
from ratchet.serve.frames import Answered, Failure, Load, Ready, answers_of, asked, frame, heard
from ratchet.serve.ring import KEY

logger = logging.getLogger("ratchet.serve")

COMMAND = (sys.executable, "-m", "ratchet.serve.worker")
LOADING = 300.0  # seconds until a worker that does not get ready is given up
ENDING = 3.0  # seconds until a worker that should end is killed
QUICK = 10.0  # a worker that lives shorter than this died of its start
PAUSES = (0.0, 0.2, 1.0, 5.0, 30.0)  # seconds before the next start after so many quick deaths


class Processes:
    """Worker processes of one bundle, each with a model of its own.

    Args:
        bundle: its folder, verified.
        count: processes.
        threads: cores that each may use.
        patience: seconds after which one that computes counts as hung, and is killed.
    """

    def __init__(self, bundle: Path, *, count: int, threads: int, patience: float) -> None:
        self._load = Load(str(bundle.resolve()), threads)
        self._count, self._patience = count, patience
        self._idle: deque[Worker] = deque()
        self._running: set[_Process] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self._starts: set[asyncio.Task[None]] = set()
        self._closed = False
        self.labels: tuple[str, ...] = ()
        self.freed: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """As `Crew.start`.

        Raises:
            BundleError: the model cannot be loaded.
        """
        started = await asyncio.gather(*(self._started() for _ in range(self._count)), return_exceptions=True)
        failure = next((one for one in started if isinstance(one, BaseException)), None)
        if failure is not None:
            for process in started:
                if isinstance(process, _Process):
                    self._see(process)
            await self.close()
            raise failure
        for process in started:
            assert isinstance(process, _Process)
            self._welcome(process)

    def take(self) -> Worker | None:
        """As `Crew.take`."""
        return self._idle.popleft() if self._idle else None

    def give(self, worker: Worker) -> None:
        """As `Crew.give`."""
        assert isinstance(worker, _Process)
        if worker.ended:
            return
        if self._closed:
            worker.end()
        else:
            self._idle.append(worker)

    @property
    def alive(self) -> int:
        """As `Crew.alive`."""
        return sum(not process.ended for process in self._running)

    @property
    def pids(self) -> list[int]:
        """Those of the processes that run."""
        return sorted(process.pid for process in self._running)

    async def close(self) -> None:
        """As `Crew.close`; one that does not end by itself in time is killed."""
        self._closed = True
        self._idle.clear()
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        for process in self._running:
            process.end()
        if self._watches:
            await asyncio.wait({*self._watches}, timeout=ENDING)
        for process in self._running:
            process.kill()
        await asyncio.gather(*self._watches)

    async def _started(self) -> _Process:
        environment = {name: value for name, value in os.environ.items() if name != KEY}  # a worker needs no key
        process = await asyncio.create_subprocess_exec(*COMMAND, stdin=PIPE, stdout=PIPE, env=environment)
        worker = _Process(process, patience=self._patience)
        try:
            async with asyncio.timeout(LOADING):
                self.labels = await worker.load(self._load)
        except BaseException:
            worker.kill()
            await worker.waited()
            raise
        return worker

    def _welcome(self, worker: _Process) -> None:
        self._see(worker)
        self.give(worker)
        self.freed()

    def _see(self, worker: _Process) -> None:
        self._running.add(worker)
        _kept(self._watches, self._watch(worker))

    async def _watch(self, worker: _Process) -> None:
        """Wait for its end, and have another started in its place."""
        since = time.monotonic()
        status = await worker.waited()
        self._running.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if not self._closed:
            logger.warning("worker %d ended with status %d: another is started", worker.pid, status)
            _kept(self._starts, self._replace(quick=int(time.monotonic() - since < QUICK)))

    async def _replace(self, *, quick: int) -> None:
        """Start another worker, at longer and longer intervals while that does not work."""
        while True:
            await asyncio.sleep(PAUSES[min(quick, len(PAUSES) - 1)])
            try:
                self._welcome(await self._started())
            except Exception as error:  # noqa: BLE001 - it is told, and tried again
                quick += 1
                logger.error("no worker can be started: %s", error if isinstance(error, BundleError) else type(error))
            else:
                return


def _kept(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    """Begin a task, and keep it until it has ended."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


class _Process:
    """One of them: it is asked one thing at a time."""

    def __init__(self, process: Process, *, patience: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._patience = process, patience
        self._to, self._from = process.stdin, process.stdout
        self.ended = False

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return self._process.pid

    async def load(self, message: Load) -> tuple[str, ...]:
        """The labels of its model.

        Raises:
            BundleError: the model cannot be loaded, or the process died of it.
        """
        found = await self._exchange(message)
        if isinstance(found, Failure):
            problem = found.problem or f"The model of {message.bundle} cannot be loaded: {found.kind} at {found.place}."
            raise BundleError(problem, next_step=found.next_step)
        assert isinstance(found, Ready)
        return found.labels

    def predict(self, rows: Sequence[str]) -> asyncio.Future[Answers]:
        """As `Worker.predict`; a worker that does not answer in time is killed."""
        return asyncio.get_running_loop().create_task(self._predicted(rows))

    async def _predicted(self, rows: Sequence[str]) -> Answers:
        try:
            async with asyncio.timeout(self._patience):
                found = await self._exchange(asked(rows))
        except (Died, TimeoutError):
            self.kill()
            raise Died from None
        except asyncio.CancelledError:  # what it says next would be the answer to another question
            self.kill()
            raise
        if isinstance(found, Failure):
            raise Failed(f"{found.kind} at {found.place}")
        assert isinstance(found, Answered)
        return answers_of(found)

    async def _exchange(self, message: msgspec.Struct) -> Ready | Answered | Failure:
        try:
            self._to.write(frame(message))
            await self._to.drain()
            return await heard(self._from)
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
            raise Died from error

    async def waited(self) -> int:
        """Its status, when it has ended."""
        status = await self._process.wait()
        self.ended = True
        return status

    def end(self) -> None:
        """Let it end: it has nothing more to do."""
        self.ended = True
        self._to.close()

    def kill(self) -> None:
        """End it at once."""
        self.ended = True
        if self._process.returncode is None:
            self._process.kill()
