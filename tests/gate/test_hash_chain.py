from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ratchet.errors import LedgerError, WorkspaceError
from ratchet.gate.hash_chain import START, Chain, Record

SIZE = 20


class Built:
    """A chain of SIZE records, with the bytes of the file and of the anchor after each append."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.jsonl"
        self.anchors: list[bytes | None] = [None]
        self.ends = [0]
        chain = Chain(self.path)
        for number in range(1, SIZE + 1):
            chain.append("事件", {"number": number, "text": "好" * (number % 4), "share": number / 7}, key=f"k{number}")
            self.anchors.append(self.path.with_suffix(".head").read_bytes())
            self.ends.append(self.path.stat().st_size)
        self.data = self.path.read_bytes()

    @property
    def lines(self) -> list[bytes]:
        return self.data.splitlines(keepends=True)

    def place(self, folder: Path, data: bytes, anchor: bytes | None) -> Chain:
        """A fresh folder with these bytes."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "ledger.jsonl").write_bytes(data)
        if anchor is not None:
            (folder / "ledger.head").write_bytes(anchor)
        return Chain(folder / "ledger.jsonl")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("built"))


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill cannot undo what the kernel has, so the tests need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: os.fstat(handle))


def numbers(records: tuple[Record, ...]) -> list[int]:
    return [record.body["number"] for record in records if record.kind == "事件"]


def test_a_record_is_what_its_docstring_says(built: Built) -> None:
    records = Chain(built.path).read()
    assert [record.seq for record in records] == list(range(1, SIZE + 1))
    assert records[0].prev == START
    for record, line, before in zip(records, built.lines, (None, *records), strict=False):
        fields = json.loads(line)
        assert list(fields) == sorted(fields)
        digest = fields.pop("hash")
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert digest == record.hash == hashlib.sha256(text.encode()).hexdigest()
        assert before is None or record.prev == before.hash
        assert record.time.endswith("+00:00")
    assert "好好".encode() in built.data


def test_reading_creates_nothing(tmp_path: Path) -> None:
    assert Chain(tmp_path / "w" / "ledger.jsonl").read() == ()
    assert Chain(tmp_path / "w" / "ledger.jsonl").recover() == ()
    assert not list(tmp_path.iterdir())


def test_append_is_idempotent_on_its_key(tmp_path: Path) -> None:
    chain, other = Chain(tmp_path / "l.jsonl"), Chain(tmp_path / "l.jsonl")
    first = chain.append("a", {"x": 1}, key="k")
    assert other.append("a", {"x": 2}, key="k") == first
    assert other.append("a", {"x": 3}).seq == 2
    assert chain.append("a", {"x": 3}).seq == 3
    assert chain.append("a", {"x": 2}, key="k") == first
    with pytest.raises(LedgerError, match="The key 'k' must name one kind of record but got 'b': record 1 is 'a'"):
        chain.append("b", {}, key="k")
    assert len(chain.read()) == 3


def test_what_is_returned_is_what_is_read(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "l.jsonl")
    body = {
        "tuple": (1, 2),
        "deep": {"b": None, "a": [True, 1e-7, -0.0, 10**30]},
        "odd": '\ud800\u2028\n\x00"',
        10: 4,
        9: 5,
        "9a": 1,
    }
    record = chain.append("a", body)  # type: ignore[arg-type]
    assert Chain(tmp_path / "l.jsonl").read() == (record,)
    assert record.body["tuple"] == [1, 2]
    assert record.body["odd"] == body["odd"]
    assert chain.append("numpy", {"x": __import__("numpy").float32(0.5)}).body == {"x": 0.5}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", object(), {(1, 2): 3}])
def test_a_body_that_is_not_json_is_refused(tmp_path: Path, value: object) -> None:
    chain = Chain(tmp_path / "l.jsonl")
    with pytest.raises(LedgerError, match="The body of a 'a' record must be JSON values but got"):
        chain.append("a", {"x": value})
    assert chain.read() == ()


def test_a_check_may_refuse(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "l.jsonl")
    chain.append("a", {})

    def refuse(records: object) -> None:
        raise LedgerError("no")

    with pytest.raises(LedgerError, match="no"):
        chain.append("a", {}, check=refuse)
    assert len(chain.read()) == 1


def some(built: Built) -> list[int]:
    """Positions around each line end, and every 61st between them."""
    near = {end + step for end in built.ends for step in (-2, -1, 0, 1)}
    return sorted(near & set(range(len(built.data))) | set(range(0, len(built.data), 61)))


def test_a_kill_at_any_byte_loses_no_whole_record(built: Built, tmp_path: Path) -> None:
    kill_at(built, tmp_path, [*some(built), len(built.data)])


@pytest.mark.slow
def test_a_kill_at_every_byte_loses_no_whole_record(built: Built, tmp_path: Path) -> None:
    kill_at(built, tmp_path, range(len(built.data) + 1))


def kill_at(built: Built, tmp_path: Path, cuts: Iterable[int]) -> None:
    for cut in cuts:
        whole = sum(end <= cut for end in built.ends[1:])
        chain = built.place(tmp_path / "w", built.data[:cut], built.anchors[whole])
        only_end_missing = cut + 1 in built.ends
        kept = list(range(1, whole + 1 + only_end_missing))
        assert numbers(chain.read()) == kept
        record = chain.append("事件", {"number": 99}, key="new")
        torn = sorted((tmp_path / "w").glob("*.torn-*"))
        partial = built.data[built.ends[whole] : cut]
        if partial and not only_end_missing:
            assert [path.name for path in torn] == ["ledger.torn-1"]
            assert torn[0].read_bytes() == partial
            named = chain.read()[-2]
            assert (named.kind, named.body) == ("torn", {"file": "ledger.torn-1", "bytes": len(partial)})
        else:
            assert not torn
        again = Chain(chain._path)
        assert numbers(again.read()) == [*kept, 99]
        assert again.append("事件", {"number": 99}, key="new") == record
        assert numbers(again.read()) == [*kept, 99]


def test_a_kill_between_record_and_anchor_heals(built: Built, tmp_path: Path) -> None:
    for whole in range(1, SIZE + 1):
        chain = built.place(tmp_path / "w", built.data[: built.ends[whole]], built.anchors[whole - 1])
        assert numbers(chain.read()) == list(range(1, whole + 1))
        assert chain.recover() == ()
        assert (tmp_path / "w" / "ledger.head").read_bytes() == built.anchors[whole]


@pytest.mark.parametrize("torn_file", [False, True])
@pytest.mark.parametrize("shortened", [False, True])
def test_a_kill_while_healing_heals(built: Built, tmp_path: Path, torn_file: bool, shortened: bool) -> None:
    partial = built.lines[5][:30]
    data = built.data[: built.ends[5]] + (b"" if shortened else partial)
    chain = built.place(tmp_path / "w", data, built.anchors[5])
    if torn_file or shortened:
        (tmp_path / "w" / "ledger.torn-1").write_bytes(partial)
    assert [path.name for path in chain.recover()] == ["ledger.torn-1"]
    assert chain.recover() == ()
    assert [record.kind for record in Chain(chain._path).read()[5:]] == ["torn"]
    assert (tmp_path / "w" / "ledger.torn-1").read_bytes() == partial


def test_torn_lines_are_numbered_on(built: Built, tmp_path: Path) -> None:
    path = built.place(tmp_path / "w", built.data, built.anchors[SIZE])._path
    for number in range(1, 12):
        with path.open("ab") as file:
            file.write(b'{"body": %d' % number)
        assert [torn.name for torn in Chain(path).recover()] == [f"ledger.torn-{number}"]
    (tmp_path / "w" / "ledger.torn-11").unlink()
    with path.open("ab") as file:
        file.write(b"\0\0\0")
    assert [torn.name for torn in Chain(path).recover()] == ["ledger.torn-12"]
    assert numbers(Chain(path).read()) == list(range(1, SIZE + 1))


def flips(data: bytes, positions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The bytes there with one bit turned, some with a line end or a NUL in their place."""
    chosen = random.Random(7)
    for position in positions:
        values = {data[position] ^ (1 << chosen.randrange(8))}
        values |= {0, 10} if position % 9 == 0 else set()
        for value in values - {data[position]}:
            yield position, data[:position] + bytes([value]) + data[position + 1 :]


def test_a_flip_of_any_byte_is_found_and_named(built: Built, tmp_path: Path) -> None:
    flip_at(built, tmp_path, some(built))


@pytest.mark.slow
def test_a_flip_of_every_byte_is_found_and_named(built: Built, tmp_path: Path) -> None:
    flip_at(built, tmp_path, range(len(built.data)))


def flip_at(built: Built, tmp_path: Path, positions: Iterable[int]) -> None:
    for position, data in flips(built.data, positions):
        seq = sum(end <= position for end in built.ends)
        chain = built.place(tmp_path / "w", data, built.anchors[SIZE])
        with pytest.raises(LedgerError) as caught:
            chain.read()
        assert caught.value.problem.startswith(f"Record {seq} (line {seq} of {chain._path}) must "), position
        assert caught.value.next_step
        with pytest.raises(LedgerError):
            chain.append("a", {})
        assert chain._path.read_bytes() == data
        assert not list(chain._path.parent.glob("*.torn-*"))


def forged(line: bytes, **changes: object) -> bytes:
    """The record with other contents and a hash that fits them."""
    fields = {**json.loads(line), **changes}
    del fields["hash"]

    def text() -> bytes:
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    fields["hash"] = hashlib.sha256(text()).hexdigest()
    return text() + b"\n"


def damaged(lines: list[bytes]) -> Iterator[tuple[str, list[bytes], str]]:
    yield "cut at the end", lines[:-1], r"Record 20 .line 20.* is gone: records 20 to 20 were cut"
    yield "cut many at the end", lines[:4], r"Record 5 .line 5.* knows 20 records.* records 5 to 20 were cut"
    yield "cut all", [], r"Record 1 .* records 1 to 20 were cut"
    yield "cut first", lines[1:], r"Line 1 of .* must hold record 1 but holds record 2: records 1 to 1 were cut"
    yield "cut inside", lines[:4] + lines[7:], r"Line 5 of .* holds record 8: records 5 to 7 were cut"
    swapped = [*lines[:4], lines[5], lines[4], *lines[6:]]
    yield "reordered", swapped, r"Line 5 .* holds record 6: the records were reordered"
    yield "doubled", [*lines[:5], lines[4], *lines[5:]], r"Line 6 .* holds record 5: record 5 was doubled"
    yield "doubled late", [*lines[:9], lines[4], *lines[9:]], r"Line 10 .* record 5 was doubled"
    yield "doubled at the end", [*lines, lines[-1]], r"Line 21 .* record 20 was doubled"
    extra = forged(lines[4], kind="more")
    yield "inserted", [*lines[:4], extra, *lines[4:]], r"Line 6 .* holds record 5: record 5 was inserted"
    yield "replaced", [*lines[:4], extra, *lines[5:]], r"Record 6 .line 6.* or record 5 was replaced"
    last = forged(lines[-1], kind="more")
    yield "replaced at the end", [*lines[:-1], last], r"Record 20 .line 20.* hash .* it was replaced"
    yield "an empty line", [*lines[:3], b"\n", *lines[3:]], r"Record 4 .line 4.* was edited"
    yield "spaces", [*lines[:3], b" " + lines[3], *lines[4:]], r"Record 4 .line 4.* was edited"
    yield "CRLF", [line.replace(b"\n", b"\r\n") for line in lines], r"Record 1 .line 1.* was edited"
    yield "nested", [b"[" * 100_000 + b"\n", *lines[1:]], r"Record 1 .line 1.* was edited"
    yield "a number", [b"12\n", *lines[1:]], r"Record 1 .line 1.* was edited"
    yield "a text as number", [forged(lines[0], seq="1"), *lines[1:]], r"Record 1 .line 1.* was edited"
    yield "another field", [forged(lines[0], more=1), *lines[1:]], r"Record 1 .line 1.* was edited"


@pytest.mark.parametrize("case", range(19))
def test_damage_is_found_and_named(built: Built, tmp_path: Path, case: int) -> None:
    cases = list(damaged(built.lines))
    assert len(cases) == 19
    _, lines, message = cases[case]
    chain = built.place(tmp_path / "w", b"".join(lines), built.anchors[SIZE])
    with pytest.raises(LedgerError, match=message):
        chain.read()
    with pytest.raises(LedgerError, match=message):
        chain.append("a", {})


def test_a_record_that_was_edited_while_the_chain_is_open(built: Built, tmp_path: Path) -> None:
    chain = built.place(tmp_path / "w", built.data, built.anchors[SIZE])
    chain.read()
    chain._path.write_bytes(b"".join(built.lines[:7]))
    with pytest.raises(LedgerError, match="records 8 to 20 were cut"):
        chain.append("a", {})


@pytest.mark.parametrize(
    ("anchor", "message"),
    [
        (None, "ledger.head must stand beside a ledger of 20 records but is missing"),
        (b"", "ledger.head must name the last record but was edited"),
        (b"{}", "was edited"),
        (b"[]", "was edited"),
        (b'{"hash":"' + b"0" * 64 + b'","seq":-1}', "was edited"),
        (b'{"hash":5,"seq":20}', "was edited"),
        (b'{"hash": "' + b"0" * 64 + b'","seq":20}', "was edited"),
        (b'{"hash":"' + b"0" * 64 + b'","seq":20}', "Record 20 .* must have the hash 000000000000... of ledger.head"),
        (b'{"hash":"' + b"0" * 64 + b'","seq":21}', "Record 21 .* is gone: records 21 to 21 were cut"),
    ],
)
def test_a_damaged_anchor_is_found(built: Built, tmp_path: Path, anchor: bytes | None, message: str) -> None:
    chain = built.place(tmp_path / "w", built.data, anchor)
    with pytest.raises(LedgerError, match=message):
        chain.read()


def test_a_flip_of_any_byte_of_the_anchor_is_found(built: Built, tmp_path: Path) -> None:
    anchor = built.anchors[SIZE]
    assert anchor is not None
    for _, data in flips(anchor, range(len(anchor))):
        with pytest.raises(LedgerError):
            built.place(tmp_path / "w", built.data, data).read()


def test_a_ledger_that_was_deleted_is_missed(built: Built, tmp_path: Path) -> None:
    chain = built.place(tmp_path / "w", b"", built.anchors[SIZE])
    chain._path.unlink()
    for action in (chain.read, lambda: chain.append("a", {})):
        with pytest.raises(LedgerError, match="records 1 to 20 were cut"):
            action()


LIMITED = """
import resource, sys
from pathlib import Path
from ratchet.gate.hash_chain import Chain
from ratchet.errors import WorkspaceError
chain = Chain(Path(sys.argv[1]))
chain.append("a", {"x": "y" * 100}, key="first")
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
try:
    chain.append("a", {"x": "y" * 1000}, key="second")
except WorkspaceError as error:
    print(error)
print(chain.append("a", {"x": ""}, key="third").seq)
"""


def test_a_disk_that_fills_within_a_record(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "ledger.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "limit for the size of a file" in done.stdout
    assert done.stdout.endswith("\n2\n")
    assert [record.key for record in Chain(tmp_path / "ledger.jsonl").read()] == ["first", "third"]
    assert not list(tmp_path.glob("*.torn-*"))


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failed_append_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    chain = Chain(tmp_path / "ledger.jsonl")
    chain.append("a", {})
    write = os.write

    def fail(handle: int, *data: bytes) -> int:
        if data and len(data[0]) > 20:
            return write(handle, data[0][:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(WorkspaceError, match="must fit on the disk but no space is left"):
            chain.append("a", {})
    assert len(chain.read()) == len(Chain(chain._path).read()) == 1
    assert chain.append("a", {}).seq == 2


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").mkdir()
    chain = Chain(tmp_path / "ledger.jsonl")
    with pytest.raises(WorkspaceError, match=r"ledger.jsonl must be readable but got: Is a directory"):
        chain.read()
    with pytest.raises(WorkspaceError, match=r"ledger.jsonl must be a file but is a folder"):
        chain.append("a", {})


WRITER = """
import os, sys
from pathlib import Path
from ratchet.gate.hash_chain import Chain
os.fsync = os.fstat
write = os.write
path, name, count, mode = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]

def append_on(start):
    chain = Chain(path)
    for number in range(start, start + count):
        chain.append("事件", {"number": number, "text": "好" * 2000}, key=f"{name}-{number}")
        write(1, f"{name}-{number}\\n".encode())

if mode == "once":
    append_on(0)
for line in sys.stdin:  # each line: fork a writer that starts at this number
    child = os.fork()
    if child == 0:
        if int(line) % 2000:  # as a disk that takes a little at a time: more moments to be killed at
            os.write = lambda handle, data: write(handle, data[:5])
        write(1, f"{os.getpid()}\\n".encode())
        append_on(int(line))
    os.waitpid(child, 0)
    write(1, b"gone\\n")
"""


def writer(path: Path, name: str, *, count: int, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(count), mode]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kill_at_random(path: Path, *, kills: int) -> None:
    """Kill a writer after a random number of acknowledgements, somewhere inside its next append; then another."""
    chosen = random.Random(7)
    acknowledged: list[str] = []
    with writer(path, "k", count=1000, mode="forks") as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        for number in range(kills):
            forks.stdin.write(f"{number * 1000}\n")
            forks.stdin.flush()
            child = int(forks.stdout.readline())
            acknowledged += [forks.stdout.readline().strip() for _ in range(chosen.randrange(3))]
            for _ in range(chosen.randrange(200_000)):  # a moment, without a clock
                pass
            os.kill(child, signal.SIGKILL)
            acknowledged += iter(lambda: forks.stdout.readline().strip(), "gone")  # type: ignore[union-attr]
            kept = [record.key for record in Chain(path).read()]
            assert len(set(kept)) == len(kept)
            known = set(acknowledged)
            assert [key for key in kept if key in known] == acknowledged
    torn = sum(record.kind == "torn" for record in Chain(path).read())
    assert len(kept) - torn - len(acknowledged) <= kills
    assert Chain(path).append("事件", {}, key="last").seq > len(kept)


def test_kills_at_random_moments(tmp_path: Path) -> None:
    kill_at_random(tmp_path / "ledger.jsonl", kills=40)


@pytest.mark.slow
def test_two_hundred_kills_at_random_moments(tmp_path: Path) -> None:
    kill_at_random(tmp_path / "ledger.jsonl", kills=200)


def test_four_processes_append_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writers = [writer(path, name, count=30, mode="once") for name in "abca"]
    for process in writers:
        output, _ = process.communicate()
        assert process.returncode == 0
        assert len(output.split()) == 30
    records = Chain(path).read()
    assert [record.seq for record in records] == list(range(1, 91))
    assert {record.key for record in records} == {f"{name}-{number}" for name in "abc" for number in range(30)}
    for name in "abc":
        assert [r.body["number"] for r in records if str(r.key).startswith(name)] == list(range(30))


def test_a_link_in_the_place_of_the_chain_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"an unfinished line")
    (tmp_path / "l.jsonl").symlink_to(mine)
    for use in (lambda chain: chain.append("x", {}), lambda chain: chain.read(), lambda chain: chain.recover()):
        with pytest.raises(WorkspaceError, match=r"l\.jsonl must be a file but is a link"):
            use(Chain(tmp_path / "l.jsonl"))
    assert mine.read_bytes() == b"an unfinished line"
