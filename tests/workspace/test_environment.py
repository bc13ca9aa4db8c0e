from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ratchet
from ratchet.recipe.yaml import read_yaml
from ratchet.workspace import environment as reproduce
from ratchet.workspace.environment import VARIABLES, code_version, environment


def test_the_environment_is_json_and_holds_what_matters() -> None:
    found = environment(seeds={"recipe": 7})
    assert json.loads(json.dumps(found)) == found
    assert found["ratchet"] == {"version": ratchet.__version__, "code": code_version()}
    assert found["python"]["version"] == sys.version.split()[0]
    assert found["cpu"]["cores"] == os.cpu_count()
    assert 1 <= found["cpu"]["usable_cores"] <= found["cpu"]["cores"]
    assert found["memory"]["bytes"] > 1 << 20
    assert found["seeds"] == {"recipe": 7}
    assert found["packages"] == sorted(found["packages"])
    names = [package.partition("==")[0] for package in found["packages"]]
    assert len(set(names)) == len(names)
    assert {"pydantic", "pyyaml", "ratchetml"} <= set(names)
    assert environment(seeds={"recipe": 7}) == found


def test_no_secrets_are_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PIP_INDEX_URL", "HOME_PAGE"):
        monkeypatch.setenv(name, "hunter2-secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment(folder=tmp_path)
    assert "hunter2-secret" not in json.dumps(found)
    assert found["variables"]["OMP_NUM_THREADS"] == "3"
    assert set(found["variables"]) <= set(VARIABLES)
    assert not [
        name
        for name in VARIABLES
        if any(word in name for word in ("TOKEN", "KEY", "SECRET", "URL")) and "IZERS" not in name
    ]


def test_the_environment_does_not_load_heavy_packages() -> None:
    code = (
        "import sys; from ratchet.workspace.environment import environment; environment();"
        "print([name for name in ('torch', 'pandas', 'sklearn', 'numpy', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_conda_file_without_conda() -> None:
    found = read_yaml(environment()["conda"], name="conda").value
    python, pip, packages = found["dependencies"]
    assert python == f"python={sys.version.split()[0]}"
    assert pip == "pip"
    assert packages["pip"] == environment()["packages"]


def test_conda_file_of_a_conda_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = tmp_path / "myenv" / "conda-meta"
    meta.mkdir(parents=True)
    records = {
        "python": ("3.11.7", "h1_0", "https://conda.anaconda.org/conda-forge/linux-64"),
        "pydantic": ("2.14.3", "py_0", "https://mirror.example/t/hunter2-secret/pytorch/linux-64"),
        "numpy": ("2.4", "py_1", "https://user:hunter2-secret@host.example/bioconda/noarch"),
        "six": ("1.16", "py_2", "defaults"),
    }
    for name, (version, build, channel) in records.items():
        record = {"name": name, "version": version, "build": build, "channel": channel}
        (meta / f"{name}-{version}-{build}.json").write_text(json.dumps(record))
    (meta / "broken.json").write_text('{"name": "x"}')
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "myenv"))
    text = environment()["conda"]
    assert "hunter2-secret" not in text
    found = read_yaml(text, name="conda").value
    assert found["name"] == "myenv"
    assert found["channels"] == ["bioconda", "conda-forge", "defaults", "pytorch"]
    *conda, pip = found["dependencies"]
    assert sorted(conda) == ["numpy=2.4=py_1", "pydantic=2.14.3=py_0", "python=3.11.7=h1_0", "six=1.16=py_2"]
    assert not [package for package in pip["pip"] if package.startswith(("pydantic==", "numpy=="))]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.com", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git(tmp_path: Path) -> None:
    assert environment(folder=tmp_path)["git"] is None
    assert environment(folder=tmp_path / "absent")["git"] is None
    git(tmp_path, "init", "-q")
    assert environment(folder=tmp_path)["git"] is None  # no commit yet
    (tmp_path / "f").write_text("1")
    git(tmp_path, "add", "f")
    git(tmp_path, "commit", "-qm", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert environment(folder=tmp_path)["git"] == {"commit": commit, "dirty": False}
    (tmp_path / "untracked").touch()
    assert environment(folder=tmp_path)["git"] == {"commit": commit, "dirty": False}
    (tmp_path / "f").write_text("2")
    assert environment(folder=tmp_path)["git"] == {"commit": commit, "dirty": True}
    marker = tmp_path / "started"
    git(tmp_path, "config", "core.fsmonitor", f"touch {marker}; false")
    assert environment(folder=tmp_path)["git"] == {"commit": commit, "dirty": True}
    assert not marker.exists()


def test_git_that_is_missing_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "git"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment(folder=tmp_path)["git"] is None
    slow.write_text(
        '#!/bin/sh\ncase "$*" in *status*) read -r forever < "$FIFO";; *config*) exit 1;; *) echo abc;; esac\n'
    )
    slow.chmod(0o755)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setenv("FIFO", str(fifo))
    monkeypatch.setattr(reproduce, "_GIT_SECONDS", 0.2)
    assert environment(folder=tmp_path)["git"] == {"commit": "abc", "dirty": None}


def test_the_code_version_changes_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratchet, "__file__", str(tmp_path / "__init__.py"))

    def version() -> str:
        return code_version.__wrapped__()

    seen = {version()}
    for name, content in [("a.py", "1"), ("a.py", "2"), ("sub/b.html", ""), ("sub/c.js", ""), ("sub/d.js", "")]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        assert version() not in seen
        seen.add(version())
    (tmp_path / "notes.txt").touch()
    assert version() in seen
    assert len(code_version()) == len(hashlib.sha256().hexdigest())
    assert code_version() is code_version()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("kind", ["clean", "process"])
def test_a_filter_of_the_folder_is_never_run(tmp_path: Path, kind: str) -> None:
    marker = tmp_path / "ran"
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-qm", "x")
    (tmp_path / ".git" / "info").mkdir(exist_ok=True)
    (tmp_path / ".git" / "info" / "attributes").write_text("* filter=evil\n", encoding="utf-8")
    git(tmp_path, "config", f"filter.evil.{kind}", f"touch {marker}; cat")
    (tmp_path / "a.txt").write_text("b", encoding="utf-8")
    found = environment(folder=tmp_path)["git"]
    assert len(found["commit"]) == 40
    assert found["dirty"] is None
    assert not marker.exists()


def repository(folder: Path) -> Path:
    """A repository with one commit of one file."""
    git(folder, "init", "-q")
    (folder / "sub").mkdir()
    (folder / "sub" / "f").write_text("1")
    git(folder, "add", "sub/f")
    git(folder, "commit", "-qm", "one")
    return folder / ".git"


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@needs_git
def test_what_a_repository_lacks_is_not_fetched(tmp_path: Path) -> None:
    place, marker = repository(tmp_path), tmp_path / "ran"
    tree = git(tmp_path, "rev-parse", "HEAD^{tree}")
    (place / "objects" / tree[:2] / tree[2:]).unlink()
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(tmp_path),
        "remote.origin.uploadpack": f"touch {marker}; git-upload-pack",
    }.items():
        git(tmp_path, "config", key, value)
    found = environment(folder=tmp_path)["git"]
    assert found["dirty"] is None
    assert not marker.exists()


@needs_git
def test_a_filter_that_git_can_not_list_in_time_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, marker = repository(tmp_path), tmp_path / "ran"
    (place / "info" / "attributes").write_text("* filter=evil\n")
    git(tmp_path, "config", "filter.evil.clean", f"touch {marker}; cat")
    (tmp_path / "sub" / "f").write_text("2")
    ask = reproduce._ask_git
    monkeypatch.setattr(
        reproduce, "_ask_git", lambda folder, *given: (None, "") if given[0] == "config" else ask(folder, *given)
    )
    assert environment(folder=tmp_path)["git"]["dirty"] is None
    assert not marker.exists()


@needs_git
def test_hooks_of_a_folder_are_not_run(tmp_path: Path) -> None:
    place, marker = repository(tmp_path), tmp_path / "ran"
    for name in ("post-index-change", "fsmonitor-watchman", "pre-commit"):
        hook = place / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
        hook.chmod(0o755)
    (tmp_path / "sub" / "f").touch()
    assert environment(folder=tmp_path)["git"]["dirty"] is False
    assert not marker.exists()


@needs_git
@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda path: path.write_bytes(b"gitdir: nowhere"), Path.mkdir])
def test_a_git_folder_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(reproduce, "_GIT_SECONDS", 2.0)
    make(tmp_path / ".git")
    assert environment(folder=tmp_path)["git"] is None


@needs_git
def test_a_repository_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = repository(tmp_path)
    monkeypatch.setattr(reproduce, "_GIT_SECONDS", 0.3)
    os.mkfifo(tmp_path / "endless")
    with (place / "config").open("a") as file:
        file.write(f"[include]\n\tpath = {tmp_path / 'endless'}\n")
    assert environment(folder=tmp_path)["git"] is None


def test_a_git_that_can_not_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("not a program")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment(folder=tmp_path)["git"] is None
