"""What a training reports while it runs: to files, a tracking server, a live view, and to the alerts of the recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from ratchet.monitoring.alerts import Alerts, Stop
from ratchet.monitoring.hardware import Hardware
from ratchet.monitoring.live import LiveView, epoch_line
from ratchet.monitoring.peak import utilisation
from ratchet.monitoring.sinks import BOARD as BOARD
from ratchet.monitoring.sinks import STEPS as STEPS
from ratchet.monitoring.sinks import Board, Lines, Sink
from ratchet.monitoring.standing import ALERT, COST, ENDED, LEFT, SECONDS, Standing
from ratchet.monitoring.standing import STEPS as ALL_STEPS
from ratchet.monitoring.track import Tracked
from ratchet.monitoring.watching import Watching

FLUSHED = 2.0
"""Seconds after which the file of steps is handed to the operating system, for those who watch it from outside."""


class Monitor:
    """Writes ``steps.jsonl`` and ``tensorboard/`` under a folder; with ``watching`` it also reads the machine now and then,
    shows a live view, sends to a tracking server and keeps the alerts.

    A training asks after each step whether it must end::

        with Monitor(folder, step=step, steps=steps, watching=watching) as monitor:
            ...
            monitor.write(step, {"train/loss": loss})
            if monitor.stop is not None:
                ...  # write a checkpoint
                raise monitor.stop.error()

    Args:
        folder: of the training.
        step: where the training goes on; what a killed run wrote from there on is taken out, so nothing is twice.
        steps: of the whole training; 0: unknown, and so is the time left.
        watching: what the recipe says; ``None``: only the files.
        goals: of each metric of the valid part, 1 where more is better and -1 where less is.
        flops: operations of a pass over so many tokens, as `Objective.flops`.
        peak: gives the peak of this machine in operations a second, as `peak_flops` does; called once, before the first step,
            and with ``anew=True`` where a training seems to be above it.
        parameters: settings of the training, for a tracking server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        step: int = 0,
        steps: int = 0,
        watching: Watching | None = None,
        goals: Mapping[str, int] | None = None,
        flops: Callable[[float], float] | None = None,
        peak: Callable[..., float] | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        self._watching, self._steps, self._flops, self._peak = watching, steps, flops, peak
        self._standing = Standing(name=watching.name if watching else "", goals=goals or {})
        self._view: LiveView | None = None
        self._stack = ExitStack()
        self.stop: Stop | None = None
        """The alert that ends the training, once there is one."""
        lines = Lines(folder, step=step)
        self.path = lines.path
        for at, values in lines.before:
            self._standing.take(at, values)
        self._sinks: list[Sink] = [lines, *([Board(folder, step=step)] if Board.installed() else [])]
        if watching is not None and watching.track.uri:
            self._sinks.append(
                Tracked(watching, folder=folder, before=lines.before, parameters=parameters or {}, say=self._say)
            )
        self._alerts = Alerts(watching.alerts if watching else (), name=self._standing.name, say=self._say)
        self._hardware = Hardware() if watching is not None else None
        self._best_rate = peak() if watching is not None and peak is not None and flops is not None else 0.0
        self._begin(step)

    def _begin(self, step: int) -> None:
        known = self._standing.latest
        self._first, self._last, self._begun = step, step - 1, time.monotonic()
        self._spent_before, self._seconds_before = known.get(COST, 0.0), known.get(SECONDS, 0.0)
        self._read = self._flushed = self._begun
        self._real = self._computed = self._waited = 0.0

    def __enter__(self) -> Self:
        watching = self._watching
        if watching is not None and watching.config.live:
            terminal = self._stack.enter_context(watching.aside())
            if terminal is not None:
                self._view = self._stack.enter_context(LiveView(self._standing, terminal=terminal))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(whole=kind is None)

    def batch(self, *, tokens: int, computed: int) -> None:
        """Count a batch, for the share of padding.

        Args:
            tokens: real ones.
            computed: with the padding.
        """
        self._real, self._computed = self._real + tokens, self._computed + computed

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside the block as waiting for data."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - begun

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Record named numbers at a step, and every few seconds what the machine does.

        Raises:
            WorkspaceError: the disk is full.
        """
        now = time.monotonic()
        self._last = max(self._last, step)
        if self._watching is not None and now - self._read >= self._watching.config.every:
            speed = self._real / (now - self._read) if self._real else values.get("train/tokens_s", 0.0)
            values = {**values, **self._readings(step, now=now, speed=speed)}
        self._record(step, values)
        if now - self._flushed >= FLUSHED:
            self._flushed = now
            self._sinks[0].flush()

    def validated(self, step: int, values: Mapping[str, float]) -> None:
        """Record the metrics of an epoch, whose names get ``valid/`` before them, and tell them where no view shows them.

        Raises:
            WorkspaceError: the disk is full.
        """
        named = {name if "/" in name else f"valid/{name}": value for name, value in values.items()}
        if self._watching is not None:
            speed = self._standing.latest.get(
                "train/tokens_s", 0.0
            )  # the time since the last reading was not all training
            named |= self._readings(step, now=time.monotonic(), speed=speed)
        self._record(step, named)
        self.flush()
        if self._watching is not None and self._view is None:
            self._watching.say(epoch_line(self._standing))

    def flush(self) -> None:
        """Hand everything to the operating system, so that a live view sees it."""
        for sink in self._sinks:
            sink.flush()

    def close(self, *, whole: bool = True) -> None:
        """Flush and close; ``whole``: the training came to its end."""
        with self._stack:  # whatever fails, the terminal is given back
            if whole and self._watching is not None:
                last = max(self._last, 0)
                self._record(last, {**self._account(last, now=time.monotonic()), ENDED: 1.0})
            self._alerts.close()
            for sink in self._sinks:
                sink.close(whole=whole)
        view, self._view = self._view, None
        if view is not None and self._watching is not None:
            for line in self._standing.notes:
                self._tell(line)
            self._watching.say(epoch_line(self._standing))

    def _record(self, step: int, values: Mapping[str, float]) -> None:
        for sink in self._sinks:
            sink.write(step, values)
        if self._view is not None:
            self._view.take(step, values)
        else:
            self._standing.take(step, values)
        found = self._alerts.check(step, values)
        self.stop = self.stop or found
        for name, value in self._alerts.fired.items():  # for those who look at the files
            for sink in self._sinks:
                sink.write(step, {f"{ALERT}{name}": value})

    def _readings(self, step: int, *, now: float, speed: float) -> dict[str, float]:
        """The machine, the utilisation and the account, since the reading before; ``speed`` in real tokens a second."""
        assert self._hardware is not None
        passed, self._read = max(now - self._read, 1e-9), now
        found = {**self._hardware.read(), **self._account(step, now=now)}
        if self._computed:
            found["train/padding"] = 1 - self._real / self._computed
            found["train/wait"] = min(self._waited / passed, 1.0)
        if self._flops is not None and self._best_rate and speed:
            share = utilisation(self._flops(speed), 1.0, self._best_rate)
            if share > 1 and self._peak is not None:  # the peak was measured while the machine had other work
                self._best_rate, self._peak = max(self._best_rate, self._peak(anew=True)), None
                share = utilisation(self._flops(speed), 1.0, self._best_rate)
            found["train/mfu"] = share
        self._real = self._computed = self._waited = 0.0
        return found

    def _account(self, step: int, *, now: float) -> dict[str, float]:
        """Time and money, those of a run that was killed before included."""
        assert self._watching is not None
        passed, done = now - self._begun, step + 1 - self._first
        found = {SECONDS: self._seconds_before + passed}
        if self._watching.price:
            found[COST] = self._spent_before + self._watching.price * passed / 3600
        if self._steps:
            found[ALL_STEPS] = float(self._steps)
            if done > 0:
                found[LEFT] = max(self._steps - step - 1, 0) * passed / done
        return found

    def _say(self, line: str) -> None:
        """A line of an alert or of a sink; with a view it is shown there and told once the view is gone."""
        if self._view is not None:
            self._view.note(line)
        else:
            self._tell(line)

    def _tell(self, line: str) -> None:
        if self._watching is not None:
            self._watching.say(f"{self._standing.name}: {line}" if self._standing.name else line)
