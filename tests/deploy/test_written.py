"""Generated folders: whole, readable for every user, and never in the place of something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ratchet.deploy.written import fresh_folder, write_manifests
from ratchet.errors import RatchetError
from ratchet.recipe.yaml import read_yaml

HARD = {"no": "no", "port": "8000", "0x1": "1e3", "评论": "评: #论\n", "empty": "", "list": ["yes", 1, True, None]}


def test_values_read_back_as_they_were(tmp_path: Path) -> None:
    write_manifests(tmp_path / "o", {"a.yaml": HARD}, force=False)
    assert read_yaml((tmp_path / "o" / "a.yaml").read_text(encoding="utf-8"), name="a").value == HARD


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    write_manifests(target, {"a.yaml": 1}, force=False)
    with pytest.raises(RatchetError, match=r"must be empty but has 'a.yaml'.* Add --force"):
        write_manifests(target, {"a.yaml": 2}, force=False)
    assert (target / "a.yaml").read_text() == "1\n"
    write_manifests(target, {"a.yaml": 2}, force=True)
    assert (target / "a.yaml").read_text() == "2\n"


def test_force_replaces_only_what_was_generated(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(RatchetError, match=r"'thesis.txt', which this command does not write"):
        write_manifests(tmp_path, {"a.yaml": 1}, force=True)
    assert (tmp_path / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize("force", [False, True])
def test_files_links_and_the_place_where_one_is(force: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("file", "link"):
        with pytest.raises(RatchetError, match="--out must be a folder but"):
            write_manifests(tmp_path / name, {"a.yaml": 1}, force=force)
    monkeypatch.chdir(tmp_path / "empty")
    for here in (".", "..", str(tmp_path)):
        with pytest.raises(RatchetError, match="is where you are"):
            write_manifests(Path(here), {"a.yaml": 1}, force=force)


def test_a_bundle_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for inside in (tmp_path / "b", tmp_path / "b" / "out"):
        with pytest.raises(RatchetError, match="must lie outside of the bundle"):
            write_manifests(inside, {"a.yaml": 1}, force=True, bundle=tmp_path / "b")


def test_other_users_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with fresh_folder(tmp_path / "o", names=["a"], force=False) as folder:
            (folder / "a").mkdir()
            (folder / "a" / "b").write_text("x")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "o", tmp_path / "o" / "a", tmp_path / "o" / "a" / "b")]
    assert modes == [0o755, 0o755, 0o644]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def half() -> None:
        with fresh_folder(tmp_path / "o", names=["a"], force=False) as folder:
            (folder / "a").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert list(tmp_path.iterdir()) == []
