"""Train an encoder: token-budget batches, fused AdamW, a checkpoint each epoch, and the same bytes after a resume."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import ratchet
from ratchet.errors import RatchetError
from ratchet.models.batching import padded
from ratchet.models.checkpoints import Source, locate
from ratchet.models.encoder import CARD, FittedEncoder, build_encoder, load_encoder, read_json, require_torch
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.batches import Plan, plan_epoch
from ratchet.train.checkpoint import Checkpoints
from ratchet.train.defaults import Settings, settle
from ratchet.train.monitor import Monitor
from ratchet.train.schedule import Schedule
from ratchet.workspace.workspace import write_atomic

if TYPE_CHECKING:
    from torch.optim import Optimizer

MODEL = "model"
HISTORY = "history.json"
BETAS = (0.9, 0.98)
PRECISION = "float32: the same numbers on every CPU; bfloat16 is 70 times slower on those without AVX512-BF16 or AMX"

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training stands, after each step."""

    step: int
    """Steps done, over all epochs."""
    steps: int
    """Steps of the whole training."""
    epoch: int
    """Counted from 1."""
    loss: float
    rate: float
    """Learning rate of the step."""
    tokens_per_second: float
    """Real tokens, padding not counted, since this process began to train."""


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch, for the learning curve."""

    epoch: int
    """Counted from 1."""
    steps: int
    train_loss: float
    """Mean over the rows, as trained (with dropout and label smoothing)."""
    valid_loss: float | None
    """Mean negative log-probability of the right label; ``None`` without valid rows."""
    valid_accuracy: float | None
    seconds: float
    """Of the training, validation apart."""
    tokens_per_second: float
    padding: float
    """Share of the computed tokens that were padding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Texts as token ids, with their labels as columns."""

    ids: list[Ints]
    targets: Ints

    @property
    def lengths(self) -> Ints:
        return np.array([len(row) for row in self.ids], dtype=np.int64)


def fit_encoder(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    valid_texts: Sequence[str],
    valid_labels: Sequence[str],
    *,
    spec: EncoderSpec,
    labels: Sequence[str],
    language: str,
    seed: int,
    threads: int,
    folder: Path,
    columns: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> FittedEncoder:
    """Train an encoder, or go on with a killed training, or load a finished one with the same inputs.

    ``folder`` gets ``model/`` (see :func:`ratchet.models.encoder.load_encoder`), ``history.json``, ``steps.jsonl``,
    ``tensorboard/`` and, until the end, ``checkpoints/``. The valid part is only watched unless ``spec.keep`` says
    that it chooses the epoch; then scores on it are flattered.

    Args:
        train_texts: n texts.
        train_labels: n label names.
        valid_texts: m texts, or none.
        valid_labels: m label names.
        spec: the recipe's section.
        labels: sorted names of all labels.
        language: of the texts: ``zh``, ``en`` or ``mixed``.
        seed: of weights, batches and dropout.
        threads: cores; 0: all. The same number gives the same bytes on one machine.
        folder: of this training.
        columns: texts in a row.
        progress: called after each step.

    Raises:
        RatchetError: the source or the rows are not usable, or the loss stopped being finite.
        WorkspaceError: the disk is full or read-only.
        ExtraMissing: torch, transformers or tokenizers is not installed.
    """
    require_torch()
    _require_rows(train_texts, train_labels, labels=labels)
    source = locate(spec.source, language=language)
    key = _key(
        [train_texts, train_labels, valid_texts, valid_labels, labels],
        facts={**spec.model_dump(mode="json", exclude={"name"}), "seed": seed, "threads": threads, "columns": columns},
        source=source,
    )
    finished = _finished(folder / MODEL, key=key, threads=threads)
    if finished is not None:
        return finished
    fresh = build_encoder(
        spec, labels=labels, language=language, texts=train_texts, seed=seed, threads=threads, columns=columns
    )
    column = {label: place for place, label in enumerate(fresh.labels)}
    train = _rows(fresh, train_texts, train_labels, column=column)
    settings = settle(spec, source=source, lengths=train.lengths, seed=seed)
    training = _Training(
        encoder=fresh,
        spec=spec,
        settings=settings,
        seed=seed,
        train=train,
        valid=_rows(fresh, valid_texts, valid_labels, column=column) if len(valid_texts) else None,
        checkpoints=Checkpoints(folder=folder / "checkpoints", key=key),
    )
    with _deterministic(threads):
        records = training.run(folder, progress=progress)
    facts = {**asdict(settings), "kept_epoch": training.kept(records), "precision": PRECISION, "key": key}
    fitted = replace(fresh, facts=facts)
    fitted.save(folder / MODEL)
    training.checkpoints.clear()
    return fitted


def read_history(folder: Path) -> list[EpochRecord]:
    """The epochs of a training in its folder, those of a killed one too; empty when there are none."""
    if not (folder / HISTORY).exists():
        return []
    return [EpochRecord(**record) for record in read_json(folder / HISTORY)["epochs"]]


class _Training:
    """The state of one training between its steps."""

    def __init__(
        self,
        *,
        encoder: FittedEncoder,
        spec: EncoderSpec,
        settings: Settings,
        seed: int,
        train: _Rows,
        valid: _Rows | None,
        checkpoints: Checkpoints,
    ) -> None:
        self.encoder, self.spec, self.seed, self.train, self.valid = encoder, spec, seed, train, valid
        self.checkpoints = checkpoints
        self.plans = [
            plan_epoch(train.lengths, seed=seed, epoch=epoch, budget=settings.batch_tokens)
            for epoch in range(settings.epochs)
        ]
        steps = sum(len(plan.batches) for plan in self.plans)
        self.schedule = Schedule(shape=spec.schedule, peak=settings.lr, warmup=spec.warmup, steps=steps)
        self.optimizer = _optimizer(encoder, decay=spec.weight_decay)
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def run(self, folder: Path, *, progress: Callable[[Progress], None] | None) -> list[EpochRecord]:
        """All epochs that are left; the network then holds the weights of the kept one."""
        state = self.checkpoints.resume(network=self.encoder.network, optimizer=self.optimizer)
        records = [EpochRecord(**record) for record in state["epochs"]] if state else []
        step = sum(record.steps for record in records)
        self._begun, self._tokens = time.perf_counter(), 0
        with Monitor(folder, step=step) as monitor:
            for epoch in range(len(records), len(self.plans)):
                if self._patience_ended(records):
                    break
                records.append(self._epoch(epoch, step=step, monitor=monitor, progress=progress))
                step += records[-1].steps
                epochs = [asdict(record) for record in records]
                write_atomic(folder / HISTORY, (json.dumps({"epochs": epochs}, indent=1) + "\n").encode())
                self.checkpoints.save(
                    epoch + 1,
                    network=self.encoder.network,
                    optimizer=self.optimizer,
                    state={"epochs": epochs},
                    keep=self.kept(records),
                )
        kept = self.kept(records)
        if kept != len(records):
            self.checkpoints.load_weights(kept, network=self.encoder.network)
        self.encoder.network.eval()
        return records

    def kept(self, records: Sequence[EpochRecord]) -> int:
        """The epoch, counted from 1, whose weights are kept so far: the last, or the best on the valid part."""
        if self.valid is None or self.spec.keep == "last":
            return len(records)
        return min(records, key=lambda record: self._badness(record)).epoch

    def _badness(self, record: EpochRecord) -> float:
        value = record.valid_loss if self.spec.keep == "loss" else record.valid_accuracy
        assert value is not None
        return value if self.spec.keep == "loss" else -value

    def _patience_ended(self, records: Sequence[EpochRecord]) -> bool:
        return bool(self.spec.patience and records) and len(records) - self.kept(records) >= self.spec.patience

    def _epoch(
        self, epoch: int, *, step: int, monitor: Monitor, progress: Callable[[Progress], None] | None
    ) -> EpochRecord:
        plan, begun, total = self.plans[epoch], time.perf_counter(), 0.0
        self.encoder.network.train()
        for place, rows in enumerate(plan.batches, start=step):
            loss, norm = self._step(place, rows=rows, epoch=epoch)
            total += loss * len(rows)
            self._tokens += int(plan.lengths[rows].sum())
            speed = self._tokens / max(time.perf_counter() - self._begun, 1e-9)
            rate = self.schedule.rate(place)
            monitor.write(place, {"train/loss": loss, "train/rate": rate, "train/norm": norm, "train/tokens_s": speed})
            if progress is not None:
                progress(
                    Progress(
                        step=place + 1,
                        steps=self.schedule.steps,
                        epoch=epoch + 1,
                        loss=loss,
                        rate=rate,
                        tokens_per_second=speed,
                    )
                )
        seconds = time.perf_counter() - begun
        loss_and_accuracy = self._validate()
        if loss_and_accuracy is not None:
            values = dict(zip(("valid/loss", "valid/accuracy"), loss_and_accuracy, strict=True))
            monitor.write(step + len(plan.batches) - 1, values)
        monitor.flush()
        return _record(plan, epoch=epoch, total=total, seconds=seconds, valid=loss_and_accuracy)

    def _step(self, step: int, *, rows: Ints, epoch: int) -> tuple[float, float]:
        """One step; the loss and the gradient's norm before it was clipped."""
        import torch
        from torch.nn.functional import cross_entropy

        network = self.encoder.network
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(step)
        network.dice.throw(self.seed, step=step)
        tokens, mask = padded(self.train.ids, rows, pad_id=self.encoder.tokens.pad_id)
        logits = network(torch.from_numpy(tokens), torch.from_numpy(mask))  # (rows, k)
        targets = torch.from_numpy(self.train.targets[rows])
        loss = cross_entropy(logits, targets, label_smoothing=self.spec.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.spec.clip))
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise RatchetError(
                f"The training loss must be finite but got {value:g} (gradient norm {norm:g}) at step {step + 1},"
                f" epoch {epoch + 1}.",
                next_step=f"Lower lr of this encoder (now {self.schedule.peak:g}) or raise its warmup.",
            )
        self.optimizer.step()
        return value, norm

    def _validate(self) -> tuple[float, float] | None:
        if self.valid is None:
            return None
        chances = self.encoder.predict_ids(self.valid.ids)
        right = chances[np.arange(len(chances)), self.valid.targets]
        loss = float(-np.log(np.maximum(right, 1e-12), dtype=np.float64).mean())
        return loss, float((chances.argmax(axis=1) == self.valid.targets).mean())


def _record(plan: Plan, *, epoch: int, total: float, seconds: float, valid: tuple[float, float] | None) -> EpochRecord:
    return EpochRecord(
        epoch=epoch + 1,
        steps=len(plan.batches),
        train_loss=total / len(plan.lengths),
        valid_loss=valid[0] if valid else None,
        valid_accuracy=valid[1] if valid else None,
        seconds=seconds,
        tokens_per_second=plan.tokens / max(seconds, 1e-9),
        padding=plan.padding,
    )


def _optimizer(encoder: FittedEncoder, *, decay: float) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019, "Decoupled weight decay regularization"); biases and norms do not decay."""
    import torch

    trained = [parameter for parameter in encoder.network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=BETAS, fused=True)


@contextmanager
def _deterministic(threads: int) -> Iterator[None]:
    """Only algorithms that repeat, on the given number of cores, inside the block."""
    import torch

    from ratchet.models.network import using_threads

    memory: Any = torch.utils.deterministic
    before, filled = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False
    try:
        with using_threads(threads):
            yield
    finally:
        torch.use_deterministic_algorithms(before)
        memory.fill_uninitialized_memory = filled


def _require_rows(texts: Sequence[str], targets: Sequence[str], *, labels: Sequence[str]) -> None:
    if len(texts) != len(targets):
        raise RatchetError(f"Each train text must have a label but got {len(texts)} texts and {len(targets)} labels.")
    if len(labels) < 2:
        raise RatchetError(f"An encoder must be trained on at least two labels but got {list(labels)}.")
    if not len(texts):
        raise RatchetError("An encoder must be trained on at least one row but got none.")


def _rows(encoder: FittedEncoder, texts: Sequence[str], names: Sequence[str], *, column: dict[str, int]) -> _Rows:
    unknown = next((name for name in names if name not in column), None)
    if unknown is not None:
        raise RatchetError(f"Each row's label must be one of {sorted(column)} but got {unknown!r}.")
    targets = np.array([column[name] for name in names], dtype=np.int64)
    return _Rows(ids=encoder.tokens.encode(texts), targets=targets)


def _key(parts: Sequence[Sequence[str]], *, facts: Mapping[str, Any], source: Source) -> str:
    """sha256 of everything that the weights depend on; 64 hex digits."""
    import torch

    wanted = {**facts, "source": source.name, "torch": torch.__version__, "ratchet": ratchet.__version__}
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        for text in part:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
    for path in sorted(source.folder.glob("*")) if source.folder else ():
        if path.suffix in (".safetensors", ".json"):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _finished(folder: Path, *, key: str, threads: int) -> FittedEncoder | None:
    if not (folder / CARD).is_file() or read_json(folder / CARD).get("facts", {}).get("key") != key:
        return None
    return load_encoder(folder, threads=threads)
