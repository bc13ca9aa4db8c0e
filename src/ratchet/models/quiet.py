"""Keep the libraries that run models from calling home, drawing bars and fetching files on their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ratchet.offline import SILENT, allow_hub, switch_off_telemetry

__all__ = ["SILENT", "allow_hub", "quiet_transformers", "switch_off_telemetry"]


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
