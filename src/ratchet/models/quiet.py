"""Keep the libraries that run models from calling home, drawing bars, and spinning on cores that others need."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ratchet.offline import SILENT, allow_hub, switch_off_telemetry

__all__ = ["SILENT", "allow_hub", "quiet_transformers", "switch_off_telemetry", "yield_cores"]


def yield_cores() -> None:
    """Let waiting OpenMP threads sleep instead of spin; call it before the first import of torch.

    On a machine with other work, a training on two threads otherwise takes eight times as long and more, because the
    thread that is waited for gets no core. A variable that the user set is left as it is.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the progress bars and load reports of transformers inside the block, and put them back after it."""
    switch_off_telemetry()
    from transformers.utils import logging as reports

    level, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity(logging.CRITICAL)
    reports.disable_progress_bar()
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if bars:
            reports.enable_progress_bar()
