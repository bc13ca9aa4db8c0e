"""What augmenters had made by something slow, kept: a text is worked on once, whoever stops the run and when."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ratchet.endpoint.cache import Cache
from ratchet.endpoint.reply import Reply
from ratchet.forms import json_bytes
from ratchet.screen import Advance

FILE = "made.sqlite"
Work = Callable[[list[str]], Iterator[Mapping[str, Reply]]]
"""Makes replies of one text or more, some texts at a time."""


@contextmanager
def opened(folder: Path | None) -> Iterator[Cache]:
    """The replies kept in this folder; ``None``: a folder that is gone after the block."""
    with TemporaryDirectory() as passing, Cache((folder or Path(passing)) / FILE) as cache:
        yield cache


def made_once(
    texts: Iterable[str],
    work: Work,
    *,
    by: Mapping[str, object],
    cache: Cache,
    advance: Advance,
    about: str,
    keep: Callable[[Reply], bool] | None = None,
) -> dict[str, Reply]:
    """The reply to each text: from the cache, and what is not there from ``work``.

    Each batch is on the disk before the next one is begun, so a kill at any moment loses one batch. Several processes may
    share the cache. ``work`` gets the texts sorted, each once (their order in the table has no say), and is called for
    one at least.

    Args:
        texts: any number of times, in any order.
        work: what makes the replies.
        by: all that decides them besides the text; its JSON is part of the key.
        cache: replies so far.
        advance: told how many texts have a reply.
        about: what is being done, for people.
        keep: which replies are stored; absent: all.
    """
    names = {text: _key(by, text) for text in texts}
    found: dict[str, Reply] = {}
    for text, name in names.items():
        if (stored := cache.get(name)) is not None:
            found[text] = stored
    todo = sorted(names.keys() - found.keys())
    for batch in work(todo) if todo else ():
        cache.put_all({names[text]: reply for text, reply in batch.items() if keep is None or keep(reply)})
        found.update(batch)
        advance(len(found), len(names), f"{len(found):,} of {len(names):,} texts {about}")
    return found


def number_of(*parts: object) -> int:
    """63 bits that any of these changes: the seed of what is drawn for one text."""
    digest = hashlib.blake2b(json_bytes([str(part) for part in parts]), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def storable(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which can be neither encoded nor stored."""
    return text.encode("utf-8", "replace").decode()


def _key(by: Mapping[str, object], text: str) -> str:
    return hashlib.sha256(json_bytes([dict(by), text])).hexdigest()
