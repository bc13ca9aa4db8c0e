"""What the machine does while a model is trained: CPU, memory, temperature, and each GPU as its driver tells it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

PROC, THERMAL = Path("/proc"), Path("/sys/class/thermal")
TEMPERATURES = (1.0, 125.0)
"""Celsius that a sensor may say; others are sensors that are not there."""
UNLIMITED = 1 << 60
"""A control group without a limit says a number from here on, or the word max."""


class Hardware:
    """Readings by name, a fraction of a millisecond each; what cannot be read is left out.

    ``hardware/cpu`` and ``hardware/gpuN`` are percent (CPU: 100 is one core busy, summed over this process and its children),
    memory is bytes, power watts, temperature Celsius.

    Args:
        gpus: ask the driver for the GPUs, by NVML; without the package ``nvidia-ml-py`` or a driver there are none.
    """

    def __init__(self, *, gpus: bool = True) -> None:
        self._processes = _by_psutil() if find_spec("psutil") is not None else _by_proc(PROC)
        self._nvml = _nvml() if gpus else None
        self._devices = _devices(self._nvml) if self._nvml is not None else []
        self._before = (time.perf_counter(), self._processes()[0])

    def read(self) -> dict[str, float]:
        """What the machine does now; the CPU's share is that since the reading before."""
        seconds, memory = self._processes()
        now, (then, before) = time.perf_counter(), self._before
        self._before = (now, seconds)
        found: dict[str, float] = {}
        if memory:
            found |= {
                "hardware/cpu": 100 * max(seconds - before, 0.0) / max(now - then, 1e-9),
                "hardware/memory": memory,
            }
        total = memory_limit()
        if total:
            found["hardware/memory_total"] = total
        degrees = temperature(THERMAL)
        if degrees is not None:
            found["hardware/temperature"] = degrees
        for number, device in self._devices:
            found |= {f"hardware/gpu{number}{name}": value for name, value in _gpu(self._nvml, device).items()}
        return found


def _by_psutil() -> Callable[[], tuple[float, float]]:
    """Gives the CPU seconds and the resident bytes of this process and its children."""
    import psutil

    own = psutil.Process()

    def read() -> tuple[float, float]:
        seconds = memory = 0.0
        for process in (own, *own.children(recursive=True)):
            with suppress(psutil.Error), process.oneshot():  # a child that has ended
                times = process.cpu_times()
                seconds, memory = seconds + times.user + times.system, memory + process.memory_info().rss
        return seconds, memory

    return read


def _by_proc(proc: Path) -> Callable[[], tuple[float, float]]:
    """The same out of Linux's ``/proc``; zeros where there is none."""

    def read() -> tuple[float, float]:
        stats = {}
        for entry in proc.iterdir() if proc.is_dir() else ():
            if entry.name.isdecimal():
                with suppress(OSError, ValueError, IndexError):
                    stats[int(entry.name)] = _stat((entry / "stat").read_text("utf-8", "replace"))
        ours, grown = {os.getpid()}, True
        while grown:
            more = {process for process, (parent, _, _) in stats.items() if parent in ours} - ours
            ours, grown = ours | more, bool(more)
        mine = [stats[process] for process in ours if process in stats]
        return sum(seconds for _, seconds, _ in mine), sum(memory for _, _, memory in mine)

    return read


def _stat(text: str) -> tuple[int, float, float]:
    """Parent, CPU seconds and resident bytes of a process; its name, which may hold anything, ends with the last ')'."""
    fields = text.rpartition(")")[2].split()
    ticks = float(os.sysconf("SC_CLK_TCK"))
    return (
        int(fields[1]),
        (int(fields[11]) + int(fields[12])) / ticks,
        int(fields[21]) * float(os.sysconf("SC_PAGE_SIZE")),
    )


def memory_limit() -> float:
    """Bytes that this process may use: the machine's memory, or less where its control group is limited; 0: unknown."""
    found = 0.0
    with suppress(OSError, ValueError, AttributeError):
        found = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # the word max is no number
            limit = int((Path("/sys/fs/cgroup") / name).read_text("ascii"))
            if 0 < limit < UNLIMITED:
                found = min(found or limit, limit)
    return found


def temperature(folder: Path) -> float | None:
    """The warmest thermal zone in Celsius; ``None`` where no sensor can be read, as in most virtual machines."""
    low, high = TEMPERATURES
    found = []
    for path in sorted(folder.glob("thermal_zone*/temp")):
        with suppress(OSError, ValueError):
            degrees = int(path.read_text("ascii")) / 1000
            if low <= degrees <= high:
                found.append(degrees)
    return max(found, default=None)


def _nvml() -> ModuleType | None:
    """NVIDIA's management library, started; ``None`` where the package or the driver is missing."""
    if find_spec("pynvml") is None:
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml  # type: ignore[no-any-return]


def _devices(nvml: Any) -> list[tuple[int, Any]]:
    """The GPUs that this process may use, numbered as torch numbers them."""
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = []
    try:
        if wanted is None:
            found = [nvml.nvmlDeviceGetHandleByIndex(place) for place in range(nvml.nvmlDeviceGetCount())]
        else:
            for name in filter(None, (part.strip() for part in wanted.split(","))):
                by_index = name.lstrip("-").isdecimal()
                if by_index and int(name) < 0:  # the devices after a -1 are hidden
                    break
                found.append(
                    nvml.nvmlDeviceGetHandleByIndex(int(name)) if by_index else nvml.nvmlDeviceGetHandleByUUID(name)
                )
    except nvml.NVMLError:  # a name that is no device: those before it count, as CUDA does it
        pass
    return list(enumerate(found))


def _gpu(nvml: Any, device: Any) -> dict[str, float]:
    """Readings of one GPU; a driver that does not know one of them does not say it."""
    found: dict[str, float] = {}
    with suppress(nvml.NVMLError):
        found[""] = float(nvml.nvmlDeviceGetUtilizationRates(device).gpu)
    with suppress(nvml.NVMLError):
        memory = nvml.nvmlDeviceGetMemoryInfo(device)
        found |= {"_memory": float(memory.used), "_memory_total": float(memory.total)}
    with suppress(nvml.NVMLError):
        found["_power"] = nvml.nvmlDeviceGetPowerUsage(device) / 1000
    with suppress(nvml.NVMLError):
        found["_temperature"] = float(nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU))
    return found
