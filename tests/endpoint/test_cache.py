from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from ratchet.endpoint.cache import Cache, key
from ratchet.endpoint.reply import Reply
from ratchet.errors import WorkspaceError

REPLY = Reply(
    text="正面\0🎉",
    prompt_tokens=12,
    completion_tokens=3,
    cost=0.1 + 0.2,
    seconds=1 / 3,
    model="m-1",
    structured=True,
    attempts=4,
)
REQUEST = {"url": "http://h/v1", "model": "m", "messages": [{"role": "user", "content": "a"}], "parameters": {"n": 1}}


def filled(path: Path, count: int = 200) -> None:
    with Cache(path) as cache:
        for number in range(count):
            cache.put(f"{number:064x}", Reply(text=f"answer {number} " * 20, model="m"))


def test_a_reply_comes_back_as_it_was(tmp_path: Path) -> None:
    with Cache(tmp_path / "new" / "c") as cache:
        assert cache.get("a") is None
        cache.put("a", REPLY)
        cache.put("b", Reply(text=None, reason="cut"))
    with Cache(tmp_path / "new" / "c") as cache:
        found = cache.get("a")
        assert found == Reply(
            **{**{name: getattr(REPLY, name) for name in REPLY.__dataclass_fields__}, "cached": True, "attempts": 0}
        )
        other = cache.get("b")
        assert other is not None
        assert (other.text, other.reason) == (None, "cut")
        assert len(cache) == 2
        assert cache.notes == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "http://h/v2"),
        ("model", "n"),
        ("messages", [{"role": "system", "content": "a"}]),
        ("messages", [{"role": "user", "content": "a"}, {"role": "user", "content": ""}]),
        ("parameters", {"n": 2}),
        ("parameters", {"n": 1, "m": None}),
    ],
)
def test_another_request_has_another_key(name: str, value: object) -> None:
    assert key(**REQUEST) == key(**REQUEST)  # type: ignore[arg-type]
    assert len(key(**REQUEST)) == 64  # type: ignore[arg-type]
    assert key(**{**REQUEST, name: value}) != key(**REQUEST)  # type: ignore[arg-type]


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    (tmp_path / "old").touch(mode=0o644)
    for name in ("new", "old"):
        with Cache(tmp_path / name) as cache:
            cache.put("a", REPLY)
            files = [path for path in tmp_path.iterdir() if path.name.startswith(name)]
            assert len(files) == 3  # the log and its index too
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_every_reply_is_on_the_disk_before_it_counts(tmp_path: Path) -> None:
    with Cache(tmp_path / "c") as cache:
        assert cache._db.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert cache._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        cache.put("a", REPLY)
        with Cache(tmp_path / "c") as another:  # a second process would see it too
            assert another.get("a") is not None


def test_threads_may_write_together(tmp_path: Path) -> None:
    with Cache(tmp_path / "c") as cache:
        threads = [
            threading.Thread(target=lambda n=n: [cache.put(f"{n}-{i}", REPLY) for i in range(20)]) for n in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cache) == 100


def test_a_file_that_is_none_of_ours_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"garbage, not a database" * 100)
    with Cache(tmp_path / "c") as cache:
        assert "c was damaged and is now c.damaged-1; 0 of its replies" in cache.notes[0]
        cache.put("a", REPLY)
    assert (tmp_path / "c.damaged-1").read_bytes().startswith(b"garbage")
    with Cache(tmp_path / "c") as cache:
        assert cache.notes == ()
        assert len(cache) == 1


@pytest.mark.parametrize("where", [0, 40, 0.3, 0.6, 0.9])
def test_damage_anywhere_is_found_and_what_reads_whole_is_kept(tmp_path: Path, where: float) -> None:
    path = tmp_path / "c"
    filled(path)
    data = bytearray(path.read_bytes())
    start = where if isinstance(where, int) else int(len(data) * where) // 4096 * 4096
    data[start : start + 600] = b"\xa5" * 600
    path.write_bytes(data)
    with Cache(path) as cache:
        assert len(cache.notes) == 1
        for number in range(200):
            found = cache.get(f"{number:064x}")
            assert found is None or found.text == f"answer {number} " * 20
        kept = len(cache)
        assert f"{kept:,} of its replies" in cache.notes[0]
        assert kept < 200
        cache.put("more", REPLY)
    with Cache(path) as cache:
        assert cache.notes == ()
        assert len(cache) == kept + 1


def test_one_changed_letter_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c"
    filled(path)
    data = path.read_bytes()
    assert data.count(b"answer 77 ") >= 20
    path.write_bytes(data.replace(b"answer 77 ", b"answer 78 ", 1))
    with Cache(path) as cache:
        assert "199 of its replies" in cache.notes[0]
        assert cache.get(f"{77:064x}") is None
        assert cache.get(f"{78:064x}") is not None


def test_a_cut_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c"
    filled(path)
    path.write_bytes(path.read_bytes()[:-9000])
    with Cache(path) as cache:
        assert len(cache.notes) == 1
        assert len(cache) < 200


def test_a_file_of_a_newer_version_is_set_aside(tmp_path: Path) -> None:
    filled(tmp_path / "c", 3)
    database = sqlite3.connect(tmp_path / "c")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with Cache(tmp_path / "c") as cache:
        assert "damaged-1" in cache.notes[0]


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(WorkspaceError):
        Cache(tmp_path / "c")


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with Cache(tmp_path / "c") as cache:
        cache._db.execute("PRAGMA query_only = 1")
        with pytest.raises(WorkspaceError, match="readonly"):
            cache.put("a", REPLY)
