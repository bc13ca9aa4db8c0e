"""A bundle with a model that needs no library: its probabilities follow from the length of the text."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ratchet.bundle.bundle import Bundle, write_bundle

LABELS = ("坏", "好", "mixed")


class Lengths:
    """Three labels; the text's length in characters decides. ``gate`` can hold it back."""

    labels = LABELS

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.seen: list[list[str]] = []

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.entered.release()
        assert self.gate.wait(20)
        self.seen.append(list(texts))
        sizes = np.array([len(text) for text in texts], dtype=np.float32)
        scores = np.stack([sizes % 3 + 0.5, sizes % 5 + 0.5, np.ones_like(sizes)], axis=1)
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def model() -> Lengths:
    return Lengths()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"123")
    return write_bundle(
        tmp_path / "bundle",
        model_folder=folder,
        name="评论",
        created="2026-11-24T08:00:00Z",
        kind="linear",
        labels=LABELS,
        text_column="评论",
    )


Sign = Callable[..., tuple[Path, Path]]


@pytest.fixture
def sign(tmp_path: Path) -> Sign:
    """Makes a certificate of localhost that signs itself, and its key, with the program openssl."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the program openssl is not installed")

    def made(name: str = "server", *, days: int = 90, password: str = "") -> tuple[Path, Path]:
        cert, key = tmp_path / f"{name}.crt", tmp_path / f"{name}.key"
        secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *secret]
        command += ["-keyout", str(key), "-out", str(cert), "-days", str(days), *names]
        subprocess.run(command, check=True, capture_output=True)
        key.chmod(0o600)
        return cert, key

    return made
