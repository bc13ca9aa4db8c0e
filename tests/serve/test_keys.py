"""The key file: no secret is in it, it is its owner's alone, and two changes at once lose nothing."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ratchet.errors import RatchetError
from ratchet.serve.keys import add_key, read_keys, revoke_key, rotate_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_issued_and_only_its_hash_kept(path: Path) -> None:
    issued = add_key(path, "老 app", scopes=["metrics", "predict"], rate=2.5)
    prefix, key_id, secret = issued.token.split("_", 2)
    assert (prefix, key_id) == ("rk", issued.key.id)
    assert len(secret) == 43  # 32 bytes
    text = path.read_text(encoding="utf-8")
    assert secret not in text
    (key,) = read_keys(path)
    assert key == issued.key
    assert [one.sha256 for one in key.secrets] == [hashlib.sha256(secret.encode()).hexdigest()]
    assert (key.name, key.scopes, key.rate, key.burst) == ("老 app", ("predict", "metrics"), 2.5, 5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_file_is_its_owners_alone_whatever_the_mask(path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        add_key(path, "a", scopes=["predict"])
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"keys.json": 0o600, ".keys.json.lock": 0o600}


def test_a_rotated_key_has_two_secrets_for_a_while(path: Path) -> None:
    first = add_key(path, "a", scopes=["predict"], expires=datetime(2027, 1, 1, tzinfo=UTC))
    before = datetime.now(UTC)
    second = rotate_key(path, first.key.id, overlap=timedelta(hours=2))
    new, old = second.key.secrets
    assert new.until is None
    assert old.until is not None
    assert timedelta(minutes=119) < old.until - before <= timedelta(hours=2)
    assert old.sha256 == first.key.secrets[0].sha256
    assert second.key.expires == first.key.expires
    third = rotate_key(path, first.key.id, overlap=timedelta(days=9), expires=datetime(2028, 1, 1, tzinfo=UTC))
    assert third.key.secrets[2] == old  # no later than it was promised
    assert third.key.expires == datetime(2028, 1, 1, tzinfo=UTC)
    last = rotate_key(path, first.key.id, overlap=timedelta(0))
    assert len(last.key.secrets) == 1
    assert read_keys(path) == (last.key,)


def test_a_revoked_key_is_gone(path: Path) -> None:
    one, two = (add_key(path, name, scopes=["predict"]).key for name in "ab")
    assert revoke_key(path, one.id) == one
    assert read_keys(path) == (two,)
    with pytest.raises(RatchetError, match=f"got '{one.id}'; it has {two.id}"):
        revoke_key(path, one.id)
    revoke_key(path, two.id)
    with pytest.raises(RatchetError, match="it has no key"):
        rotate_key(path, two.id, overlap=timedelta(0))


ADD = """
import sys
from pathlib import Path
from ratchet.serve.keys import add_key
for number in range(5):
    add_key(Path(sys.argv[1]), f"{sys.argv[2]}-{number}", scopes=["predict"])
"""


def test_two_that_add_at_the_same_time_lose_nothing(path: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", ADD, str(path), name]) for name in "abc"]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert sorted(key.name for key in read_keys(path)) == [f"{name}-{number}" for name in "abc" for number in range(5)]


def test_a_link_to_the_file_stays_a_link(path: Path) -> None:
    add_key(path, "a", scopes=["predict"])
    link = path.with_name("link.json")
    link.symlink_to(path)
    add_key(link, "b", scopes=["predict"])
    assert link.is_symlink()
    assert [key.name for key in read_keys(path)] == ["a", "b"]


GOOD = {
    "id": "0123abcd",
    "name": "a",
    "secrets": [{"sha256": "0" * 64}],
    "scopes": ["predict"],
    "created": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "x"}, "keys.0.id"),
        ({"scopes": ["root"]}, "keys.0.scopes.0"),
        ({"secrets": [{"sha256": "00"}]}, "keys.0.secrets.0.sha256"),
        ({"rate": 0}, "keys.0.rate"),
        ({"burst": 0}, "keys.0.burst"),
        ({"expires": "2026-01-01T00:00:00"}, "keys.0.expires"),
        ({"colour": "red"}, "keys.0.colour"),
    ],
)
def test_a_damaged_file_is_named_with_the_place(path: Path, change: dict[str, object], problem: str) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps({"keys": [GOOD]}))
    assert read_keys(path)[0].rate is None
    path.write_text(json.dumps({"keys": [GOOD | change]}))
    with pytest.raises(RatchetError, match=f"but {problem}: "):
        read_keys(path)
    with pytest.raises(RatchetError, match=problem):
        add_key(path, "b", scopes=["predict"])


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"keys": [], "version": 2}'])
def test_what_is_no_key_file(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
    with pytest.raises(RatchetError, match="must hold keys as `ratchet keys` writes them"):
        read_keys(path)


def test_an_id_that_is_there_twice(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps({"keys": [GOOD, GOOD]}))
    with pytest.raises(RatchetError, match="has '0123abcd' twice"):
        read_keys(path)


def test_errors_quote_no_hash(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps({"keys": [GOOD | {"secrets": [{"sha256": "secret" * 11}]}]}))
    with pytest.raises(RatchetError) as caught:
        read_keys(path)
    assert "secretsecret" not in str(caught.value)


def test_an_unknown_scope(path: Path) -> None:
    with pytest.raises(RatchetError, match="one of predict, chat, metrics, admin but got 'root'"):
        add_key(path, "a", scopes=["root"])
    assert not path.exists()


def test_a_file_of_another_user_is_not_taken_from_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_key(path, "a", scopes=["predict"])
    owner = path.stat().st_uid
    monkeypatch.setattr("ratchet.serve.keys.read_keys", lambda _: ())
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(RatchetError, match=f"must be changed by its owner, user {owner}"):
        add_key(path, "b", scopes=["predict"])
