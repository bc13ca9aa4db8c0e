"""Keep the libraries under us from calling home, and open the Hugging Face hub only to a user who named something on it."""

from __future__ import annotations

import os
import sys

SILENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
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
    """Let the Hugging Face hub be asked, because the user named something on it; a user's own offline switch stays."""
    global _offline_is_ours
    switch_off_telemetry()
    if not _offline_is_ours:
        return
    _offline_is_ours = False
    os.environ["HF_HUB_OFFLINE"] = "0"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # it read the environment when it was imported
        constants.HF_HUB_OFFLINE = False  # type: ignore[attr-defined]
