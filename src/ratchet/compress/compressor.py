"""Compressors: ways to make a model smaller, each from a model's folder to another; one line each in the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ratchet.plugins import registered

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


def _int8(source: Path, target: Path) -> None:
    """Weights in int8; a linear model also loses the half of its n-grams with the smallest weights."""
    if (source / "model.onnx").is_file():
        from ratchet.compress.quantise import quantise_onnx

        quantise_onnx(source, target)
        return
    from ratchet.compress.linear import PRUNED, quantise_linear
    from ratchet.models.linear import LinearModel
    from ratchet.workspace.workspace import writing

    with writing(target):
        target.mkdir(parents=True)
    quantise_linear(LinearModel.load(source), prune=PRUNED).save(target)


COMPRESSORS = (Compressor(name="int8", runtimes=("linear", "onnx"), apply=_int8),)


def compressors() -> dict[str, Compressor]:
    """Compressors by name, with those of other installed packages (entry point group ``ratchet.compressors``).

    Raises:
        RatchetError: one of them cannot be loaded.
    """
    return registered(COMPRESSORS, group=GROUP, base=Compressor)
