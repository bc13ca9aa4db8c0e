"""Compressors: ways to make a model smaller, each from a model's folder to another; one line each in the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.plugins import registered

if TYPE_CHECKING:
    from ratchet.models.linear import LinearModel

GROUP = "ratchet.compressors"


@dataclass(frozen=True, kw_only=True)
class Compressor:
    """One way to make a model smaller.

    Attributes:
        name: as ``compress.methods`` has it; also the kind of the contenders it makes.
        runtimes: what it can make smaller; other champions are left alone.
        apply: reads the model of the first folder and writes the smaller one into the second, whole or not at all.
    """

    name: str
    runtimes: tuple[str, ...]
    apply: Callable[[Path, Path], object]


def _prune(source: Path, target: Path) -> None:
    """Without the half of the n-grams with the smallest weights."""
    from ratchet.compress.linear import prune_linear
    from ratchet.models.linear import LinearModel

    _save(prune_linear(LinearModel.load(source)), target)


def _int8(source: Path, target: Path) -> None:
    """Weights in one byte each."""
    if (source / "model.onnx").is_file():
        from ratchet.compress.quantise import quantise_onnx

        quantise_onnx(source, target)
        return
    from ratchet.compress.linear import quantise_linear
    from ratchet.models.linear import LinearModel

    _save(quantise_linear(LinearModel.load(source)), target)


def _save(model: LinearModel, target: Path) -> None:
    from ratchet.workspace.workspace import writing

    with writing(target):
        target.mkdir(parents=True)
    model.save(target)


COMPRESSORS = (
    Compressor(name="prune", runtimes=("linear",), apply=_prune),
    Compressor(name="int8", runtimes=("linear", "onnx"), apply=_int8),
)


def compressors() -> dict[str, Compressor]:
    """Compressors by name, with those of other installed packages (entry point group ``ratchet.compressors``).

    Raises:
        RatchetError: one of them cannot be loaded.
    """
    return registered(COMPRESSORS, group=GROUP, base=Compressor)
