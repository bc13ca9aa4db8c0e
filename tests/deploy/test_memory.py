"""How much memory a pod asks for: measured, or named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.deploy import memory
from ratchet.deploy.memory import MIB, Memory, measured, quantity
from ratchet.deploy.service import Service
from ratchet.errors import BundleError, RatchetError


def test_a_small_model_is_measured(service: Service) -> None:
    found = measured(service)
    assert 32 * MIB <= found.request <= 256 * MIB  # the interpreter, NumPy and the server
    assert found.request % (32 * MIB) == found.limit % (32 * MIB) == 0
    assert found.limit - found.request >= 3 * 64 * MIB


def test_threads_share_a_model_and_processes_do_not(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_in_a_process", lambda _: (64 * MIB, 100 * MIB, 150 * MIB))
    assert measured(service).request == 224 * MIB  # 100 and twice 50, in steps of 32
    monkeypatch.setattr(memory, "is_isolated", lambda kind: kind == "linear")
    assert measured(service).request == 384 * MIB  # 64 and twice 150


def test_an_endpoint_is_not_asked(asking: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENDPOINT_KEY", raising=False)
    assert measured(Service.of(asking.path, send_to="http://127.0.0.1:9/v1")).request >= 32 * MIB


def test_what_cannot_be_served_is_said(service: Service, tmp_path: Path) -> None:
    shutil.copytree(service.bundle.path, tmp_path / "b")
    (tmp_path / "b" / "manifest.json").write_text("{}")
    broken = replace(service, bundle=replace(service.bundle, path=tmp_path / "b"))
    with pytest.raises(BundleError, match=r"cannot be served here: .*format"):
        measured(broken)


def test_where_the_server_is_not_installed(bundle: Bundle, tmp_path: Path) -> None:
    """Memory that is named needs no server; measuring says what is missing."""
    code = (
        "import sys; sys.modules |= dict.fromkeys(('starlette', 'uvicorn', 'msgspec', 'h11'))\n"
        "from importlib import metadata; found = metadata.packages_distributions()\n"
        "metadata.packages_distributions = lambda: {k: v for k, v in found.items() if sys.modules.get(k, 1) is not None}\n"
        "from ratchet.__main__ import program; program()"
    )
    command = [sys.executable, "-c", code, "deploy", "kubernetes", str(bundle.path), "--image", "a:1"]
    run = partial(subprocess.run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "pip install 'ratchetml[serve]'" in run(command).stderr
    done = run([*command, "--memory", "1Gi"])
    assert (done.returncode, done.stderr) == (0, "")


def test_quantities() -> None:
    assert Memory.named("512Mi") == Memory(request=512 * MIB, limit=512 * MIB)
    assert Memory.named("2Gi").limit == 2048 * MIB
    assert [quantity(size) for size in (MIB, MIB + 1, 2048 * MIB)] == ["1Mi", "2Mi", "2048Mi"]
    for wrong in ("", "2", "2GB", "0Mi", "1.5Gi", "-1Gi", "2Gi\n"):
        with pytest.raises(RatchetError, match="--memory must be a number of Mi or Gi"):
            Memory.named(wrong)
