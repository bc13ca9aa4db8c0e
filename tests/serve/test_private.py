"""Files that hold secrets are refused where others could read, change or swap them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ratchet.errors import RatchetError
from ratchet.serve import private
from ratchet.serve.private import read_private, require_private, stamp


def secret(tmp_path: Path, mode: int = 0o600) -> Path:
    path = tmp_path / "a secret"
    path.write_bytes(b"x")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert read_private(secret(tmp_path, mode), what="key file") == b"x"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o666])
def test_what_others_can_read_or_change_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = secret(tmp_path, mode)
    with pytest.raises(RatchetError, match=f"its mode is {mode:04o}. Run: chmod 600 '{path}'"):
        require_private(path, what="key file")


def test_of_a_link_it_is_what_the_link_leads_to(tmp_path: Path) -> None:
    path = secret(tmp_path, 0o644)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(RatchetError, match=f"Run: chmod 600 '{path}'"):
        require_private(link, what="key file")
    path.chmod(0o600)
    assert read_private(link, what="key file") == b"x"


@pytest.mark.parametrize(
    ("owner", "mode", "fine"),
    [
        (1000, 0o600, True),
        (0, 0o640, True),
        (0, 0o440, True),
        (0, 0o644, False),
        (0, 0o660, False),
        (1000, 0o640, False),
    ],
)
def test_root_may_hand_a_file_to_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, mode: int, fine: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found: Any = SimpleNamespace(st_uid=owner, st_mode=mode)
    if fine:
        private._require_closed(tmp_path, found, what="key file")
    else:
        with pytest.raises(RatchetError, match="readable by its owner alone"):
            private._require_closed(tmp_path, found, what="key file")


def test_a_file_or_a_link_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = secret(tmp_path)
    mine = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    other: Any = SimpleNamespace(st_uid=4243, st_mode=0o600)
    with pytest.raises(RatchetError, match=r"is of user (4243|\d+)\. Run: sudo chown -h 4242"):
        private._require_owner(path, other, what="key file")
    monkeypatch.setattr(os, "geteuid", lambda: mine)
    private._require_owner(path, path.stat(), what="key file")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(RatchetError, match="must be a file but is something else"):
        read_private(tmp_path / "pipe", what="key file")
    with pytest.raises(RatchetError, match="must be a file but is something else"):
        read_private(tmp_path, what="key file")
    with pytest.raises(RatchetError, match="No such file"):
        read_private(tmp_path / "nothing", what="key file")


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = secret(tmp_path)
    with path.open("wb") as stream:
        stream.truncate(private.LARGEST + 1)
    with pytest.raises(RatchetError, match="must have at most"):
        read_private(path, what="key file")


def test_the_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = secret(tmp_path)
    stamps = [stamp(path)]
    assert stamp(path) == stamps[0]
    path.chmod(0o640)
    stamps.append(stamp(path))
    path.write_bytes(b"yy")
    stamps.append(stamp(path))
    path.unlink()
    stamps.append(stamp(path))
    assert len(set(map(str, stamps))) == 4
