from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.versions import lines as pieces
from ratchet.versions import object_store as objects
from ratchet.versions.object_store import Damaged, Objects

LINES = st.lists(
    st.one_of(st.binary(max_size=40), st.sampled_from([b"text,label", b"\xc4\xe3\xba\xc3,pos", b"", b"x" * 70])),
    max_size=30,
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\x00", b""])


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


def put(store: Objects, file: Path, data: bytes) -> str:
    file.write_bytes(data)
    return store.put(file).name


def get(store: Objects, name: str) -> bytes:
    return b"".join(store.get(name))


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def table(rows: int, *, seed: int = 0) -> list[bytes]:
    dice = random.Random(seed)
    words = ["房间", "干净", "服务", "态度", "很好", "差", "位置", "方便", "早餐", "不错", "电脑", "性能", "书", "内容"]
    return [
        f"{i},{''.join(dice.choices(words, k=dice.randint(3, 30)))},{dice.choice('ab')}\n".encode() for i in range(rows)
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.tuples(LINES, ENDS), min_size=1, max_size=4), small=st.booleans())
def test_every_file_comes_back_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[Sequence[bytes], bytes]], small: bool
) -> None:
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        if small:  # several blocks, objects and pieces of a line
            patch.setattr(objects, "OBJECT", 64)
            patch.setattr(objects, "_READ", 24)
            patch.setattr(pieces, "BLOCK", 48)
            patch.setattr(pieces, "LONGEST", 16)
        store, names = Objects(folder / "o"), []
        contents = [end.join(lines) for lines, end in files]
        for data in contents:
            names.append(put(store, folder / "f", data))
        for name, data in zip(names, contents, strict=True):
            assert get(store, name) == data
            assert get(Objects(folder / "o"), name) == data
            assert Objects(folder / "o").damage(name, deep=True) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"no end",
        "文本,标签\r\n很好,正面\r\n".encode("gb18030"),
        "文本,标签\n很好,正面\n".encode("utf-16"),
        gzip.compress(random.Random(1).randbytes(20_000), mtime=0),
        b"one line " * 40_000,
    ],
    ids=["empty", "newline", "no end", "gb18030", "utf-16", "binary", "one long line"],
)
def test_any_kind_of_file(tmp_path: Path, data: bytes) -> None:
    store = Objects(tmp_path / "o")
    stored_at = tmp_path / "f"
    stored_at.write_bytes(data)
    stored = store.put(stored_at)
    assert get(store, stored.name) == data
    assert stored.bytes == len(data)


def test_the_same_bytes_are_the_same_object(tmp_path: Path) -> None:
    first = put(Objects(tmp_path / "o"), tmp_path / "f", b"".join(table(500)))
    before = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert put(Objects(tmp_path / "o"), tmp_path / "g", b"".join(table(500))) == first
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == before


@pytest.mark.parametrize(
    ("change", "share"), [("scattered", 0.05), ("shuffled", 0.10), ("inserted", 0.02), ("doubled", 0.05)]
)
def test_a_changed_table_costs_little(tmp_path: Path, change: str, share: float) -> None:
    rows = table(20_000)
    store = Objects(tmp_path / "o")
    put(store, tmp_path / "f", b"".join(rows))
    first = size(tmp_path / "o")
    dice = random.Random(2)
    if change == "scattered":
        for place in dice.sample(range(len(rows)), len(rows) // 100):
            rows[place] = rows[place][:-2] + b"c\n"
    elif change == "shuffled":
        dice.shuffle(rows)
    elif change == "inserted":
        rows.insert(7, b"new,row,a\n")
    else:
        rows = rows * 2
    name = put(store, tmp_path / "f", b"".join(rows))
    assert size(tmp_path / "o") - first < share * first
    assert get(store, name) == b"".join(rows)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    store = Objects(tmp_path / "o")
    name = put(store, tmp_path / "f", b"".join(table(300)))
    for path in sorted((tmp_path / "o").iterdir()):
        data = path.read_bytes()
        for place in {0, len(data) // 3, len(data) - 1}:
            path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
            assert set(store.damage(name)) == {path.name}
            with pytest.raises(Damaged, match=path.name):
                get(store, name)
        path.unlink()
        assert store.damage(name) == {path.name: "is missing"}
        path.write_bytes(data)
    assert store.damage(name, deep=True) == {}


def test_nothing_is_built_upon_a_damaged_object(tmp_path: Path) -> None:
    rows = table(300)
    name = put(Objects(tmp_path / "o"), tmp_path / "f", b"".join(rows))
    largest = max((tmp_path / "o").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    store = Objects(tmp_path / "o")
    later = put(store, tmp_path / "g", b"".join(reversed(rows)))
    assert get(store, later) == b"".join(reversed(rows))
    assert set(store.damage(name)) == {largest.name}


def test_an_error_on_the_way_leaves_a_store_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Objects(tmp_path / "o")
    (tmp_path / "f").write_bytes(b"".join(table(300)))

    def full(self: object, *args: object, **more: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "_save", full)
        with pytest.raises(OSError, match="space"):
            store.put(tmp_path / "f")
    assert get(store, store.put(tmp_path / "f").name) == b"".join(table(300))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        Objects(tmp_path / "o").put(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="readable file"):
        Objects(tmp_path / "o").put(tmp_path)


def test_a_temporary_file_of_another_process_is_no_object(tmp_path: Path) -> None:
    store = Objects(tmp_path / "o")
    put(store, tmp_path / "f", b"a\nb\n")
    (tmp_path / "o" / ".0123.new-01234567").write_bytes(b"half")
    assert get(Objects(tmp_path / "o"), put(Objects(tmp_path / "o"), tmp_path / "f", b"b\na\n")) == b"b\na\n"
