"""What the weights of a training depend on, in short: versions, texts, right answers, and the files of a source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np

import ratchet
from ratchet.models.checkpoints import Source
from ratchet.models.targets import Targets

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "peft")
FILES = (".safetensors", ".json", ".txt", ".model", ".spm", ".jinja")


def versions() -> dict[str, str]:
    """Of the packages that decide the bytes of the weights; of those that are not there nothing."""
    found = {"ratchet": ratchet.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def texts_hash(*parts: Sequence[str]) -> str:
    """64 hex digits over some lists of texts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        for text in part:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def targets_hash(*parts: Targets) -> str:
    """64 hex digits over the right answers of rows."""
    digest = hashlib.sha256()
    for right in parts:
        digest.update("\0".join((right.kind, *right.names)).encode("utf-8", "surrogatepass"))
        digest.update(np.ascontiguousarray(right.values).tobytes())
    return digest.hexdigest()


def source_hash(source: Source) -> str:
    """The name of a source, and 16 hex digits over its files: weights, settings and tokenizer, or one GGUF file."""
    digest = hashlib.sha256()
    for path in sorted(source.folder.glob("*")) if source.folder else ():
        if path.name == source.gguf if source.gguf else path.suffix in FILES:
            with path.open("rb") as file:
                digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return f"{source.name} {digest.hexdigest()[:16]}"
