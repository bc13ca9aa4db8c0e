"""One run: its recipe, workspace, ledger and console, and the time of each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ratchet.gate.ledger import Ledger
from ratchet.recipe.sections import Recipe
from ratchet.screen import Screen
from ratchet.stages.names import Stage
from ratchet.workspace.finished import finished
from ratchet.workspace.workspace import Holder, Workspace

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: its recipe, where it works, and whom it tells."""

    recipe: Recipe
    workspace: Workspace
    ledger: Ledger
    run: str
    screen: Screen
    code: str
    stages: dict[Stage, tuple[float, str]] = field(default_factory=dict)
    """Seconds and state of each stage, in order, for the summary."""

    @property
    def folder(self) -> Path:
        """Folder of this run."""
        return self.workspace.runs / self.run

    @contextmanager
    def held(self, *, wait: bool) -> Iterator[None]:
        """Hold the workspace; with ``wait``, which is said, once another run has ended, instead of refusing."""

        def waiting(holder: Holder | None) -> None:
            self.screen.say("wait", f"another run is at work ({holder})")

        with self.workspace.lock(wait=wait, on_wait=waiting):
            yield

    @contextmanager
    def stage(self, name: Stage) -> Iterator[list[bool]]:
        """Time a stage; it appends to the list whether each of its steps was skipped."""
        begun, skipped = time.perf_counter(), list[bool]()
        yield skipped
        state = "skipped" if skipped and all(skipped) else "ran"
        seconds, before = self.stages.get(name, (0.0, "skipped"))
        self.stages[name] = (seconds + time.perf_counter() - begun, "ran" if "ran" in (state, before) else "skipped")


def skip(job: Job, name: str, reason: str) -> None:
    """Say and record why a challenger was not tried."""
    job.ledger.note("skipped", {"run": job.run, "name": name, "reason": reason}, key=f"skipped:{job.run}:{name}")
    job.screen.say("challenge", f"{name}: skipped. {reason}")


def train_once(job: Job, key: str, train: Callable[[Path], None], skipped: list[bool]) -> Path:
    """The folder of the contender with this key, trained unless it is there."""
    folder = job.workspace.models / key
    skipped.append(finished(folder, train))
    return folder
