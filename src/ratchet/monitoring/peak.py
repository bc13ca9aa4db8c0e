"""How fast this machine multiplies matrices at best, measured here, and which part of that a training reaches."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import WorkspaceError
from ratchet.workspace.workspace import write_atomic

if TYPE_CHECKING:
    import torch

SECONDS = 1.0
SIZES = {"cpu": 1024, "cuda": 8192}
"""Rows and columns of the two matrices: large enough to reach the peak, small enough for tens of products in a second."""


def peak_flops(device: torch.device | str, dtype: torch.dtype, threads: int, *, anew: bool = False) -> float:
    """Floating-point operations a second of the best of many products of two square matrices: the peak of this very machine.

    Measured for a second and kept in the user's cache folder, by processor or GPU, number type, threads and version of torch.

    Args:
        device: where the training computes.
        dtype: of its products.
        threads: cores it uses; 0: all.
        anew: measure again, and keep the higher value: what was measured on a busy machine is too low.
    """
    import torch

    where = torch.device(device)
    threads = threads or len(os.sched_getaffinity(0))
    facts = (_model(where), str(dtype), str(threads if where.type == "cpu" else 0), torch.__version__)
    path = _cache() / f"peak-{hashlib.sha256('|'.join(facts).encode()).hexdigest()[:20]}.txt"
    known = _read(path)
    if known and not anew:
        return known
    found = max(known, _measured(where, dtype, threads))
    with suppress(WorkspaceError, OSError):  # no place to keep it: it is measured again next time
        write_atomic(path, f"{found:.6g}\n{' '.join(facts)}\n".encode())
    return found


def utilisation(flops: float, seconds: float, peak: float) -> float:
    """The part of the peak that was reached, from 0 to 1 (Chowdhery et al. 2022, "PaLM", appendix B: MFU).

    >>> utilisation(3e9, 2.0, 6e9)
    0.25
    """
    return flops / (seconds * peak) if seconds > 0 and peak > 0 else 0.0


def _measured(device: torch.device, dtype: torch.dtype, threads: int) -> float:
    import torch

    from ratchet.models.network import using_threads

    size = SIZES.get(device.type, SIZES["cpu"])
    # no random numbers: those of the training must not be drawn here
    values = (torch.arange(size * size, device=device) % 7 - 3).to(torch.float32).reshape(size, size) / 8
    left = values.to(dtype)
    best, begun = float("inf"), time.perf_counter()
    with torch.no_grad(), using_threads(threads):
        while time.perf_counter() - begun < SECONDS or best == float("inf"):
            _wait(device)
            start = time.perf_counter()
            torch.mm(left, left)
            _wait(device)
            best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def _wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _model(device: torch.device) -> str:
    """What computes: the GPU's or the processor's model."""
    if device.type == "cuda":
        import torch

        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part")))
    return next(names, "") or platform.processor() or platform.machine()


def _cache() -> Path:
    """The user's cache folder."""
    given = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(given) if given else Path.home() / ".cache") / "ratchet"


def _read(path: Path) -> float:
    """A kept value; 0 where there is none or it is damaged."""
    try:
        value = float(path.read_text("utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return 0.0
    return value if 0 < value < 1e18 else 0.0
