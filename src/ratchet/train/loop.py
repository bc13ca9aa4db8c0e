"""The training loop: batches of a plan, one step after the other, a checkpoint now and then, the same bytes after a resume."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError, RecipeError
from ratchet.monitoring.alerts import remember, require_not_stopped
from ratchet.monitoring.monitor import Monitor
from ratchet.monitoring.peak import peak_flops
from ratchet.monitoring.watching import Watching
from ratchet.recipe.training import TrainingKeys
from ratchet.train.batches import Plan
from ratchet.train.checkpoint import Checkpoints, Parts
from ratchet.train.defaults import Settings
from ratchet.train.objective import Objective
from ratchet.train.optimizer import Average, hold_back, make_optimizer, set_rate
from ratchet.train.precision import NAMES, Precision, choose, compiled
from ratchet.train.records import HISTORY, EpochRecord, Fit, Progress
from ratchet.train.schedule import Schedule
from ratchet.train.surroundings import deterministic, held_interrupt
from ratchet.workspace.workspace import Workspace, write_atomic

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINTS = "checkpoints"
PRECISION = "precision.json"
SAVE_SECONDS = 60.0
"""A checkpoint is written after so many seconds at least, so that a kill costs no more."""
SKIPPED = 20
"""In float16 a step whose gradient overflows is left out; after so many in a row the gradient is not finite for good."""
REWINDS = 3
"""So often a training whose loss is not finite goes on from the start of the epoch with half the rate."""

Ints = npt.NDArray[np.int64]
T = TypeVar("T")


@dataclass(kw_only=True)
class _Position:
    """Where a training stands, all of it that is not in a tensor."""

    epoch: int = 0
    batch: int = 0
    """Batches of the epoch that are done."""
    step: int = 0
    """Steps of the optimizer that are done, over all epochs."""
    loss: float = 0.0
    """Summed over the units of the epoch so far."""
    units: float = 0.0
    seconds: float = 0.0
    factor: float = 1.0
    """What the rate is multiplied by, halved by each rewind."""
    scaler: dict[str, Any] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    at: dict[str, int] = field(default_factory=dict)
    """Steps at the end of each epoch."""
    notes: list[str] = field(default_factory=list)


class _NotFinite(Exception):
    """A loss or a gradient that is no number."""


def fit(
    objective: Objective,
    *,
    spec: TrainingKeys,
    settings: Settings,
    folder: Path,
    facts: Mapping[str, Any],
    seed: int,
    threads: int = 0,
    save: Callable[[Fit], T],
    progress: Callable[[Progress], None] | None = None,
    watching: Watching | None = None,
) -> T:
    """Train an objective's network, or go on with a training that was killed, to the same bytes; then save it.

    ``folder`` gets ``history.json``, ``steps.jsonl``, ``tensorboard/`` and, until what was trained is saved, ``checkpoints/``.

    Args:
        objective: what is learnt; its network is on the device already.
        spec: of the training.
        settings: what the spec leaves open.
        folder: of this training, for one process at a time.
        facts: all that the weights depend on, by name, as JSON values.
        seed: of batches and dropout.
        threads: cores; 0: all. The same number gives the same bytes on one machine.
        save: saves what was trained, and gives it; its network is in place with the weights of the kept epoch.
        progress: called after each step.
        watching: what is read, shown and sent beside the files, and the alerts; it changes no weight.

    Raises:
        RatchetError: the loss stays not finite, an alert stops the training, or the spec asks for what there is not.
        WorkspaceError: the disk is full or read-only, the checkpoints are of another training, or a process is at work here.
        KeyboardInterrupt: Ctrl-C; a checkpoint was written.
    """
    if spec.keep != "last" and spec.keep not in objective.goals:
        raise RecipeError(
            f"keep must be last or one of {', '.join(objective.goals)} but got {spec.keep!r}.",
            next_step="Set keep of this challenger.",
        )
    with Workspace(folder).lock(), deterministic(threads), held_interrupt() as interrupted:
        require_not_stopped(watching.alerts if watching else (), folder=folder)
        training = _Training(
            objective=objective, spec=spec, settings=settings, seed=seed, folder=folder, facts=facts, watching=watching
        )
        saved = save(training.run(progress=progress or _silent, interrupted=interrupted))
        training.checkpoints.clear()
        return saved


def _silent(now: Progress) -> None:
    del now


class _Training:
    """One training; all that changes is in the network, the optimizer, the average and the position."""

    def __init__(
        self,
        *,
        objective: Objective,
        spec: TrainingKeys,
        settings: Settings,
        seed: int,
        folder: Path,
        facts: Mapping[str, Any],
        watching: Watching | None,
    ) -> None:
        import torch

        self.objective, self.spec, self.settings, self.seed, self.folder = objective, spec, settings, seed, folder
        self.watching = watching
        self.plans = [
            objective.plan(seed=seed, epoch=epoch, budget=settings.batch_tokens) for epoch in range(settings.epochs)
        ]
        steps = sum(math.ceil(len(plan.batches) / spec.accumulate) for plan in self.plans)
        self.schedule = Schedule(
            shape=spec.schedule, peak=settings.lr, warmup=spec.warmup, steps=steps, cooldown=spec.cooldown
        )
        self.device = next(objective.network.parameters()).device.type
        self.precision = self._precision()
        self.optimizer = make_optimizer(objective.network, objective.stages(), spec=spec)
        self.parameters = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        self.average = Average(objective.network, decay=spec.ema) if spec.ema else None
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.precision.name == "fp16")
        self.checkpoints = Checkpoints(folder=folder / CHECKPOINTS, facts={**facts, **self._computed_with()})
        self.now = _Position()
        self._whole = True  # no step is half done
        self._skipped = 0
        hold_back(objective.stages(), spec=spec, epoch=0)  # so that a checkpoint knows what is trained later

    def _precision(self) -> Precision:
        batches = self.plans[0].batches
        total = sum(len(plan.batches) for plan in self.plans)
        kept = self.folder / PRECISION
        found = choose(self.objective, batches, spec=self.spec, steps=total, device=self.device, kept=kept)
        self.objective.prepare(found.autocast(self.device))
        return found

    def _computed_with(self) -> dict[str, Any]:
        """What else decides the bytes."""
        return {"precision": self.precision.name, "epochs": self.settings.epochs, "device": self.device}

    @property
    def _parts(self) -> Parts:
        values = None if self.average is None else self.average.values
        return Parts(network=self.objective.network, optimizer=self.optimizer, average=values)

    def run(self, *, progress: Callable[[Progress], None], interrupted: threading.Event) -> Fit:
        """All steps that are left; the network then holds the weights of the kept epoch."""
        state = self.checkpoints.resume(self._parts)
        if state is not None:
            self.now = _Position(**state)
            self.scaler.load_state_dict(self.now.scaler) if self.now.scaler else None
        self.now.notes += self.checkpoints.notes
        if state is None:
            self._save()  # where a loss that is not finite goes back to
        self._begun, self._tokens, self._saved = time.perf_counter(), 0, time.monotonic()
        with compiled(self.objective) if self.precision.compiled else nullcontext():
            while not self._done(progress, interrupted):
                pass
        kept = self._kept(self.now.records)
        network = self.objective.network
        if kept != len(self.now.records) or self.average is not None:
            self.checkpoints.load_weights(self.now.at[str(kept)], network, averaged=self.average is not None)
        network.eval()
        records = tuple(EpochRecord(**record) for record in self.now.records)
        return Fit(records=records, kept_epoch=kept, precision=str(self.precision), notes=tuple(self.now.notes))

    def _done(self, progress: Callable[[Progress], None], interrupted: threading.Event) -> bool:
        """Train to the end, or until the loss is not finite: then everything is as at the start of the epoch."""
        try:
            with self._monitor() as monitor:
                while self.now.epoch < len(self.plans) and not self._patience_ended():
                    self._epoch(monitor, progress, interrupted)
                    if interrupted.is_set():
                        raise KeyboardInterrupt
        except _NotFinite as problem:
            self._rewind(str(problem))
            return False
        except KeyboardInterrupt:
            if self._whole:
                self._save()
            raise
        return True

    def _monitor(self) -> Monitor:
        import torch

        monitor = Monitor(
            self.folder,
            step=self.now.step,
            steps=self.schedule.steps,
            watching=self.watching,
            goals=self.objective.goals,
            flops=lambda tokens: self.objective.flops(1) * tokens,
            peak=partial(peak_flops, self.device, getattr(torch, NAMES[self.precision.name]), torch.get_num_threads()),
            parameters={**self.spec.model_dump(mode="json"), **asdict(self.settings), "seed": self.seed},
        )
        self.objective.waiting = monitor.waiting
        return monitor

    def _epoch(self, monitor: Monitor, progress: Callable[[Progress], None], interrupted: threading.Event) -> None:
        """The steps of an epoch that are left, its validation and its checkpoint."""
        now, plan = self.now, self.plans[self.now.epoch]
        self.objective.network.train()
        hold_back(self.objective.stages(), spec=self.spec, epoch=now.epoch)
        while now.batch < len(plan.batches):
            begun = time.perf_counter()
            batches = plan.batches[now.batch : now.batch + self.spec.accumulate]
            rate = now.factor * self.schedule.rate(now.step)
            self._whole = False
            loss, norm, problem = self._step(batches, rate=rate)
            if problem:
                monitor.write(now.step, {"train/loss": loss, "train/rate": rate, "train/norm": norm})
                raise _NotFinite(problem)
            self._whole = True
            for rows in batches:
                real = int(plan.lengths[rows].sum())
                self._tokens += real
                monitor.batch(tokens=real, computed=plan.computed(rows))
            now.seconds += time.perf_counter() - begun
            speed = self._tokens / max(time.perf_counter() - self._begun, 1e-9)
            values = {"train/loss": loss, "train/rate": rate, "train/norm": norm, "train/tokens_s": speed}
            values["train/epoch"] = now.epoch + 1
            monitor.write(now.step - 1, values)
            told = {"loss": loss, "rate": rate, "tokens_per_second": speed}
            progress(Progress(step=now.step, steps=self.schedule.steps, epoch=now.epoch + 1, **told))
            if interrupted.is_set():
                raise KeyboardInterrupt
            self._end_if_told(monitor)
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self._save()
        self._whole = False
        valid = self._validate()
        self._whole = True
        if valid:
            monitor.validated(now.step - 1, valid)
        monitor.flush()
        self._end_epoch(plan, valid)
        self._end_if_told(monitor)

    def _end_if_told(self, monitor: Monitor) -> None:
        """End where an alert says so, with a checkpoint of this moment."""
        if monitor.stop is not None:
            self._save()
            remember(monitor.stop, self.watching.alerts if self.watching else (), folder=self.folder)
            raise monitor.stop.error()

    def _step(self, batches: Sequence[Ints], *, rate: float) -> tuple[float, float, str]:
        """One step: the mean loss of a unit, the gradient's norm before it was clipped, and what is not finite in them."""
        import torch

        objective, now = self.objective, self.now
        units = sum(objective.units(rows) for rows in batches)
        set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for place, rows in enumerate(batches, start=now.batch):
            objective.throw(self.seed, step=sum(len(plan.batches) for plan in self.plans[: now.epoch]) + place)
            with self.precision.autocast(self.device):
                loss = objective.loss(rows)
            total += float(loss.detach())
            scaled: Tensor = self.scaler.scale(loss / units)
            scaled.backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.spec.clip))
        skipped = self.scaler.is_enabled() and math.isfinite(total) and not math.isfinite(norm)
        self._skipped = self._skipped + 1 if skipped else 0
        skipped = skipped and self._skipped <= SKIPPED
        if not skipped and not (math.isfinite(total) and math.isfinite(norm)):
            problem = (
                f"The training loss must be finite but got {total / units:g} (gradient norm {norm:g}) at step"
                f" {now.step + 1}, epoch {now.epoch + 1}."
            )
            return total / units, norm, problem
        self.scaler.step(
            self.optimizer
        )  # in float16 a step whose gradient overflowed is left out, and the scale lowered
        self.scaler.update()
        if self.average is not None:
            self.average.update(now.step)
        now.batch += len(batches)
        now.step += 1
        now.loss += total
        now.units += units
        return total / units, norm, ""

    def _validate(self) -> dict[str, float]:
        with nullcontext() if self.average is None else self.average.in_place():
            self.objective.network.eval()
            try:
                return self.objective.validate()
            finally:
                self.objective.network.train()

    def _end_epoch(self, plan: Plan, valid: Mapping[str, float]) -> None:
        now = self.now
        record = EpochRecord(
            epoch=now.epoch + 1,
            steps=math.ceil(len(plan.batches) / self.spec.accumulate),
            train_loss=now.loss / max(now.units, 1e-12),
            valid=dict(valid),
            seconds=now.seconds,
            tokens_per_second=plan.tokens / max(now.seconds, 1e-9),
            padding=plan.padding,
        )
        records = [*now.records, asdict(record)]
        write_atomic(self.folder / HISTORY, (json.dumps({"epochs": records}, indent=1) + "\n").encode())
        self.now = replace(
            now,
            epoch=now.epoch + 1,
            batch=0,
            loss=0.0,
            units=0.0,
            seconds=0.0,
            records=records,
            at={**now.at, str(now.epoch + 1): now.step},
        )
        self._save()

    def _save(self) -> None:
        """A checkpoint of this moment; that of the best epoch, and the start of the running one, are kept too."""
        now = self.now
        if self.scaler.is_enabled():
            now.scaler = self.scaler.state_dict()
        keep = {now.at.get(str(now.epoch), 0)}
        if now.records:
            keep.add(now.at[str(self._kept(now.records))])
        self.checkpoints.save(now.step, self._parts, state=asdict(now), keep=keep)
        self._saved = time.monotonic()

    def _rewind(self, problem: str) -> None:
        """Go back to the start of the epoch, with half the rate from there on.

        Raises:
            RatchetError: that was done often enough.
        """
        factor, notes = self.now.factor / 2, [*self.now.notes]
        if factor < 0.5**REWINDS:
            raise RatchetError(
                problem, next_step=f"Lower lr of this challenger (now {self.schedule.peak:g}) or raise its warmup."
            )
        start = self.now.at.get(str(self.now.epoch), 0)
        self.checkpoints.load(start, self._parts)
        self.checkpoints.drop_after(start)
        self._whole = True
        notes.append(f"{problem} It went back to the start of the epoch, with {factor:g} times the rate from there on.")
        epoch, records, at = self.now.epoch, self.now.records, self.now.at
        self.now = _Position(epoch=epoch, step=start, factor=factor, records=records, at=at, notes=notes)
        self._save()

    def _kept(self, records: Sequence[Mapping[str, Any]]) -> int:
        """The epoch, counted from 1, whose weights are kept so far: the last, or the best on the valid part."""
        if self.spec.keep == "last" or not records[0]["valid"]:
            return len(records)
        sign = self.objective.goals[self.spec.keep]
        best = max(records, key=lambda record: (sign * record["valid"][self.spec.keep], -record["epoch"]))
        return int(best["epoch"])

    def _patience_ended(self) -> bool:
        records = self.now.records
        return bool(self.spec.patience and records) and len(records) - self._kept(records) >= self.spec.patience
