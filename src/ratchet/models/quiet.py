"""Keep the libraries that run models from calling home, drawing bars and fetching files on their own."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SILENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_OFFLINE": "1",
}
"""What is put into the environment unless the user has set it: no telemetry, no token sent, no hub."""

_offline_is_ours = False


def switch_off_telemetry() -> None:
    """Set the environment of onnxruntime and the Hugging Face libraries; call it before their first import.

    onnxruntime's Linux wheel otherwise writes a device id under ``~/.cache/Microsoft``. A variable that the user set
    is left as it is.
    """
    global _offline_is_ours
    if "HF_HUB_OFFLINE" not in os.environ:
        _offline_is_ours = True
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)


def allow_hub() -> None:
    """Let the Hugging Face hub be asked, because the user named a model on it; a user's own offline switch stays."""
    global _offline_is_ours
    switch_off_telemetry()
    if not _offline_is_ours:
        return
    _offline_is_ours = False
    os.environ["HF_HUB_OFFLINE"] = "0"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # it read the environment when it was imported
        constants.HF_HUB_OFFLINE = False  # type: ignore[attr-defined]


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
