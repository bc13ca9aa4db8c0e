"""What a run ran on: interpreter, machine, packages, code and seeds, and nothing that is secret."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ratchet
from ratchet.bounds import usable_cores
from ratchet.recipe.yaml import write_yaml

VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "HF_HUB_OFFLINE",
    "KMP_AFFINITY",
    "LANG",
    "LC_ALL",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TOKENIZERS_PARALLELISM",
    "TZ",
    "VECLIB_MAXIMUM_THREADS",
)
"""The only environment variables that are recorded: they change speed or results, and hold no secrets."""
FLAGS = (
    "avx",
    "avx2",
    "avx512_bf16",
    "avx512_vnni",
    "avx512f",
    "avx_vnni",
    "amx_bf16",
    "amx_int8",
    "amx_tile",
    "asimd",
    "bf16",
    "f16c",
    "fma",
    "i8mm",
    "sve",
)
"""Instruction sets that change speed or the last digits."""
_SOURCES = (".py", ".html", ".js", ".css")
_GIT_SECONDS = 5.0
_NOTHING = 1
"""Exit code of ``git config --get-regexp`` where no key matches."""
_STEERING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Variables that a hook sets: they would tell git of another repository than that of the folder."""


def environment(*, seeds: Mapping[str, int] | None = None, folder: str | Path = ".") -> dict[str, Any]:
    """Everything needed to say why another run came out otherwise, as JSON values.

    It reads files and asks git and the interpreter; it uses no network. Of the environment variables only those in
    `VARIABLES` are recorded, of packages only names and versions: addresses may hold passwords.

    Args:
        seeds: the seeds of the run, by name.
        folder: whose git state is recorded.
    """
    packages = _packages()
    return {
        "ratchet": {"version": ratchet.__version__, "code": code_version()},
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip(),
        },
        "cpu": _cpu(),
        "memory": _memory(),
        "gpus": _gpus(),
        "packages": packages,
        "conda": _conda(packages),
        "git": _git(Path(folder)),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "seeds": dict(seeds or {}),
    }


@functools.cache
def code_version() -> str:
    """sha256 over the names and contents of Ratchet's own source files; 64 hex digits."""
    root = Path(ratchet.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in _SOURCES):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _cpu() -> dict[str, Any]:
    """Model, cores and instruction sets; what the system does not tell is empty."""
    text = _read(Path("/proc/cpuinfo"))
    model = re.search(r"^(?:model name|Hardware|Processor)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    return {
        "model": model[1].strip() if model else platform.processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "flags": [flag for flag in FLAGS if flag in known],
    }


def _memory() -> dict[str, int | None]:
    """Bytes of the machine, and the limit of the container where there is one."""
    try:
        total: int | None = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        total = None
    limit = _read(Path("/sys/fs/cgroup/memory.max")).strip()
    return {"bytes": total, "limit": int(limit) if limit.isdecimal() else None}


def _gpus() -> list[str]:
    """Names of the NVIDIA cards the driver lists, or of those that torch sees when it is loaded already."""
    found = [
        re.search(r"^Model:\s*(.+)$", _read(path), re.MULTILINE)
        for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    ]
    names = [match[1].strip() for match in found if match]
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if not names and cuda is not None and cuda.is_available():
        names = [str(cuda.get_device_name(number)) for number in range(cuda.device_count())]
    return names


def _packages() -> list[str]:
    """Installed distributions as "name==version", sorted; of two with one name, the one that is imported."""
    versions: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return sorted(f"{name}=={version}" for name, version in versions.items())


def _conda(packages: list[str]) -> str:
    """A conda environment file: the conda packages where this is a conda environment, the pip ones in any case."""
    records = [json.loads(_read(path) or "{}") for path in sorted(Path(sys.prefix, "conda-meta").glob("*.json"))]
    records = [record for record in records if {"name", "version", "build"} <= set(record)]
    conda = [f"{record['name']}={record['version']}={record['build']}" for record in records]
    channels = sorted({_channel(str(record.get("channel", ""))) for record in records} - {""})
    names = {str(record["name"]) for record in records}
    pip = [package for package in packages if package.partition("==")[0] not in names]
    return write_yaml(
        {
            "name": Path(sys.prefix).name if conda else "ratchet",
            "channels": channels or ["conda-forge"],
            "dependencies": [*(conda or [f"python={platform.python_version()}", "pip"]), {"pip": pip}],
        }
    )


def _channel(address: str) -> str:
    """The name of a conda channel; the rest of its address may hold a token."""
    parts = [part for part in address.partition("://")[2].split("/")[1:] or address.split("/") if part]
    if "t" in parts[:1]:
        parts = parts[2:]
    return parts[0] if parts else ""


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit and whether tracked files were changed; ``None`` outside a repository, or without git.

    Where a filter is configured, git would run its program to tell what was changed: a folder's programs are never run, and
    ``dirty`` is unknown then.
    """
    code, commit = _ask_git(folder, "rev-parse", "--verify", "HEAD")
    if code != 0:
        return None
    changes, dirty = "", None
    code, _ = _ask_git(folder, "config", "--get-regexp", r"^filter\..*\.(clean|smudge|process)$")
    if code == _NOTHING:
        code, changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
        dirty = bool(changes.strip()) if code == 0 else None
    return {"commit": commit.strip(), "dirty": dirty}


def _ask_git(folder: Path, *arguments: str) -> tuple[int | None, str]:
    """Git's exit code and what it prints; no code where there is no git, or it takes too long."""
    # What a repository may name as its file-system monitor or its hooks, and the program with which it fetches objects
    # that it lacks, must not be started.
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    kept = {name: value for name, value in os.environ.items() if name not in _STEERING}
    variables = kept | {
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_GIT_SECONDS,
            check=False,
            env=variables,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None, ""
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _read(path: Path) -> str:
    """The text of a small file of the system; empty when there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
