"""Ratchet: from a table of text to a guarded model in production, one proven step at a time."""

import os

from ratchet.errors import RatchetError

__all__ = ["RatchetError", "__version__"]

__version__ = "0.1.0"

# Read when pyarrow is first imported. Its own allocator asks for huge pages, which cost a virtual machine that has none free
# a second a gigabyte; a million rows then take half as long again, and a fifth more memory.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
