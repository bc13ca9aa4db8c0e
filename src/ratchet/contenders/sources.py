"""The files that a model begins with: other ones in the same directory make another contender."""

from __future__ import annotations

from pathlib import Path

from ratchet.models.checkpoints import GGUF
from ratchet.workspace.finished import file_sha256

SOURCES = "sources"
"""The fact of a card that holds the sha256 of each file that its training read beside the rows."""
_FILES = ("*.json", "*_Pooling/config.json", "*.safetensors", f"*{GGUF}", "*.jinja", "*.txt", "*.model")


def source_files(source: str) -> list[str]:
    """The sha256 of each file of a model's directory, or of the one file that it is; none of another kind of source."""
    path = Path(source).expanduser()
    files = [path] if path.is_file() else sorted({one for pattern in _FILES for one in path.glob(pattern)})
    return [file_sha256(one) for one in files] if path.exists() else []
