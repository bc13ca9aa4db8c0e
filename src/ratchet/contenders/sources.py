"""The files that a model, or what makes its rows, begins with: other ones of the same name make another contender."""

from __future__ import annotations

from pathlib import Path

from ratchet.models.checkpoints import GGUF
from ratchet.recipe.place import places
from ratchet.recipe.section import Section
from ratchet.train.identity import FILES
from ratchet.workspace.finished import file_sha256

SOURCES = "sources"
"""The fact of a card that holds the sha256 of each file that its training read beside the rows."""
_PATTERNS = (*(f"*{ending}" for ending in FILES), f"*{GGUF}", "*_Pooling/config.json")


def source_files(source: str) -> list[str]:
    """The sha256 of each file of a model's directory, or of the one file that it is; none of another kind of source."""
    path = Path(source).expanduser()
    files = [path] if path.is_file() else sorted({one for pattern in _PATTERNS for one in path.glob(pattern)})
    return [file_sha256(one) for one in files] if path.exists() else []


def section_files(*sections: Section) -> list[str]:
    """The sha256 of each file that the sections name; those of a place that is named twice once."""
    named = dict.fromkeys(place for section in sections for place in places(section))
    return [sha256 for place in named for sha256 in source_files(place)]
