"""The ring: which key a text is, and what becomes of it when the file changes, is damaged or goes."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ratchet.errors import RatchetError
from ratchet.serve.keys import add_key, rotate_key
from ratchet.serve.ring import Ring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_found_and_nothing_near_it(path: Path) -> None:
    issued, other = (add_key(path, name, scopes=["predict"], rate=3) for name in "ab")
    ring = Ring(path)
    token = issued.token.encode()
    found = ring.find(token)
    assert found is not None
    assert (found.client.id, found.client.scopes, found.rate, found.burst) == (issued.key.id, {"predict"}, 3, 6)
    swapped = f"rk_{other.key.id}_{issued.token[12:]}".encode()
    for wrong in (
        b"",
        b"rk",
        b"rk__",
        token[:-1],
        token + b"x",
        token.upper(),
        b"x" + token,
        token[3:],
        swapped,
        b"\xff\x00",
    ):
        assert ring.find(wrong) is None, wrong


def test_what_asks_for_keys(path: Path) -> None:
    add_key(path, "a", scopes=["predict"])
    assert [ring.asks for ring in (Ring(None), Ring(path), Ring(None, single="k"))] == [False, True, True]
    assert Ring(None).find(b"") is None
    only = Ring(None, single="k")
    assert only.find(b"") is None
    found = only.find(b"k")
    assert found is not None
    assert (found.client.id, found.client.scopes) == ("env", {"predict", "chat", "metrics"})


def test_an_old_secret_ends_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = add_key(path, "a", scopes=["predict"])
    new = rotate_key(path, old.key.id, overlap=timedelta(hours=1))
    ring = Ring(path)
    assert ring.find(old.token.encode()) is not None
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    assert ring.find(old.token.encode()) is None
    assert ring.find(new.token.encode()) is not None


def test_the_end_of_a_key(path: Path) -> None:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    issued = add_key(path, "a", scopes=["predict"], expires=end)
    found = Ring(path).find(issued.token.encode())
    assert found is not None
    assert found.expires == end.timestamp()


@pytest.mark.parametrize("fault", ["damaged", "open", "gone"])
def test_what_is_not_usable_any_more_keeps_the_keys_and_is_said_once(
    path: Path, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    issued = add_key(path, "a", scopes=["predict"])
    good = path.read_bytes()
    ring = Ring(path)
    if fault == "damaged":
        path.write_bytes(good[:-20])
    elif fault == "open":
        path.chmod(0o644)
    else:
        path.unlink()
    with caplog.at_level(logging.INFO, logger="ratchet.serve"):
        for _ in range(3):
            ring.refresh()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "The keys stay as they were" in caplog.text
    assert ring.find(issued.token.encode()) is not None
    path.unlink(missing_ok=True)
    added = add_key(path, "b", scopes=["predict"])
    ring.refresh()
    assert ring.find(added.token.encode()) is not None
    assert ring.find(issued.token.encode()) is None


def test_an_unusable_file_makes_no_ring(path: Path) -> None:
    with pytest.raises(RatchetError, match="No such file"):
        Ring(path)
