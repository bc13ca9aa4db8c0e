"""What holds in a process while it trains: algorithms that repeat, a number of cores, and a Ctrl-C that cuts no step in two."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Only algorithms that repeat, on the given number of cores, inside the block."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses to repeat
    import torch

    from ratchet.models.network import using_threads

    memory: Any = torch.utils.deterministic
    before, filled = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False
    try:
        with using_threads(threads):
            yield
    finally:
        torch.use_deterministic_algorithms(before)
        memory.fill_uninitialized_memory = filled


@contextmanager
def held_interrupt() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is never cut in two; a second Ctrl-C ends at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def noted(number: int, frame: Any) -> None:
        if event.is_set() and callable(before):
            before(number, frame)
        event.set()

    if callable(before):
        signal.signal(signal.SIGINT, noted)
    try:
        yield event
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)
