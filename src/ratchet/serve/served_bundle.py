"""What is served of a bundle: how it is asked, how its answers are written, and who computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.golden import Golden
from ratchet.bundle.predict import load_model, require_consent
from ratchet.bundle.reference import Reference
from ratchet.bundle.runtimes import is_isolated
from ratchet.models.model import Answers, Predictor
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import openapi
from ratchet.serve.crew import Crew, Threads
from ratchet.serve.engine import SELF_TEST, Loading, threads_each, worker_count
from ratchet.serve.live import Live
from ratchet.serve.messages import PredictResponse
from ratchet.serve.processes import Processes
from ratchet.serve.proof import Proof
from ratchet.serve.rows import Cells, Fields
from ratchet.tasks.registry import task_of
from ratchet.tasks.task import Task

SHORT = 12  # hex digits of the bundle's sha256 in answers
OVERTIME = 5.0  # seconds after the deadline until a worker process that still computes is ended


@dataclass(frozen=True, kw_only=True)
class ServedBundle:
    """What a bundle is asked, and how its answers are written."""

    name: str
    short: str
    task: Task
    fields: Fields
    labels: tuple[str, ...]
    facts: Mapping[str, Any]
    live: Live | None = None
    """What is counted of what is served, where the bundle says what the training rows were like."""

    @classmethod
    def of(cls, bundle: Bundle) -> ServedBundle:
        """That of a bundle.

        Raises:
            RatchetError: its task is not installed.
        """
        manifest, reference = bundle.manifest, Reference.of(bundle)
        return cls(
            name=bundle.name,
            short=bundle.sha256[:SHORT],
            task=task_of(manifest.task),
            fields=Fields.of(manifest),
            labels=bundle.labels,
            facts=manifest.model,
            live=None if reference is None else Live(reference, name=bundle.name),
        )

    def alone(self, text: str) -> Cells:
        """A row of this text and nothing else."""
        return (text, *(None for _ in self.fields.names[1:]))

    def predictions(self, answers: Answers) -> list[dict[str, Any]]:
        """What clients are told of each row."""
        return self.task.predictions(answers, names=self.labels, facts=self.facts)

    def written(self, answers: Answers) -> bytes:
        """The body of an answer."""
        response = PredictResponse(model=self.name, bundle=self.short, predictions=self.predictions(answers))
        return msgspec.json.encode(response)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of one prediction."""
        return self.task.schema(names=self.labels, facts=self.facts)

    def document(self, *, keyed: bool) -> bytes:
        """The OpenAPI document."""
        what = openapi.Served(name=self.name, version=self.short, prediction=self.schema, fields=self.fields)
        return msgspec.json.encode(openapi.document(what, keyed=keyed))


def loading(
    opened: Bundle | Path, *, config: ServeConfig, model: Predictor | None = None, send_to: str = ""
) -> Loading[ServedBundle]:
    """A bundle that is about to be served.

    Args:
        opened: the bundle, or its folder, which is verified then.
        config: workers and deadline.
        model: used instead of the bundle's own.
        send_to: the address that texts may be sent to, where the model is behind one.

    Raises:
        BundleError: the bundle is incomplete or was changed, or sends texts to another address than ``send_to``.
        RatchetError: its task is not installed.
    """
    bundle = opened if isinstance(opened, Bundle) else Bundle.open(opened)
    paid = require_consent(bundle, send_to=send_to) is not None
    what = ServedBundle.of(bundle)
    processes = model is None and is_isolated(bundle.kind)
    workers = worker_count(config, processes=processes)
    crew: Crew
    if processes:
        patience = config.deadline + OVERTIME
        crew = Processes(bundle.path, count=workers, threads=threads_each(workers), patience=patience)
    else:
        own = model
        crew = Threads(lambda: own or load_model(bundle, threads=threads_each(workers), send_to=send_to), count=workers)
    rows: Sequence[str] = () if paid else what.fields.inputs([what.alone(text) for text in SELF_TEST])
    golden = None if paid or model is not None else Golden.of(bundle)
    proof = Proof(name=bundle.name, rows=rows, written=what.written, golden=golden, task=what.task, several=not paid)
    return Loading(what=what, crew=crew, prove=proof)
