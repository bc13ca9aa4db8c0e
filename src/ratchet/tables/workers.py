"""Where work on many strings is done: on the threads of this process, or by the workers of a Ray cluster.

Work is a function of a piece of a column that looks at one string at a time; the pieces' results, one behind the other, are
then the same wherever the cuts are and whichever worker did it.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.bounds import usable_cores
from ratchet.errors import ExtraMissing, RatchetError
from ratchet.offline import switch_off_telemetry
from ratchet.recipe.sections import EngineConfig
from ratchet.spill import give_back
from ratchet.text.columns import PIECE, pieces
from ratchet.workspace.environment import code_version

Work = Callable[[pa.Array], npt.NDArray[Any]]
_PLACE = re.compile(r"(?:ray://)?(?P<host>[^:/]+):(?P<port>\d{1,5})")
_PATIENCE = 5.0  # seconds
_AHEAD = 4  # pieces that wait for each worker: enough to keep it busy, few enough to hold in memory


class Engine(Protocol):
    """Does work on columns of strings."""

    def map(self, work: Work, column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
        """What ``work`` gives for each piece, one behind the other.

        Args:
            work: can be pickled; its result for a piece has an entry for each string.
            column: strings.
        """


class Threads:
    """The threads of this process: Arrow and NumPy let go of the interpreter while they work."""

    def __init__(self, count: int, *, piece: int = PIECE) -> None:
        self.count, self.piece = count, piece

    def map(self, work: Work, column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
        """As :meth:`Engine.map`."""
        parts = pieces(column, size=self.piece) or [pa.array([], column.type)]
        if self.count == 1 or len(parts) == 1:
            return _joined(map(work, parts), parts)
        with ThreadPoolExecutor(self.count) as pool:
            return _joined(_with_room(pool.map(work, parts)), parts)


class OnRay:
    """The workers of a Ray cluster, each with the same Ratchet installed."""

    def __init__(self, address: str) -> None:
        try:
            switch_off_telemetry()
            import ray
        except ImportError:
            raise ExtraMissing("ray", extra="ray", why="engine.kind 'ray'") from None
        self._ray = ray
        if not ray.is_initialized():
            _join(ray, address)
        self._task = ray.remote(_on_worker)
        self._require_same_code()

    def map(self, work: Work, column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
        """As :meth:`Engine.map`."""
        ray = self._ray
        open_: dict[Any, int] = {}
        done: dict[int, npt.NDArray[Any]] = {}
        ahead = _AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        parts = pieces(column) or [pa.array([], column.type)]
        try:
            for number, part in enumerate(parts):
                if len(open_) >= ahead:
                    self._collect(open_, done)
                open_[self._task.remote(work, _packed(part))] = number
            while open_:
                self._collect(open_, done)
        except ray.exceptions.RayError as problem:
            raise RatchetError(
                f"The workers of the Ray cluster must do the work but failed: {_first_line(problem)}",
                next_step="See their log, or leave out the engine: the results are the same.",
            ) from problem
        return _joined((done.pop(number) for number in range(len(parts))), parts)

    def _collect(self, open_: dict[Any, int], done: dict[int, npt.NDArray[Any]]) -> None:
        ready, _ = self._ray.wait(list(open_), num_returns=1)
        for reference in ready:
            done[open_.pop(reference)] = self._ray.get(reference)

    def _require_same_code(self) -> None:
        """Refuse a cluster with another Ratchet: its results could be others."""
        here = code_version()
        try:
            there = self._ray.get(self._ray.remote(_code_of_worker).remote())
        except self._ray.exceptions.RayError as problem:
            raise RatchetError(
                f"The workers of the Ray cluster must have ratchetml but failed: {_first_line(problem)}",
                next_step="Install the same version there.",
            ) from problem
        if there != here:
            raise RatchetError(
                f"The workers of the Ray cluster must have this Ratchet ({here[:12]}) but have another ({there[:12]}).",
                next_step="Install the same version there.",
            )


def engine_of(config: EngineConfig) -> Engine:
    """The engine that the recipe asks for; one cluster is joined once.

    Raises:
        RatchetError: ``ray`` is not installed, no cluster answers, or its workers have another Ratchet.
    """
    return _ray_at(config.address) if config.kind == "ray" else LOCAL


@cache
def _ray_at(address: str) -> OnRay:
    return OnRay(address)


THREADS = usable_cores()
"""As many as this process may use processors."""
LOCAL: Engine = Threads(THREADS)


def _join(ray: Any, address: str) -> None:
    """Join the cluster at this address; start one on this machine where it is empty."""
    options = {"include_dashboard": False} if not address else {}
    try:
        if (place := _PLACE.fullmatch(address)) is not None:  # Ray itself would try for minutes
            socket.create_connection((place["host"], int(place["port"])), timeout=_PATIENCE).close()
        ray.init(address=address or None, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, ValueError, RuntimeError) as problem:
        raise RatchetError(
            f"A Ray cluster must answer at engine.address {address!r} but does not: {_first_line(problem)}",
            next_step="Start it with `ray start --head`, or leave engine.address empty for one on this machine.",
        ) from problem


def _joined(results: Iterator[npt.NDArray[Any]], parts: Sequence[pa.Array]) -> npt.NDArray[Any]:
    """The results for these parts one behind the other; each is let go of when it is in its place."""
    whole, end = np.zeros(0), 0
    for result in results:
        if not end:
            whole = np.empty((sum(map(len, parts)), *result.shape[1:]), result.dtype)
        whole[end : end + len(result)] = result
        end += len(result)
    return whole


def _with_room(results: Iterator[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    """The results; after each, what was read for it need not stay in memory."""
    for result in results:
        yield result
        give_back()


def _packed(part: pa.Array) -> bytes:
    """The bytes of this slice alone; Arrow's own pickling would send the whole column with each slice."""
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([part], names=["cells"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _on_worker(work: Work, packed: bytes) -> npt.NDArray[Any]:
    return work(pa.ipc.open_stream(packed).read_all().column("cells").chunk(0))


def _code_of_worker() -> str:
    return code_version()


def _first_line(problem: Exception) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return (lines[-1] if lines else type(problem).__name__)[:200]
