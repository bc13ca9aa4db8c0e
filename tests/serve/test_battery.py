"""What may happen to a server in production, done to a real one with worker processes; `make test-all` runs it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve.test_swap import TEXTS, written

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.models.encoder import FittedEncoder
from ratchet.train.export import export_onnx

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for workers in /proc"),
]

CLIENTS = 12


@pytest.fixture(scope="module")
def graph(tiny: FittedEncoder, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("graph")
    export_onnx(tiny, folder / "model")
    return write_bundle(
        folder / "bundle", model_folder=folder / "model", name="tiny", created="", kind="onnx", labels=tiny.labels
    )


class Server:
    """A server in a process of its own, and what its clients saw."""

    def __init__(self, child: asyncio.subprocess.Process, url: str) -> None:
        self.child, self.url = child, url
        self.seen: Counter[str] = Counter()
        self.longest = 0.0
        self.stopped = asyncio.Event()

    @property
    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()]

    async def ask(self, text: str) -> None:
        """One request on a connection of its own: what is sent in time must be answered."""
        since = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(f"{self.url}/predict", json={"text": text})
            self.seen[str(answer.status_code)] += 1
            if answer.status_code in (429, 503):
                assert int(answer.headers["retry-after"]) >= 1
        except httpx.ConnectError:
            self.seen["not connected"] += 1
            await asyncio.sleep(0.01)
        except httpx.HTTPError as error:
            self.seen[type(error).__name__] += 1
        self.longest = max(self.longest, time.monotonic() - since)

    async def load(self) -> None:
        """Ask until it is stopped."""

        async def client(number: int) -> None:
            while not self.stopped.is_set():
                await self.ask(TEXTS[number % len(TEXTS)])

        await asyncio.gather(*(client(number) for number in range(CLIENTS)))


@asynccontextmanager
async def served(bundle: Path) -> AsyncIterator[Server]:
    command = [sys.executable, "-m", "ratchet", "serve", str(bundle), "--port", "0"]
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    line = (await child.stdout.readline()).decode()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found is not None, line
    server = Server(child, found[0])
    try:
        yield server
    finally:
        server.stopped.set()
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), 30)


def under_load(bundle: Path, trouble: Callable[[Server], Awaitable[None]]) -> Server:
    async def run() -> Server:
        async with served(bundle) as server:
            load = asyncio.create_task(server.load())
            await asyncio.sleep(0.5)
            await trouble(server)
            server.stopped.set()
            await load
        return server

    return asyncio.run(run())


async def until(holds: Callable[[], bool], *, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


def test_a_worker_that_is_killed_under_load_costs_no_request(graph: Bundle) -> None:
    async def trouble(server: Server) -> None:
        for _ in range(3):
            before = server.workers
            os.kill(before[0], signal.SIGKILL)
            await until(lambda before=before: len({*server.workers} - {*before}) == 1, seconds=15)  # type: ignore[misc]
            await asyncio.sleep(4)  # it must be ready before the other is killed

    found = under_load(graph.path, trouble)
    assert {*found.seen} == {"200"}
    assert found.seen["200"] > 50


def test_when_all_workers_are_killed_everybody_is_told_and_the_server_recovers(graph: Bundle) -> None:
    async def trouble(server: Server) -> None:
        before = server.workers
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: len({*server.workers} - {*before}) == len(before), seconds=15)
        server.seen.clear()
        await until(lambda: server.seen["200"] > 20, seconds=15)

    found = under_load(graph.path, trouble)
    assert {*found.seen} <= {"200", "503"}
    assert found.longest < 15


def test_twenty_ends_under_load_lose_and_reset_nothing(graph: Bundle, tmp_path: Path) -> None:
    written(tmp_path / "linear", "one")
    for round_ in range(20):
        bundle = graph.path if round_ % 2 else tmp_path / "linear"

        async def trouble(server: Server) -> None:
            server.child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(server.child.wait(), 30) == 0

        found = under_load(bundle, trouble)
        assert {*found.seen} <= {"200", "503", "not connected"}, found.seen
        assert found.seen["200"] > 0


def test_a_hundred_swaps_under_load_make_no_request_fail(tmp_path: Path) -> None:
    place = tmp_path / "served"
    written(place, "one")

    async def trouble(server: Server) -> None:
        async with httpx.AsyncClient() as client:
            for number in range(100):
                written(place, f"v{number}")
                server.child.send_signal(signal.SIGHUP)
                async with asyncio.timeout(20):
                    while (await client.get(f"{server.url}/readyz")).json()["model"] != f"v{number}":
                        await asyncio.sleep(0.01)

    found = under_load(place, trouble)
    assert {*found.seen} == {"200"}


def test_more_than_can_be_answered_is_refused_and_the_rest_is_answered(graph: Bundle) -> None:
    async def run() -> Server:
        async with served(graph.path) as server:
            await asyncio.gather(*(server.ask("good food " * 200) for _ in range(400)))
        return server

    found = asyncio.run(run())
    assert {*found.seen} <= {"200", "429"}
    assert found.seen["200"] >= 64
    assert found.seen["429"] > 0


def test_no_request_that_the_document_allows_or_forbids_is_a_failure(tmp_path: Path) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings

    written(tmp_path / "served", "one")

    async def start() -> int:
        async with served(tmp_path / "served") as server:
            return await asyncio.to_thread(ask_all, server.url)

    def ask_all(url: str) -> int:
        schema, count = schemathesis.openapi.from_url(f"{url}/openapi.json"), 0
        modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
        with httpx.Client(base_url=url, timeout=30) as client:
            for operation in (found.ok() for found in schema.get_all_operations()):
                for mode in modes:
                    if mode is modes[1] and operation.method.upper() == "GET":
                        continue

                    @settings(
                        max_examples=1100,
                        deadline=None,
                        database=None,
                        phases=[Phase.generate],
                        suppress_health_check=list(HealthCheck),
                    )
                    @given(operation.as_strategy(generation_mode=mode))
                    def one(case: object) -> None:
                        nonlocal count
                        count += 1
                        arguments = case.as_transport_kwargs(base_url=url)  # type: ignore[attr-defined]
                        arguments.pop("cookies", None)
                        data = arguments.pop("data", None)
                        answer = client.request(**arguments, **({} if data is None else {"content": data}))
                        assert answer.status_code < 500, (answer.status_code, arguments)

                    one()
        return count

    assert asyncio.run(start()) >= 2000
