"""What the operating system refused, also where a library in Rust says so in its own kind of error."""

from __future__ import annotations

import re

from ratchet.errors import RatchetError

_RUST = re.compile(r"\(os error (\d+)\)$")


def refused(error: Exception) -> OSError | None:
    """The refusal behind an error; ``None`` where it is another mistake.

    safetensors and tokenizers raise errors of their own, whose text ends in the number: ``... (os error 28)``.
    """
    if isinstance(error, OSError):
        return error
    found = None if isinstance(error, RatchetError) else _RUST.search(str(error))
    return OSError(int(found[1]), str(error)) if found else None
