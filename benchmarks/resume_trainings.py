"""The trainings that `resume.py` kills: each is one call that begins, or goes on, in a folder, and tells every step it did."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import numpy as np
from train_speed import rows_of, trainer

SAVE_STEPS = 5
"""HF Trainer saves after so many steps."""


def say(word: str) -> None:
    """A line to the parent, who waits for it; written before the next step begins."""
    os.write(sys.stdout.fileno(), f"{word}\n".encode())


def _told(progress: Any) -> None:
    say(f"step {progress.step}")


def classifier(folder: Path, args: argparse.Namespace) -> None:
    """Ratchet: MiniLM with a head, accumulated batches, and a moving average of the weights."""
    from ratchet.models.targets import Targets
    from ratchet.recipe.sections import EncoderSpec
    from ratchet.train import loop
    from ratchet.train.encoder import fit_encoder

    loop.SAVE_SECONDS = args.every
    texts, names = rows_of(args)
    right = Targets.of_labels(names)
    watched = np.arange(0, len(texts), 10)
    spec = EncoderSpec.model_validate(
        {"source": args.source, "epochs": args.epochs, "ema": 0.99, "accumulate": 2, "keep": "loss", "dropout": 0.1}
    )
    fit_encoder(
        texts, right, [texts[row] for row in watched], right.take(watched),
        spec=spec, language="en", seed=1, threads=1, folder=folder, progress=_told,
    )  # fmt: skip


def classifier_hf(folder: Path, args: argparse.Namespace) -> None:
    """HF Trainer over the same rows."""
    texts, names = rows_of(args)
    made = trainer(texts, names, args, frozen=0, place=str(folder), **_saving())
    _go_on(made, folder)


def generator(folder: Path, args: argparse.Namespace) -> None:
    """Ratchet: an adapter with dropout beside a small generator, examples packed into lines, the answer is the label."""
    from ratchet.recipe.finetune import DecoderSpec
    from ratchet.train import loop
    from ratchet.train.finetune import Asked, fit_decoder

    loop.SAVE_SECONDS = args.every
    texts, names = rows_of(args)
    spec = DecoderSpec.model_validate(
        {"source": _base(args), "tuning": "lora", "rank": 8, "dropout": 0.1, "epochs": args.epochs, "max_tokens": 128}
        | {"max_new_tokens": 32, "accumulate": 2, "keep": "loss", "batch_tokens": 512}
    )
    train, valid = Asked(texts=texts, answers=names), Asked(texts=texts[:32], answers=names[:32])
    fit_decoder(train, valid, spec=spec, language="en", seed=1, threads=1, folder=folder, progress=_told)


def generator_hf(folder: Path, args: argparse.Namespace) -> None:
    """HF Trainer with peft over the same conversations; it has no packing."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

    torch.set_num_threads(1)
    torch.manual_seed(1)
    base = _base(args)
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    shape = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM")
    data = []
    for text, name in zip(*rows_of(args), strict=True):
        asked = tokenizer(text + "\n", truncation=True, max_length=96)["input_ids"]
        said = [*tokenizer(name, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        data.append({"input_ids": asked + said, "labels": [-100] * len(asked) + said})
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=args.epochs, per_device_train_batch_size=16, learning_rate=1e-3,
        gradient_accumulation_steps=2, optim="adamw_torch_fused", use_cpu=True, report_to="none", disable_tqdm=True,
        seed=1, lr_scheduler_type="cosine", warmup_steps=5, **_saving(),
    )  # fmt: skip
    made = Trainer(
        model=get_peft_model(model, shape),
        args=arguments,
        train_dataset=data,
        data_collator=DataCollatorForSeq2Seq(tokenizer),
    )
    _go_on(made, folder)


def _saving() -> dict[str, Any]:
    return {
        "train_sampling_strategy": "group_by_length",
        "save_strategy": "steps",
        "save_steps": SAVE_STEPS,
        "save_total_limit": 2,
    }


def _go_on(made: Any, folder: Path) -> None:
    from transformers import TrainerCallback

    class Told(TrainerCallback):
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            say(f"step {state.global_step}")

    made.add_callback(Told())
    there = any(path.name.startswith("checkpoint-") for path in folder.glob("*"))
    made.train(resume_from_checkpoint=True if there else None)
    made.save_model(str(folder / "model"))


def _base(args: argparse.Namespace) -> str:
    """A small generator to start from, made once beside the trainings."""
    from ratchet.generators.decoder import build_decoder
    from ratchet.generators.generators import Shape

    place: Path = args.place / "base"
    if not place.exists():
        texts, names = rows_of(args)
        shape = Shape(layers=4, width=128, heads=4, vocabulary=1024)
        build_decoder(
            "scratch", texts=[*texts, *names], max_tokens=128, max_new_tokens=32, shape=shape, seed=5, threads=1
        ).save(place)
    return str(place)


TRAININGS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "classifier": classifier,
    "classifier-hf": classifier_hf,
    "generator": generator,
    "generator-hf": generator_hf,
}
