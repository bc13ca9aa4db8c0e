from __future__ import annotations

import errno
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from ratchet.errors import RatchetError, WorkspaceError
from ratchet.workspace.refused import refused
from ratchet.workspace.workspace import atomic_folder


@contextmanager
def small_files() -> Iterator[None]:
    """No file may be longer than 4096 bytes, as on a disk that is full there; not even one that this test is told in."""
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("library", ["safetensors", "tokenizers"])
def test_what_a_library_in_rust_cannot_write_is_told_as_what_we_cannot(tmp_path: Path, library: str) -> None:
    words = Tokenizer(WordLevel({f"word {number}": number for number in range(2000)}, unk_token="word 0"))
    write = {
        "safetensors": lambda path: save_file({"weight": torch.zeros(10_000)}, path),
        "tokenizers": lambda path: words.save(str(path)),
    }[library]

    def save() -> None:
        with atomic_folder(tmp_path / "model") as target, small_files():
            write(target / "file")

    with pytest.raises(WorkspaceError, match="model must fit into the limit"):
        save()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "full"), errno.ENOSPC),
        (Exception("No space left on device (os error 28)"), errno.ENOSPC),
        (ValueError("os error 28"), None),
        (RatchetError("The file must be readable but is not (os error 28)"), None),
        (KeyError("x"), None),
    ],
)
def test_only_a_refusal_is_one(error: Exception, number: int | None) -> None:
    found = refused(error)
    assert (None if found is None else found.errno) == number
