"""Which numbers a network is trained with: measured on this very device, since no rule holds for all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.recipe.training import TrainingKeys
from ratchet.workspace.finished import load_json
from ratchet.workspace.workspace import write_atomic

if TYPE_CHECKING:
    from ratchet.train.objective import Objective

Ints = npt.NDArray[np.int64]
NAMES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
WORTH = 20.0
"""A training that takes fewer seconds than this in float32 is not worth a measurement."""
GAIN = 1.25
"""Half the bits must be faster by this to be used: they round, and a small gain is noise."""
SECONDS = 10.0
"""The measurement ends after about so long."""
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What was chosen, and why."""

    name: str
    """fp32, bf16 or fp16."""
    compiled: bool
    reason: str
    """The same for the same recipe and machine."""
    measured: str = ""
    """The figures, which are others each time."""

    def autocast(self, device: str) -> AbstractContextManager[Any]:
        """Matrix products in this precision inside the block; the weights and the loss stay in float32."""
        return nullcontext() if self.name == "fp32" else _autocast(device, NAMES[self.name])

    def __str__(self) -> str:
        return f"{NAMES[self.name]}: {self.reason}"


@contextmanager
def _autocast(device: str, name: str) -> Iterator[None]:
    """torch.autocast; on a CPU attention stays in float32, and what a layer norm gives is rounded once.

    The fused backward pass of attention takes 1.2 ms in float32 against 22.6 on a CPU with AVX512-BF16 and AMX. Without the
    rounding each of a layer's products would cast the same float32 states again, and its gradient back, which is an eighth of
    a step: `benchmarks/train_speed.py` measures both.
    """
    import torch
    from torch.nn.functional import layer_norm, scaled_dot_product_attention
    from torch.overrides import TorchFunctionMode

    small = getattr(torch, name)

    class _OnCpu(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            del types
            named = kwargs or {}
            if func is layer_norm and torch.is_autocast_enabled(device):
                return func(*args, **named).to(small)
            if func is not scaled_dot_product_attention:
                return func(*args, **named)
            with torch.autocast(device, enabled=False):
                return func(*map(_float, args), **{key: _float(value) for key, value in named.items()}).to(small)

    def _float(value: Any) -> Any:
        return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    with torch.autocast(device, dtype=small), _OnCpu() if device == "cpu" else nullcontext():
        yield


def choose(
    objective: Objective, batches: Sequence[Ints], *, spec: TrainingKeys, steps: int, device: str, kept: Path
) -> Precision:
    """What the recipe says, or the fastest by a measurement of real batches, forward and backward; no weight changes.

    The choice is written into the file ``kept``, so that a training that goes on computes with the same numbers; one that was
    made on another device, or where the recipe said something else, does not hold.

    Args:
        objective: what is learnt.
        batches: of the first epoch.
        spec: of the training.
        steps: batches of the whole training.
        device: cpu or cuda.
        kept: file of the choice; its folder is there.

    Raises:
        RatchetError: the recipe wants numbers that this device cannot compute with.
    """
    wanted = [spec.precision, spec.compile, device]
    if kept.is_file():
        before = load_json(kept, keys={"name": str, "compiled": bool, "reason": str, "measured": str, "wanted": list})
        if before.pop("wanted") == wanted:
            return Precision(**before)
    found = _chosen(objective, batches, spec=spec, steps=steps, device=device)
    write_atomic(kept, (json.dumps({**asdict(found), "wanted": wanted}) + "\n").encode())
    return found


def _chosen(objective: Objective, batches: Sequence[Ints], *, spec: TrainingKeys, steps: int, device: str) -> Precision:
    sample = [batches[place] for place in np.linspace(0, len(batches) - 1, TRIES).round().astype(int)]
    if spec.precision != "auto":
        chosen = Precision(name=spec.precision, compiled=False, reason="as the recipe says")
        if _seconds(objective, sample[:1], chosen, device=device) is None:
            raise RatchetError(
                f"precision must be one that this device can compute with but got {spec.precision}.",
                next_step="Set precision: auto, which measures it.",
            )
    else:
        chosen = _fastest(objective, sample, steps=steps, device=device)
    return _compiled(objective, sample, chosen, steps=steps, device=device) if spec.compile == "measured" else chosen


def _fastest(objective: Objective, sample: Sequence[Ints], *, steps: int, device: str) -> Precision:
    plain = Precision(name="fp32", compiled=False, reason="the same numbers on every device")
    begun = time.perf_counter()
    base = _seconds(objective, sample, plain, device=device)
    if base is None:
        return plain
    if base * steps < WORTH:
        return Precision(
            name="fp32",
            compiled=False,
            reason=f"the whole training takes less than {WORTH:.0f} s, too little to measure what would be faster",
        )
    told, best, fastest = [f"float32 {1000 * base:.0f} ms a batch"], plain, base
    for name in ("bf16", "fp16"):
        other = Precision(name=name, compiled=False, reason="")
        # A first batch alone: where the device has no such kernels it may take a minute.
        first = None if time.perf_counter() - begun > SECONDS else _seconds(objective, sample[:1], other, device=device)
        if first is None:
            told.append(f"{NAMES[name]} not possible")
            continue
        taken = first if first > 2 * base else _seconds(objective, sample, other, device=device)
        assert taken is not None
        told.append(f"{NAMES[name]} {1000 * taken:.0f} ms")
        if taken * GAIN < base and taken < fastest:
            best, fastest = other, taken
    return Precision(
        name=best.name, compiled=False, reason=f"the fastest as measured on this {device}", measured=", ".join(told)
    )


def _compiled(objective: Objective, sample: Sequence[Ints], chosen: Precision, *, steps: int, device: str) -> Precision:
    """The same with torch.compile, where that saves more than compiling costs."""
    plain = _seconds(objective, sample, chosen, device=device)
    begun = time.perf_counter()
    try:
        with compiled(objective):
            faster = _seconds(objective, sample, chosen, device=device)
    except Exception as error:  # noqa: BLE001 - whatever the compiler cannot do, the plain network can
        return replace(chosen, reason=f"{chosen.reason}; torch.compile is not possible here ({type(error).__name__})")
    cost = time.perf_counter() - begun
    if plain is None or faster is None:
        return chosen
    saved = (plain - faster) * steps - cost
    told = f"torch.compile takes {cost:.0f} s and then {1000 * faster:.0f} ms a batch in place of {1000 * plain:.0f}"
    reason = f"{chosen.reason}; torch.compile is {'used' if saved > 0 else 'not worth its cost'}"
    measured = f"{chosen.measured}; {told}" if chosen.measured else told
    return replace(chosen, compiled=saved > 0, reason=reason, measured=measured)


@contextmanager
def compiled(objective: Objective) -> Iterator[None]:
    """The network's forward pass is compiled inside the block."""
    import torch

    network = objective.network
    before = network.forward
    network.forward = torch.compile(before, dynamic=True)
    try:
        yield
    finally:
        network.forward = before


def _seconds(objective: Objective, sample: Sequence[Ints], precision: Precision, *, device: str) -> float | None:
    """Median seconds of a batch, forward and backward, once warm; ``None`` where the device cannot."""
    import torch

    taken = []
    try:
        for number, rows in enumerate([sample[0], *sample]):
            objective.throw(0, step=number)
            begun = time.perf_counter()
            with precision.autocast(device):
                loss = objective.loss(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            if device == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - begun)
    except (RuntimeError, NotImplementedError, TypeError):
        return None
    finally:
        objective.network.zero_grad(set_to_none=True)
    return median(taken[1:])
