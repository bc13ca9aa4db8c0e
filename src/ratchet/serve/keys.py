"""The key file: who may call the server, with which scopes and how often; secrets are in it as sha256 only."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ratchet.errors import RatchetError
from ratchet.serve.private import read_private
from ratchet.workspace.workspace import write_atomic, writing

WHAT = "key file"
PREFIX = "rk"
SECRET_BYTES = 32
SCOPES = ("predict", "chat", "metrics", "admin")
"""What a key may be for: predictions, chat and completions, /metrics, and loading or unloading models."""

Scope = Literal["predict", "chat", "metrics", "admin"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Entry):
    """A secret that opens a key, as its hash; until a time, where a newer one replaced it."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    until: AwareDatetime | None = None


class Key(_Entry):
    """One key; ``rate`` is in requests a second (absent: no limit), ``burst`` what may come at once."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    secrets: tuple[Secret, ...]
    scopes: tuple[Scope, ...]
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    burst: Annotated[int, Field(ge=1)] = 1
    created: AwareDatetime
    expires: AwareDatetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Whether it may not be used any more."""
        return self.expires is not None and now >= self.expires


class _File(_Entry):
    version: Literal[1] = 1
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A key with its new secret, which is written nowhere: ``token`` is all that the client sends."""

    key: Key
    token: str


def hashed(secret: bytes) -> str:
    """The sha256 of a secret, in hexadecimal; it is random and long, so it needs neither salt nor a slow hash."""
    return hashlib.sha256(secret).hexdigest()


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys in a file.

    Raises:
        RatchetError: others can read the file (see ``private.py``), or it is damaged.
    """
    try:
        found = _File.model_validate_json(read_private(path, what=WHAT))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise RatchetError(
            f"The {WHAT} {path} must hold keys as `ratchet keys` writes them but {where}: {first['msg']}.",
            next_step="Mend it, or take the last good copy.",
        ) from None
    ids = [key.id for key in found.keys]
    if twice := next((each for each in ids if ids.count(each) > 1), None):
        raise RatchetError(f"The {WHAT} {path} must have each id once but has {twice!r} twice.", next_step="Mend it.")
    return found.keys


def add_key(
    path: Path,
    name: str,
    *,
    scopes: Sequence[str],
    expires: datetime | None = None,
    rate: float | None = None,
    burst: int | None = None,
) -> Issued:
    """Add a key to a file, which is made where there is none.

    Args:
        path: the key file.
        name: whose key it is, for people.
        scopes: some of ``SCOPES``.
        expires: from then on it is refused.
        rate: requests a second; ``None``: no limit.
        burst: requests that may come at once; absent: those of two seconds, at least one.

    Raises:
        RatchetError: a scope is unknown, or the file is not usable.
    """
    if unknown := next((scope for scope in scopes if scope not in SCOPES), None):
        raise RatchetError(f"A scope must be one of {', '.join(SCOPES)} but got {unknown!r}.")
    token, secret = {}, _new_secret()

    def add(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        taken = {key.id for key in keys}
        found = next(each for each in iter(lambda: secrets.token_hex(4), "") if each not in taken)
        new = Key.model_validate(
            {
                "id": found,
                "name": name,
                "secrets": (Secret(sha256=hashed(secret.encode())),),
                "scopes": tuple(scope for scope in SCOPES if scope in scopes),
                "rate": rate,
                "burst": burst or max(1, round(2 * (rate or 0))),
                "created": _now(),
                "expires": expires,
            }
        )
        token["key"] = new
        return (*keys, new)

    _change(path, add, make=True)
    return _issued(token["key"], secret)


def rotate_key(path: Path, key_id: str, *, overlap: timedelta, expires: datetime | None = None) -> Issued:
    """Give a key a new secret; the old one opens it for ``overlap`` longer.

    Args:
        path: the key file.
        key_id: the id of the key.
        overlap: how long both secrets are right, so that clients can be changed one by one.
        expires: the new end of the key; absent: it stays.

    Raises:
        RatchetError: there is no such key, or the file is not usable.
    """
    secret, now = _new_secret(), _now()
    end = now + overlap

    def renewed(key: Key) -> Key:
        living = [old for old in key.secrets if old.until is None or old.until > now]
        ending = [
            old if old.until is not None and old.until < end else Secret(sha256=old.sha256, until=end) for old in living
        ]
        found = (Secret(sha256=hashed(secret.encode())), *(ending if overlap else ()))
        return key.model_copy(update={"secrets": found, "expires": expires or key.expires})

    return _issued(_change_one(path, key_id, renewed), secret)


def revoke_key(path: Path, key_id: str) -> Key:
    """Remove a key; a server that is running refuses it within two seconds.

    Raises:
        RatchetError: there is no such key, or the file is not usable.
    """
    return _change_one(path, key_id, lambda _: None)


def _issued(key: Key, secret: str) -> Issued:
    return Issued(key=key, token=f"{PREFIX}_{key.id}_{secret}")


def _new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _change_one(path: Path, key_id: str, change: Callable[[Key], Key | None]) -> Key:
    """What became of a key, or what it was where it is gone."""
    found: list[Key] = []

    def changed(keys: tuple[Key, ...]) -> Iterator[Key]:
        for key in keys:
            if key.id != key_id:
                yield key
                continue
            new = change(key)
            found.append(new or key)
            if new is not None:
                yield new
        if not found:
            have = ", ".join(key.id for key in keys) or "no key"
            raise RatchetError(f"The id must be of a key in {path} but got {key_id!r}; it has {have}.")

    _change(path, lambda keys: tuple(changed(keys)))
    return found[0]


def _change(path: Path, change: Callable[[tuple[Key, ...]], tuple[Key, ...]], *, make: bool = False) -> None:
    """Write what ``change`` makes of the keys; of two at the same time one waits for the other."""
    path = Path(os.path.realpath(path))
    with _locked(path):
        keys = change(() if make and not path.exists() else read_keys(path))
        _require_own(path)
        form = _File(keys=keys).model_dump(mode="json", exclude_none=True)
        write_atomic(path, (json.dumps(form, indent=1, ensure_ascii=False) + "\n").encode(), mode=0o600)


def _require_own(path: Path) -> None:
    """A file that is written anew belongs to who writes it; the server of another user could not read it then."""
    if path.exists() and path.stat().st_uid != os.geteuid():
        owner = path.stat().st_uid
        raise RatchetError(
            f"The {WHAT} {path} must be changed by its owner, user {owner}, but you are user {os.geteuid()}.",
            next_step=f"Run: sudo -u '#{owner}' ratchet keys ...",
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
