from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ratchet.errors import DataError, WorkspaceError
from ratchet.versions.log import Version, log, record
from ratchet.versions.restore import place_of, restore, verify
from ratchet.workspace.workspace import Workspace

OLD = "文本,标签\n好,正\n".encode("gb18030")
NEW = OLD + "差,负\n".encode("gb18030")


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace(".ratchet")


@pytest.fixture
def versions(place: Workspace) -> tuple[Version, Version]:
    """Two versions of `a/r.csv` and `b/r.csv`, the newer one in place."""
    for data in (OLD, NEW):
        for name in ("a/r.csv", "b/r.csv"):
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_bytes(data if name.startswith("a") else data[::-1])
        record(["a/r.csv", "b/r.csv"], workspace=place)
    first, second = log(place)
    return first, second


def test_restore_in_place_writes_what_differs(place: Workspace, versions: tuple[Version, Version]) -> None:
    Path("b/r.csv").write_bytes(OLD[::-1])
    assert restore(versions[0], workspace=place) == (Path.cwd() / "a/r.csv",)
    assert (Path("a/r.csv").read_bytes(), Path("b/r.csv").read_bytes()) == (OLD, OLD[::-1])
    assert restore(versions[0], workspace=place) == ()


def test_restore_into_a_folder_keeps_the_tree(place: Workspace, versions: tuple[Version, Version]) -> None:
    assert set(restore(versions[0], Path("x/y"), workspace=place)) == {Path("x/y/a/r.csv"), Path("x/y/b/r.csv")}
    assert Path("x/y/a/r.csv").read_bytes() == OLD
    assert Path("a/r.csv").read_bytes() == NEW
    assert restore(versions[1], Path("x/y"), workspace=place) != ()  # what is there is in a version
    assert Path("x/y/a/r.csv").read_bytes() == NEW


def test_restore_one_file_under_another_name(place: Workspace) -> None:
    Path("r.csv").write_bytes(OLD)
    version = record(["r.csv"], workspace=place)
    assert restore(version, Path("deep/old.csv"), workspace=place) == (Path("deep/old.csv"),)
    assert Path("deep/old.csv").read_bytes() == OLD


def test_what_no_version_holds_is_not_replaced(place: Workspace, versions: tuple[Version, Version]) -> None:
    Path("a/r.csv").write_bytes(b"an hour's work")
    with pytest.raises(DataError, match=r"a/r\.csv must be in a version"):
        restore(versions[0], workspace=place)
    assert Path("a/r.csv").read_bytes() == b"an hour's work"
    assert Path("b/r.csv").read_bytes() == NEW[::-1]  # all or nothing
    restore(versions[0], workspace=place, force=True)
    assert Path("a/r.csv").read_bytes() == OLD
    kept = log(place)[-1]
    assert kept.message == f"before restoring {versions[0].id}"
    restore(kept, workspace=place)
    assert Path("a/r.csv").read_bytes() == b"an hour's work"


def test_a_file_in_place_of_a_link_replaces_the_link(place: Workspace) -> None:
    Path("cache").write_bytes(OLD)
    Path("r.csv").symlink_to("cache")
    version = record(["r.csv"], workspace=place)
    assert version.files[0].path == "r.csv"
    Path("r.csv").unlink()
    Path("other").write_bytes(NEW)
    record(["other"], workspace=place)
    Path("r.csv").symlink_to("other")
    with pytest.raises(DataError, match="is a link"):
        restore(version, workspace=place)
    restore(version, workspace=place, force=True)
    assert Path("other").read_bytes() == NEW
    assert not Path("r.csv").is_symlink()


def test_a_flipped_bit_is_found_and_named(place: Workspace, versions: tuple[Version, Version]) -> None:
    dice = random.Random(4)
    for path in sorted((place.data / "store").iterdir()):
        whole = path.read_bytes()
        bit = dice.randrange(8 * len(whole))
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        (damage,) = verify(place)
        assert damage.object == path.name
        hit = [version for version in versions if version.id in {one for one, _ in damage.lost}]
        assert hit
        with pytest.raises(WorkspaceError, match=path.name) as caught:
            restore(hit[0], Path("out"), workspace=place)
        assert f"of version {hit[0].id}" in str(caught.value)
        assert "r.csv" in str(caught.value)
        assert not Path("out").exists()
        path.unlink()
        assert "is missing" in str(verify(place)[0])
        path.write_bytes(whole)
    assert verify(place) == ()


@pytest.mark.parametrize(
    ("name", "path"), [("a/b.csv", "out/a/b.csv"), ("/abs/b.csv", "out/outside/abs/b.csv"), ("b#x", "out/b#x")]
)
def test_places_stay_in_their_folder(name: str, path: str) -> None:
    assert place_of(name, folder=Path("out")) == Path(path)


@pytest.mark.parametrize("name", ["../b.csv", "a/../../b.csv", "/a/../b.csv"])
def test_a_path_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(WorkspaceError, match="leave its folder"):
        place_of(name, folder=Path("out"))


def forged(version: Version, path: str) -> Version:
    """A version of somebody else's workspace."""
    return replace(version, files=tuple(replace(file, path=path) for file in version.files[:1]))


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (".git/hooks/pre-commit", "into .git"),
        ("a/.GIT/config", "must not be restored into"),
        (".ratchet/ledger.jsonl", "into the workspace"),
        ("link/r.csv", "through a link"),
        ("a/link/deep/r.csv", "through a link"),
        ("/etc/cron.d/x", "inside its project"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_version_of_somebody_else_does_no_harm(
    place: Workspace, versions: tuple[Version, Version], tmp_path: Path, path: str, problem: str, force: bool
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "elsewhere")
    ledger = place.ledger.read_bytes()
    with pytest.raises(DataError, match=problem):
        restore(forged(versions[0], path), workspace=place, force=force)
    assert place.ledger.read_bytes() == ledger
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not (tmp_path / ".git").exists()


def test_links_and_git_in_a_folder_that_was_named(
    place: Workspace, versions: tuple[Version, Version], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="through a link"):
        restore(versions[0], tmp_path / "out", workspace=place)
    with pytest.raises(DataError, match=r"into \.git"):
        restore(forged(versions[0], ".git/hooks/x"), tmp_path / "new", workspace=place)
    assert not (tmp_path / "new").exists()


def test_what_a_killed_restore_left_is_swept(place: Workspace, versions: tuple[Version, Version]) -> None:
    stale = Path(".fresh.new-0123abcd")
    stale.mkdir()
    (stale / "r.csv").write_bytes(OLD)
    restore(versions[0], Path("fresh"), workspace=place)
    assert not stale.exists()
    assert Path("fresh/a/r.csv").read_bytes() == OLD


@pytest.mark.parametrize("name", [".ratchet/ledger.jsonl", ".git/config"])
def test_the_workspace_and_git_are_not_recorded(place: Workspace, versions: tuple[Version, Version], name: str) -> None:
    Path(".git").mkdir()
    Path(".git/config").write_text("[core]")
    with pytest.raises(DataError, match="must hold tables but"):
        record([name], workspace=place)


def test_two_who_record_the_same_at_the_same_time_record_it_once(place: Workspace) -> None:
    Path("r.csv").write_bytes(OLD)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: record(["r.csv"], workspace=place).id, range(4)))
    assert len(set(found)) == 1
    assert len(log(place)) == 1
