from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.errors import BundleError
from ratchet.models.inputs import Inputs
from ratchet.models.linear_fit import Corpus, fit_linear
from ratchet.recipe.sections import LinearFeatures, LinearSpec
from ratchet.serve import load_model
from ratchet.serve.crew import Died, Failed
from ratchet.serve.processes import Processes

TEXTS = ["good food", "bad food", "very good", "very bad", "好吃", "难吃"] * 4
LABELS = ["yes", "no"] * 12
SPEC = LinearSpec(name="m", features=(LinearFeatures(unit="char", low=1, high=2),))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return written(tmp_path_factory.mktemp("plain"))


def written(folder: Path, features: dict[str, list[str | None]] | None = None) -> Bundle:
    kinds = dict.fromkeys(features or {}, "number")
    rows = Corpus(Inputs(TEXTS, features), kinds=kinds)  # type: ignore[arg-type]
    fit_linear(rows, LABELS, spec=SPEC, seed=1).save(folder / "model")
    return write_bundle(
        folder / "bundle",
        model_folder=folder / "model",
        name="m",
        created="",
        kind="linear",
        labels=("no", "yes"),
        features=kinds,
    )


def crewed(
    bundle: Bundle, work: Callable[[Processes], Awaitable[None]], *, count: int = 2, patience: float = 20
) -> None:
    async def run() -> None:
        crew = Processes(bundle.path, count=count, threads=1, patience=patience)
        await crew.start()
        pids = crew.pids
        try:
            await work(crew)
        finally:
            pids += crew.pids
            await crew.close()
            async with asyncio.timeout(20):
                while any(is_running(pid) for pid in pids):
                    await asyncio.sleep(0.02)

    asyncio.run(run())


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


def test_workers_answer_as_the_model_does_and_end_with_their_crew(plain: Bundle) -> None:
    async def work(crew: Processes) -> None:
        workers = [crew.take(), crew.take()]
        assert crew.take() is None
        assert crew.labels == ("no", "yes")
        for worker in workers:
            assert worker is not None
            np.testing.assert_array_equal(
                await worker.predict(["good", "坏"]), load_model(plain).predict(["good", "坏"])
            )
            crew.give(worker)

    crewed(plain, work)


def test_features_go_with_their_rows(tmp_path: Path) -> None:
    bundle = written(tmp_path, {"price": ["1", None, "3"] * 8})

    async def work(crew: Processes) -> None:
        worker = crew.take()
        assert worker is not None
        rows = Inputs(["good", "bad"], {"price": ["2", None]})
        np.testing.assert_array_equal(await worker.predict(rows), load_model(bundle).predict(rows))
        with pytest.raises(Failed, match=r"^DataError at .*:\d+$"):
            await worker.predict(["good"])
        np.testing.assert_array_equal(await worker.predict(rows), load_model(bundle).predict(rows))
        crew.give(worker)

    crewed(bundle, work, count=1)


@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_that_is_killed_is_replaced(plain: Bundle, busy: bool) -> None:
    async def work(crew: Processes) -> None:
        (before,) = crew.pids
        freed: list[float] = []
        crew.freed = lambda: freed.append(time.monotonic())
        if busy:
            worker = crew.take()
            assert worker is not None
            os.kill(before, signal.SIGSTOP)
            asked = worker.predict(["good"])
            await asyncio.sleep(0.05)
        since = time.monotonic()
        os.kill(before, signal.SIGKILL)
        if busy:
            with pytest.raises(Died):
                await asked
            assert time.monotonic() - since < 1
            crew.give(worker)
        await until(lambda: bool(freed))
        assert freed[0] - since < 5
        assert crew.alive == 1
        (after,) = crew.pids
        assert after != before
        fresh = crew.take()
        assert fresh is not None
        assert len(await fresh.predict(["good"])) == 1
        crew.give(fresh)

    crewed(plain, work, count=1)


def test_a_worker_that_hangs_is_replaced(plain: Bundle) -> None:
    async def work(crew: Processes) -> None:
        (before,) = crew.pids
        worker = crew.take()
        assert worker is not None
        os.kill(before, signal.SIGSTOP)
        with pytest.raises(Died):
            await worker.predict(["good"])
        crew.give(worker)
        await until(lambda: crew.alive == 1 and crew.pids != [before])

    crewed(plain, work, count=1, patience=0.2)


def test_a_wait_that_is_given_up_ends_the_worker_whose_answer_would_be_taken_for_another(plain: Bundle) -> None:
    async def work(crew: Processes) -> None:
        (before,) = crew.pids
        worker = crew.take()
        assert worker is not None
        os.kill(before, signal.SIGSTOP)
        asked = worker.predict(["good"])
        await asyncio.sleep(0.05)
        asked.cancel()
        await until(lambda: crew.alive == 1 and crew.pids != [before])

    crewed(plain, work, count=1)


def test_a_bundle_that_does_not_load_is_told_with_its_reason(tmp_path: Path, plain: Bundle) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()

    async def run() -> None:
        crew = Processes(damaged, count=2, threads=1, patience=5)
        with pytest.raises(BundleError, match="must hold a manifest"):
            await crew.start()
        assert crew.pids == []

    asyncio.run(run())


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_worker_never_gets_the_key(plain: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_API_KEY", "very-secret")

    async def work(crew: Processes) -> None:
        for pid in crew.pids:
            assert b"very-secret" not in Path(f"/proc/{pid}/environ").read_bytes()

    crewed(plain, work)


SERVER = """
import asyncio, sys
from pathlib import Path
from ratchet.serve.processes import Processes

async def main():
    crew = Processes(Path(sys.argv[1]), count=2, threads=1, patience=5)
    await crew.start()
    print(*crew.pids, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_workers_end_when_their_server_is_killed_and_not_by_a_signal_to_all(plain: Bundle) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(plain.path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdout is not None
    pids = [int(pid) for pid in server.stdout.readline().split()]
    assert len(pids) == 2
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    time.sleep(0.2)
    assert all(is_running(pid) for pid in pids)
    server.kill()
    server.wait()
    server.stdout.close()
    until_end = time.monotonic() + 10
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < until_end
        time.sleep(0.02)
