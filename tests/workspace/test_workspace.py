from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ratchet.errors import RatchetError, WorkspaceError
from ratchet.workspace.workspace import Holder, Workspace, atomic_folder, sweep, write_atomic, write_named, writing

HOLD = """
import sys
from ratchet.workspace.workspace import Workspace
with Workspace(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def start(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_created_before_the_first_write(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "deep" / ".ratchet")
    assert workspace.holder() is None
    assert workspace.ledger.name == "ledger.jsonl"
    assert not list(tmp_path.iterdir())
    workspace.create()
    workspace.create()
    assert (workspace.root / ".gitignore").read_text() == "*\n"
    assert {workspace.data.parent, workspace.models.parent, workspace.bundles.parent, workspace.runs.parent} == {
        workspace.root
    }


def test_lock_names_its_holder_and_lets_go(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    with workspace.lock() as swept:
        assert swept == ()
        holder = workspace.holder()
        assert holder is not None
        assert holder.pid == os.getpid()
        with pytest.raises(WorkspaceError, match=rf"one run at a time but .*process {os.getpid()}, since 20"):
            workspace.lock().__enter__()
        assert workspace.holder() == holder  # the refused one must not wipe the name of the holder
    assert workspace.holder() is None
    with workspace.lock():
        pass


def test_lock_is_released_when_the_run_fails(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(KeyboardInterrupt), workspace.lock():
        raise KeyboardInterrupt
    with workspace.lock():
        pass


def test_lock_of_another_process_refuses_waits_and_dies_with_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with start(HOLD, tmp_path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(WorkspaceError, match=f"process {other.pid}, since"):
            workspace.lock().__enter__()
        waited: list[Holder | None] = []

        def kill(holder: Holder | None) -> None:
            waited.append(holder)
            other.send_signal(signal.SIGKILL)

        with workspace.lock(wait=True, on_wait=kill):
            assert waited[0] is not None
            assert waited[0].pid == other.pid
            now = workspace.holder()
            assert now is not None
            assert now.pid == os.getpid()


def test_lock_does_not_live_on_in_a_forked_child(tmp_path: Path) -> None:
    parent = (
        "import os, signal, sys\n"
        "from ratchet.workspace.workspace import Workspace\n"
        "with Workspace(sys.argv[1]).lock():\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        sys.stdin.read()\n"
        "        os._exit(0)\n"
        "    signal.pause()\n"
    )
    with start(parent, tmp_path) as other:
        assert other.stdout is not None
        child = int(other.stdout.readline())
        other.send_signal(signal.SIGKILL)
        other.wait()
        os.kill(child, 0)  # it lives
        with Workspace(tmp_path).lock():
            pass


def test_holder_ignores_a_damaged_lock_file(tmp_path: Path) -> None:
    for content in (b"", b"{", b"[]", b'{"pid": "x", "since": 1}', b"\xff"):
        (tmp_path / "lock").write_bytes(content)
        assert Workspace(tmp_path).holder() is None


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(1 << 20)])
def test_write_atomic_replaces_the_whole(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a" / "文件.json"
    write_atomic(path, b"old" * 100)
    write_atomic(path, data)
    assert path.read_bytes() == data
    assert names(path.parent) == ["文件.json"]


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_write_atomic_keeps_the_old_file_when_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(WorkspaceError, match=f"{path} must") as caught:
            write_atomic(path, b"new")
    assert "run again" in caught.value.next_step
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data)[:3]))
    write_atomic(tmp_path / "f", b"0123456789")
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_atomic_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "models" / "k1"
    with atomic_folder(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a.bin").write_bytes(b"1")
        (folder / "link").symlink_to("nowhere")
        assert not target.exists()
        assert folder.parent == target.parent
    assert (target / "sub" / "a.bin").read_bytes() == b"1"
    with atomic_folder(target) as folder:
        (folder / "b.bin").write_bytes(b"2")
    assert names(target) == ["b.bin"]
    assert names(target.parent) == ["k1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), RatchetError("no")])
def test_atomic_folder_leaves_nothing_when_the_block_fails(tmp_path: Path, error: BaseException) -> None:
    def fill(error: BaseException | None) -> None:
        with atomic_folder(tmp_path / "k") as folder:
            (folder / ("half" if error else "old")).touch()
            if error:
                raise error

    fill(None)
    with pytest.raises(type(error)) as caught:
        fill(error)
    assert caught.value is error
    assert names(tmp_path / "k") == ["old"]
    assert names(tmp_path) == ["k"]


KILL = """
import os, sys
from pathlib import Path
import ratchet.workspace.workspace as w
where, target = sys.argv[1], Path(sys.argv[2])
def die(*_):
    os.kill(os.getpid(), 9)
if where == "file":
    os.fsync = die
    w.write_atomic(target / "f", b"x" * 1000)
if where == "swap":
    rename = Path.rename
    Path.rename = lambda self, to: rename(self, to) if ".new-" not in self.name or not any(
        ".old-" in path.name for path in target.iterdir()) else die()
with w.atomic_folder(target / "k") as folder:
    (folder / "half").write_text("new")
    if where == "block":
        die()
die()
"""


@pytest.mark.parametrize(("where", "content"), [("block", "old"), ("swap", "old"), ("end", "new"), ("file", "old")])
def test_a_kill_leaves_the_old_or_the_new_and_the_next_lock_sweeps(tmp_path: Path, where: str, content: str) -> None:
    with atomic_folder(tmp_path / "sub" / "k") as folder:
        (folder / "half").write_text("old")
    with start(KILL, where, tmp_path / "sub") as process:
        process.wait()
    with Workspace(tmp_path).lock() as swept:
        assert len(swept) == {"block": 1, "swap": 2, "end": 0, "file": 1}[where]
        assert names(tmp_path / "sub") == ["k"]
        assert (tmp_path / "sub" / "k" / "half").read_text() == content


def test_sweep_spares_what_a_living_process_writes(tmp_path: Path) -> None:
    (tmp_path / ".dead.new-0123abcd").mkdir()
    (tmp_path / ".dead.bin.new-0123abce").touch()
    (tmp_path / ".mine.new-nothex00").touch()
    with atomic_folder(tmp_path / "k") as folder:
        (folder / ".inner.new-0123abcd").touch()
        assert [path.name for path in sweep(tmp_path)] == [".dead.bin.new-0123abce", ".dead.new-0123abcd"]
    assert names(tmp_path) == [".mine.new-nothex00", "k"]
    assert sweep(tmp_path / "absent") == ()


def failure(number: int | None, filename: str | Path | None = None, text: str = "oh") -> OSError:
    error = OSError(text) if number is None else OSError(number, os.strerror(number))
    if filename is not None:
        error.filename = filename
    return error


@pytest.mark.parametrize(
    ("error", "problem", "next_step"),
    [
        (failure(errno.ENOSPC), "/w/f must fit on the disk but no space is left.", "df -h /`"),
        (failure(None, text="10 requested and 0 written"), "/w/f must fit on the disk", "Free some space"),
        (failure(errno.ENOSPC, "/other/x"), "/other/x must fit on the disk", "df -h /`"),
        (failure(errno.ENOSPC, b"/other/x"), "/other/x must fit on the disk", "df -h /`"),
        (failure(errno.ENOSPC, "/w/.f.new-0123abcd/x/y"), "/w/f/x/y must fit on the disk", "df -h /`"),
        (failure(errno.EDQUOT), "the disk quota", "raise the quota"),
        (failure(errno.EFBIG), "limit for the size of a file", "ulimit -f"),
        (failure(errno.EROFS), "/w/f must be writable but the file system is read-only.", "`workspace:`"),
        (failure(errno.EACCES, "/w/sub/g"), "/w/sub/g must be writable but the permission is denied.", "Make /"),
        (failure(errno.EACCES, "/w"), "/w must be writable", "`workspace:`"),
        (failure(errno.EPERM), "not permitted", "`workspace:`"),
        (failure(errno.EIO), "input/output error", "Check the disk"),
        (failure(errno.ENOLCK), "a file system with locks", "`workspace:`"),
    ],
)
def test_the_disk_fails_in_one_sentence(error: OSError, problem: str, next_step: str) -> None:
    with pytest.raises(WorkspaceError) as caught, writing("/w/f"):
        raise error
    assert problem in caught.value.problem
    assert next_step in caught.value.next_step


@pytest.mark.parametrize(
    "error",
    [
        failure(errno.ENOENT),
        failure(errno.EACCES, "/elsewhere/rows.csv"),
        failure(None),
        ValueError("x"),
        KeyError("x"),
    ],
)
def test_other_failures_pass_through(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, writing("/w/f"):
        raise error
    assert caught.value is error


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    with pytest.raises(WorkspaceError, match="must be a folder but is a file"):
        Workspace(tmp_path / "w").create()
    with pytest.raises(WorkspaceError, match="one of its parents is a file"):
        Workspace(tmp_path / "w" / "deeper").create()
    with pytest.raises(WorkspaceError, match="must be a folder but is a file"):
        Workspace(tmp_path / "w").lock().__enter__()


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(WorkspaceError, match=f"^{tmp_path}/x must be a file but is a folder"):
        write_atomic(tmp_path / "x", b"")


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "from ratchet.errors import WorkspaceError\n"
        "from ratchet.workspace.workspace import write_atomic\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomic(sys.argv[1] + '/small', b'x' * 1000)\n"
        "try:\n"
        "    write_atomic(sys.argv[1] + '/large', b'x' * 1001)\n"
        "except WorkspaceError as error:\n"
        "    print(error)\n"
    )
    with start(code, tmp_path) as process:
        output, _ = process.communicate()
    assert f"{tmp_path}/large must fit into the limit for the size of a file" in output
    assert names(tmp_path) == ["small"]


ON_TMPFS = """
import json, sys, os
import numpy as np
from pathlib import Path
from ratchet.errors import WorkspaceError
from ratchet.workspace.workspace import Workspace, atomic_folder, write_atomic
root = Path(sys.argv[1])
said = {}
def attempt(name, action):
    try:
        action()
    except WorkspaceError as error:
        said[name] = str(error)
def fill(write):
    with atomic_folder(root / "k") as folder:
        write(folder)
write_atomic(root / "f", b"old")
attempt("file", lambda: write_atomic(root / "f", bytes(1 << 20)))
attempt("folder", lambda: fill(lambda folder: (folder / "a").write_bytes(bytes(1 << 20))))
attempt("numpy", lambda: fill(lambda folder: np.save(folder / "a.npy", np.zeros(1 << 18))))
said["left"] = sorted(os.listdir(root))
os.system(f"mount -o remount,ro {root}")
attempt("lock", lambda: Workspace(root).lock().__enter__())
attempt("new", lambda: Workspace(root / "w").create())
attempt("read-only file", lambda: write_atomic(root / "f", b"new"))
print(json.dumps(said))
"""


def test_a_real_full_disk_and_a_real_read_only_one(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    script = f'mount -t tmpfs -o size=256k tmpfs {tmp_path} && exec "$@"'
    command = [unshare or "", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", ON_TMPFS, str(tmp_path)]
    probe = [*command[:5], "sh", "true"]
    if unshare is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said.pop("left") == ["f"]
    for name in ("file", "folder", "numpy"):
        assert "no space is left" in said.pop(name)
    for name in ("lock", "new", "read-only file"):
        assert "must be writable but the file system is read-only" in said.pop(name)
    assert not said


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "lock").symlink_to("mine")
    with pytest.raises(WorkspaceError, match="lock must be a file but is a link"):
        Workspace(tmp_path).lock().__enter__()
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_sweep_spares_pipes_and_links(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".a.new-0123abcd")
    (tmp_path / ".b.new-0123abcd").symlink_to("nowhere")
    assert sweep(tmp_path) == ()


def test_a_file_that_a_user_named_is_written_where_the_name_leads(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_named(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_named(tmp_path / "pipe", b"told")
        assert os.read(reader, 9) == b"told"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    write_named(Path(os.devnull), b"x")
    assert Path(os.devnull).is_char_device()
