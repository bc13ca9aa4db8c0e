from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ratchet.errors import DataError
from ratchet.recipe.yaml import read_yaml
from ratchet.versions.dvc import dvc_root, owner_of, track, write_stage

DATA = "文本,标签\n好,正\n".encode("gb18030")
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "r.csv").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)


def fake_dvc(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A program called dvc, first on the path."""
    program = folder / "bin" / "dvc"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_pointer_in_the_format_of_dvc(project: Path, no_dvc: None) -> None:
    tracked = track([Path("data/r.csv")])
    assert tracked.pointers == (Path("data/r.csv.dvc"),)
    assert not tracked.cached
    written = read_yaml(Path("data/r.csv.dvc").read_text(encoding="utf-8"), name="pointer").value
    assert written == {"outs": [{"md5": MD5, "size": len(DATA), "hash": "md5", "path": "r.csv"}]}
    assert list(written["outs"][0]) == ["md5", "size", "hash", "path"]


def test_a_pointer_that_is_right_is_not_touched(project: Path, no_dvc: None) -> None:
    track([Path("data/r.csv")])
    text = "# kept\n" + Path("data/r.csv.dvc").read_text(encoding="utf-8")
    Path("data/r.csv.dvc").write_text(text, encoding="utf-8")
    track([Path("data/r.csv")])
    assert Path("data/r.csv.dvc").read_text(encoding="utf-8") == text


def test_a_pointer_that_is_there_keeps_its_other_keys(project: Path, no_dvc: None) -> None:
    out = "- md5: 00000000000000000000000000000000\n  size: 1\n  hash: md5\n  path: r.csv\n  desc: from the shop\n"
    old = f"outs:\n{out}meta:\n  owner: 李\n"
    Path("data/r.csv.dvc").write_text(old, encoding="utf-8")
    track([Path("data/r.csv")])
    written = Path("data/r.csv.dvc").read_text(encoding="utf-8")
    assert MD5 in written
    assert "from the shop" in written
    assert "owner: 李" in written


@pytest.mark.parametrize("old", ["outs: []\n", "outs:\n- path: a\n- path: b\n", "- x\n", "deps: 3\n"])
def test_a_pointer_of_another_kind_is_refused(project: Path, no_dvc: None, old: str) -> None:
    Path("data/r.csv.dvc").write_text(old, encoding="utf-8")
    with pytest.raises(DataError, match=r"r\.csv\.dvc must"):
        track([Path("data/r.csv")])
    assert Path("data/r.csv.dvc").read_text(encoding="utf-8") == old


def test_without_a_project_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.csv").write_bytes(DATA)
    assert dvc_root(Path("r.csv")) is None
    with pytest.raises(DataError, match="DVC project"):
        track([Path("r.csv")])
    assert not Path("r.csv.dvc").exists()


def test_the_users_dvc_is_called_without_a_shell(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dvc(project, monkeypatch, 'for a in "$@"; do echo "$a"; done > called; pwd >> called')
    Path("data/a b;$(x).csv").write_bytes(DATA)
    assert track([Path("data/a b;$(x).csv")]).cached
    said = Path("called").read_text(encoding="utf-8").splitlines()
    assert said == ["commit", "--quiet", "--force", "--", "data/a b;$(x).csv.dvc", str(project)]


def test_what_dvc_complains_about_is_passed_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dvc(project, monkeypatch, "echo 'ERROR: the lock is held' >&2; exit 3")
    with pytest.raises(DataError, match="code 3: ERROR: the lock is held"):
        track([Path("data/r.csv")])


def test_a_stage_that_runs_the_recipe(project: Path) -> None:
    target = write_stage(Path("ratchet.yaml"), files=[Path("data/r.csv")])
    assert target.read_text(encoding="utf-8") == (
        'stages:\n  ratchet:\n    cmd: "ratchet run ratchet.yaml"\n    deps:\n    - ratchet.yaml\n    - data/r.csv\n'
    )
    assert write_stage(Path("ratchet.yaml"), files=[Path("data/r.csv")]) == target


def test_a_stage_file_of_somebody_else_stays(project: Path) -> None:
    Path("dvc.yaml").write_text("stages:\n  mine:\n    cmd: x\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"Add under stages: .*ratchet run"):
        write_stage(Path("ratchet.yaml"), files=[Path("data/r.csv")])
    assert Path("dvc.yaml").read_text(encoding="utf-8") == "stages:\n  mine:\n    cmd: x\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dvc") is None, reason="DVC is not installed")
def test_status_push_and_pull_of_the_real_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)

    def dvc(*arguments: str) -> str:
        done = subprocess.run(["dvc", *arguments], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    dvc("init", "--no-scm", "--quiet")
    dvc("remote", "add", "--quiet", "--default", "here", str(tmp_path / "remote"))
    file = Path("数据") / "r.csv"
    file.parent.mkdir()
    file.write_bytes(DATA)
    assert track([file]).cached
    assert "up to date" in dvc("status")
    assert "1 file pushed" in dvc("push")
    assert (tmp_path / "remote" / "files" / "md5" / MD5[:2] / MD5[2:]).read_bytes() == DATA
    file.unlink()
    shutil.rmtree(".dvc/cache")
    dvc("pull")
    assert file.read_bytes() == DATA
    file.write_bytes(DATA * 2)
    assert "modified" in dvc("status")
    track([file])
    assert "up to date" in dvc("status")
    Path("ratchet.yaml").write_text("seed: 7\n", encoding="utf-8")
    stage = write_stage(Path("ratchet.yaml"), files=[file])
    stage.write_text(stage.read_text(encoding="utf-8").replace("ratchet run", "echo"), encoding="utf-8")
    assert "Running stage 'ratchet'" in dvc("repro")
    assert "didn't change" in dvc("repro")
    assert "up to date" in dvc("status")


@pytest.mark.parametrize(
    ("place", "content", "owner"),
    [
        ("dvc.yaml", "stages: {make: {cmd: x, outs: [data/r.csv]}}", "an output of the stage 'make' of dvc.yaml"),
        ("dvc.yaml", "stages: {make: {cmd: x, outs: data/r.csv}}", "an output of the stage 'make' of dvc.yaml"),
        ("dvc.yaml", "stages: {make: {cmd: x, outs: 3}}", ""),
        ("dvc.yaml", "stages:", ""),
        ("dvc.yaml", "stages: {make: {cmd: x, outs: [data]}}", "an output of the stage 'make' of dvc.yaml"),
        ("dvc.yaml", "stages: {make: {cmd: x, wdir: data, outs: [r.csv: {cache: false}]}}", "the stage 'make'"),
        ("dvc.yaml", "stages: {make: {foreach: [a], do: {cmd: x, outs: [data/r.csv]}}}", "the stage 'make'"),
        ("data/dvc.yaml", "stages: {make: {cmd: x, metrics: [r.csv]}}", "the stage 'make' of data/dvc.yaml"),
        ("data.dvc", "outs: [{path: data}]", "part of data, which data.dvc tracks"),
        ("dvc.yaml", "stages: {make: {cmd: x, deps: [data/r.csv], outs: [data/s.csv]}}", ""),
        ("dvc.yaml", "stages: [1, 2]", ""),
        ("dvc.yaml", "stages: {make: 3, other: {outs: null}}", ""),
    ],
)
def test_a_file_has_one_owner(project: Path, no_dvc: None, place: str, content: str, owner: str) -> None:
    (project / place).write_text(content, encoding="utf-8")
    assert owner in owner_of(Path("data/r.csv"), root=project)
    if not owner:
        assert owner_of(Path("data/r.csv"), root=project) == ""
        track([Path("data/r.csv")])
        return
    with pytest.raises(DataError, match="must have one owner in DVC"):
        track([Path("data/r.csv")])
    assert not Path("data/r.csv.dvc").exists()
