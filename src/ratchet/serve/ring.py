"""The ring: the keys that a running server knows, found by what a client sends, and read again when their file changes."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ratchet.errors import RatchetError
from ratchet.serve.keys import PREFIX, SCOPES, Key, read_keys
from ratchet.serve.private import stamp

logger = logging.getLogger("ratchet.serve")

ALL_BUT_ADMIN = frozenset(SCOPES) - {"admin"}
_NOBODY = bytes(32)


@dataclass(frozen=True, kw_only=True)
class Client:
    """Who asks: the id of a key, "env" for that of RATCHET_API_KEY, "anonymous" where none is asked for or needed."""

    id: str
    scopes: frozenset[str]


KEY = "RATCHET_API_KEY"
"""The environment variable with a key beside those of the key file."""
ANONYMOUS = Client(id="anonymous", scopes=ALL_BUT_ADMIN)
UNKNOWN = Client(id="anonymous", scopes=frozenset())


@dataclass(frozen=True, kw_only=True)
class Held:
    """A key as the server holds it; times are seconds since 1970."""

    client: Client
    digests: tuple[tuple[bytes, float], ...]
    """The sha256 of each secret, and until when it is right."""
    rate: float | None = None
    burst: int = 1
    expires: float = float("inf")

    @classmethod
    def of(cls, key: Key) -> Held:
        """That of the key file."""
        return cls(
            client=Client(id=key.id, scopes=frozenset(key.scopes)),
            digests=tuple((bytes.fromhex(one.sha256), _seconds(one.until)) for one in key.secrets),
            rate=key.rate,
            burst=key.burst,
            expires=_seconds(key.expires),
        )


class Ring:
    """The keys of a file, a single key, both, or none.

    Args:
        path: the key file.
        single: a key with all scopes but admin, as RATCHET_API_KEY has it; empty: none.

    Raises:
        RatchetError: the file is not usable.
    """

    def __init__(self, path: Path | None, *, single: str = "") -> None:
        self._path = path
        self._single = _single(single) if single else None
        self._known: Mapping[bytes, Held] = {}
        self._seen: object = None
        if path is not None:
            self._seen = stamp(path)
            self._known = _held(path)

    @property
    def asks(self) -> bool:
        """Whether clients must send a key."""
        return self._path is not None or self._single is not None

    def refresh(self) -> None:
        """Read the file again when it changed; where it is not usable any more the keys stay, and that is said once."""
        if self._path is None or (found := stamp(self._path)) == self._seen:
            return
        self._seen = found
        try:
            self._known = _held(self._path)
        except RatchetError as error:
            logger.error("The keys stay as they were: %s", error)
        else:
            logger.info("%d keys were read from %s.", len(self._known), self._path)

    def find(self, given: bytes) -> Held | None:
        """The key that this is; known and unknown ids take the same time."""
        prefix, _, rest = given.partition(b"_")
        name, _, secret = rest.partition(b"_")
        held = self._known.get(name) if prefix == PREFIX.encode() else None
        digest, now, found = hashlib.sha256(secret).digest(), time.time(), None
        for right, until in held.digests if held else ((_NOBODY, 0.0),):
            if hmac.compare_digest(digest, right) and now < until:
                found = held
        if self._single is not None and hmac.compare_digest(hashlib.sha256(given).digest(), self._single.digests[0][0]):
            return self._single
        return found


def _single(key: str) -> Held:
    digest = hashlib.sha256(key.encode()).digest()
    return Held(client=Client(id="env", scopes=ALL_BUT_ADMIN), digests=((digest, float("inf")),))


def _held(path: Path) -> dict[bytes, Held]:
    return {key.id.encode(): Held.of(key) for key in read_keys(path)}


def _seconds(when: datetime | None) -> float:
    return float("inf") if when is None else when.timestamp()


def key_of(authorization: bytes, api_key: bytes) -> bytes:
    """The key in these two headers, or nothing."""
    scheme, _, token = authorization.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else api_key
