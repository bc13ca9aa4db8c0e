"""Tracking by MLflow: the numbers of each training and the verdicts of a run, sent beside the work, which never waits for it.

Metrics cannot be taken back there. A training that goes on after it was killed is therefore a new run, which begins with what
was before that step, and the run it replaces is deleted (MLflow keeps it for ``mlflow gc``).
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ratchet.errors import ExtraMissing
from ratchet.models.quiet import switch_off_telemetry
from ratchet.monitoring.sinks import Line, Sink
from ratchet.monitoring.watching import Watching
from ratchet.recipe.track import TrackConfig
from ratchet.workspace.workspace import write_atomic

RUN = "mlflow.json"
"""Beside the steps: which run of which server has them."""
EVERY = 2.0
"""Seconds whose numbers are sent together."""
BATCH, PARAMETERS = 1000, 100
"""Most metrics and parameters of one request."""
LONGEST = 500
"""Characters of a parameter or a tag."""
WAITING = 100_000
"""Numbers that may wait for a slow server; beyond, sending ends."""
GRACE = 10.0
"""Seconds that the end of a training gives to what is not yet sent."""
HTTP = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""What is put into the environment unless the user has set it: give up soon."""


def require_tracker(config: TrackConfig) -> None:
    """Refuse a recipe that tracks without MLflow's client.

    Raises:
        ExtraMissing: it is not installed.
    """
    if config.uri and find_spec("mlflow") is None:
        raise ExtraMissing("mlflow-skinny", extra="track", why="track.uri of the recipe")


class Tracked(Sink):
    """One training as a run of an MLflow experiment. When the server fails, one line is said and nothing more is sent.

    Args:
        watching: with the server, and what the training is called.
        folder: of the training.
        before: what an earlier process wrote up to the step where the training goes on.
        parameters: settings of the training.
        say: takes a line for people; called from a thread.
    """

    def __init__(
        self,
        watching: Watching,
        *,
        folder: Path,
        before: Sequence[Line],
        parameters: Mapping[str, object],
        say: Callable[[str], None],
    ) -> None:
        self._config, self._name, self._folder, self._say = watching.track, watching.name, folder, say
        self._tags = {f"ratchet.{name}": value for name, value in watching.about.items()}
        self._parameters, self._lost = dict(parameters), False
        self._waiting: queue.Queue[tuple[int, int, dict[str, float]] | str] = queue.Queue(WAITING)
        for step, values in before:
            self.write(step, values)
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """As `Sink.write`; returns at once."""
        if self._lost:
            return
        try:
            self._waiting.put_nowait((step, int(time.time() * 1000), dict(values)))
        except queue.Full:
            self._fail("it is too slow")

    def flush(self) -> None:
        """Nothing: the thread sends every few seconds."""

    def close(self, *, whole: bool) -> None:
        """As `Sink.close`; what cannot be sent in a few seconds is left."""
        if not self._lost:
            with suppress(queue.Full):
                self._waiting.put_nowait("FINISHED" if whole else "KILLED")
            self._thread.join(GRACE)
            if self._thread.is_alive():
                self._fail("it did not answer in time")

    def _work(self) -> None:
        try:
            client = _client(self._config)
            run = self._begin(client)
            while not self._lost:
                lines, end = self._taken()
                metrics = list(_metrics(lines))
                for start in range(0, len(metrics), BATCH):
                    client.log_batch(run, metrics=metrics[start : start + BATCH])
                if end:
                    client.set_terminated(run, end)
                    return
        except Exception as error:  # noqa: BLE001 - whatever a server or its client does, the training goes on
            self._fail(reason(error))

    def _taken(self) -> tuple[list[tuple[int, int, dict[str, float]]], str]:
        """What has come, waiting a little for more; and how the training ended, once it did."""
        found: list[tuple[int, int, dict[str, float]]] = []
        until = time.monotonic() + EVERY
        while len(found) < BATCH:
            try:
                item = self._waiting.get(timeout=max(until - time.monotonic(), 0.0))
            except queue.Empty:
                break
            if isinstance(item, str):
                return found, item
            found.append(item)
        return found, ""

    def _begin(self, client: Any) -> str:
        """The run for this training; one that it replaces is deleted."""
        path = self._folder / RUN
        known = _known(path)
        if known.get("uri") == self._config.uri and known.get("run"):
            with suppress(Exception):  # it may be gone there
                client.set_terminated(known["run"], "KILLED")
                client.delete_run(known["run"])
        run = _start(client, self._config, name=self._name, tags=self._tags)
        write_atomic(path, json.dumps({"uri": self._config.uri, "run": run}).encode())
        _log(client, run, parameters=self._parameters)
        return run

    def _fail(self, why: str) -> None:
        if not self._lost:
            self._lost = True
            self._say(
                f"MLflow at {where(self._config.uri)} gets nothing more of this training: {why}; the training goes on"
            )


def track_run(
    config: TrackConfig,
    *,
    name: str,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Send the end of a whole run, its verdicts as tags, as one run of the experiment; a server that is down costs a line."""
    failed: list[str] = []

    def work() -> None:
        try:
            client = _client(config)
            run = _start(client, config, name=name, tags=tags)
            _log(client, run, parameters=parameters)
            client.log_batch(run, metrics=list(_metrics([(0, int(time.time() * 1000), dict(metrics))])))
            client.set_terminated(run, "FINISHED")
        except Exception as error:  # noqa: BLE001 - as above: the run itself is done and proven
            failed.append(reason(error))

    thread = threading.Thread(target=work, name="mlflow", daemon=True)
    thread.start()
    thread.join(3 * GRACE)
    if thread.is_alive():
        failed.append("it did not answer in time")
    if failed:
        say(f"MLflow at {where(config.uri)} did not take the verdicts: {failed[0]}")


def clean(name: str) -> str:
    """The name of a metric, parameter or tag as MLflow takes it: letters, digits, the space and ``_-./``.

    >>> clean("verdict/linear (before)")
    'verdict/linear -before-'
    """
    return "".join(c if c.isalnum() or c in "_-./ " else "-" for c in name)[:250]


def flat(values: Mapping[str, object], *, before: str = "") -> Iterator[tuple[str, object]]:
    """The values of a nested mapping by dotted name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, before=f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def where(uri: str) -> str:
    """The server in a message: without its path's query, which may hold a key."""
    return uri.partition("?")[0]


def reason(error: BaseException) -> str:
    """What went wrong, in the first line of it."""
    text = (str(error).strip().splitlines() or [""])[0]
    return (text if len(text) <= 200 else f"{text[:200]} ...") or type(error).__name__


def _client(config: TrackConfig) -> Any:
    """MLflow's own client, imported with its telemetry off."""
    switch_off_telemetry()
    for name, value in HTTP.items():
        os.environ.setdefault(name, value)
    remote = config.uri.startswith(("http://", "https://"))
    if not remote:  # newer releases want to be asked for a folder, and the recipe does
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=config.uri if "://" in config.uri else Path(config.uri).absolute().as_uri())


def _start(client: Any, config: TrackConfig, *, name: str, tags: Mapping[str, str]) -> str:
    experiment = client.get_experiment_by_name(config.experiment)
    place = experiment.experiment_id if experiment is not None else client.create_experiment(config.experiment)
    cut = {key: str(value)[:LONGEST] for key, value in tags.items()}
    return str(client.create_run(place, run_name=name or None, tags=cut).info.run_id)


def _log(client: Any, run: str, *, parameters: Mapping[str, object]) -> None:
    from mlflow.entities import Param

    found = [Param(name, str(value)[:LONGEST]) for name, value in flat(parameters)]
    for start in range(0, len(found), PARAMETERS):
        client.log_batch(run, params=found[start : start + PARAMETERS])


def _metrics(lines: Sequence[tuple[int, int, dict[str, float]]]) -> Iterator[Any]:
    from mlflow.entities import Metric

    for step, stamp, values in lines:
        for name, value in values.items():
            yield Metric(name, float(value), stamp, step)


def _known(path: Path) -> dict[str, str]:
    """Which run an earlier process of this training made; empty where there is none, or the file is damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
