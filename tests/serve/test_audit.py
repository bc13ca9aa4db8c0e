"""The audit log: appended, its owner's alone, followed through rotations, and no reason to stop serving."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import RatchetError, WorkspaceError
from ratchet.serve.audit import Audit, Line


def line(**changes: Any) -> Line:
    given = {"request": "r", "key": "k", "method": "GET", "route": "/", "status": 200, "bytes_in": 1, "bytes_out": 2}
    when = datetime(2026, 11, 28, 13, 0, 0, 123456, tzinfo=UTC)
    return Line(**{**given, "time": when, "milliseconds": 1.5, "rows": 0, **changes})


def requests(path: Path) -> list[str]:
    return [json.loads(each)["request"] for each in path.read_text().splitlines() if each]


def test_lines_are_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "audit.jsonl"
    for name in ("a", "b"):
        audit = Audit(path)
        audit.write(line(request=name))
        audit.close()
    assert requests(path) == ["a", "b"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = json.loads(path.read_text().splitlines()[0])
    assert first["time"] == "2026-11-28T13:00:00.123456Z"
    assert "refused" not in first
    assert "address" not in first


@pytest.mark.parametrize("how", ["renamed", "removed"])
def test_a_rotated_log_is_begun_anew(tmp_path: Path, how: str) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.write(line(request="a"))
    audit.refresh()
    assert requests(path) == ["a"]
    if how == "renamed":
        path.rename(tmp_path / "old.jsonl")
        audit.write(line(request="b"))
        assert requests(tmp_path / "old.jsonl") == ["a", "b"]
    else:
        path.unlink()
    audit.refresh()
    audit.write(line(request="c"))
    assert requests(path) == ["c"]
    audit.close()


def test_a_folder_that_went_away_is_said_and_the_old_file_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    path.rename(tmp_path / "old.jsonl")

    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        for _ in range(3):
            audit.refresh()
    assert len(caplog.records) == 1
    audit.write(line(request="a"))
    assert requests(tmp_path / "old.jsonl") == ["a"]
    audit.close()


def test_a_full_disk_is_said_once_and_the_lines_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    real = os.write
    room = [30, 0, 0]

    def full(handle: int, data: bytes) -> int:
        left = room.pop(0)
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data[:left])

    with caplog.at_level(logging.INFO, logger="ratchet.serve"), monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for name in ("a", "b", "c"):
            audit.write(line(request=name))
    assert audit.lost == 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "No space left on device" in caplog.text
    audit.write(line(request="d"))
    torn, whole = path.read_text().splitlines()
    assert len(torn) == 30
    assert json.loads(whole)["request"] == "d"
    audit.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_device_that_is_full() -> None:
    audit = Audit(Path("/dev/full"))
    audit.write(line())
    assert audit.lost == 1
    audit.close()


def test_what_is_no_place_for_a_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RatchetError, match="must be a file but is a pipe"):
        Audit(tmp_path / "pipe")
    with pytest.raises(WorkspaceError):
        Audit(tmp_path)


def test_a_line_holds_any_name_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.write(line(request='a"\n\u2028\x00é'))
    assert json.loads(path.read_bytes().split(b"\n")[0])["request"] == 'a"\n\u2028\x00é'
    audit.close()
