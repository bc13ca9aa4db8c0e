"""``ratchet keys``: a secret is on standard output alone, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]  # of conftest.py


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "keys.json")


def test_a_key_from_its_making_to_its_end(ratchet: Run, path: str) -> None:
    made = ratchet("keys", "add", "my app", "--scope", "predict", "--scope", "chat", "--expires", "90d", "--keys", path)
    assert made.code == 0
    token = made.out.removesuffix("\n")
    assert token.startswith("rk_")
    assert "\n" not in token
    assert token not in made.err
    assert "not shown again" in made.err
    (entry,) = json.loads(ratchet("keys", "list", "--json", "--keys", path).out)
    assert entry["scopes"] == ["predict", "chat"]
    assert datetime.fromisoformat(entry["expires"]) - datetime.now(UTC) > timedelta(days=89)
    assert "sha256" not in str(entry)
    listed = ratchet("keys", "list", "--keys", path)
    assert listed.out.startswith(f"{entry['id']}  my app: predict, chat; no limit; expires 20")
    rotated = ratchet("keys", "rotate", entry["id"], "--overlap", "1h", "--keys", path)
    assert rotated.out != made.out
    assert "an older secret is right until" in rotated.err
    revoked = ratchet("keys", "revoke", entry["id"], "--keys", path)
    assert revoked.out == f"my app has no key {entry['id']} any more.\n"
    assert "has no key" in ratchet("keys", "list", "--keys", path).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "a", "--expires", "90"), "such as 90d"),
        (("add", "a", "--expires", "999999y"), "before the year 10000"),
        (("add", "a", "--scope", "root"), "'root' is not one of"),
        (("add", "a", "--rate", "0"), "--rate"),
        (("list",), "No such file"),
        (("rotate", "0123abcd"), "No such file"),
    ],
)
def test_what_is_refused(ratchet: Run, path: str, arguments: tuple[str, ...], said: str) -> None:
    ended = ratchet("keys", *arguments, "--keys", path)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""
    assert not Path(path).exists()
