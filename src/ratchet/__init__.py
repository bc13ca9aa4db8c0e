"""Ratchet: from a table of text to a guarded model in production, one proven step at a time."""

from ratchet.errors import RatchetError

__all__ = ["RatchetError", "__version__"]

__version__ = "0.1.0"
