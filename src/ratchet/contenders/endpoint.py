"""A prompt before an OpenAI-compatible endpoint as a contender: asked about each row once, with its price and latency."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ratchet.bundle.bundle import Bundle
from ratchet.contenders.base import MODEL, Contender, Trained, write_contender
from ratchet.contenders.failures import failed_rows, told_failures
from ratchet.contenders.kind import Kind, Training
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.shots import divided
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import ask, require_all
from ratchet.endpoint.model import Asking, EndpointModel
from ratchet.endpoint.prompt import Example, prompts
from ratchet.endpoint.reply import Asked
from ratchet.errors import RecipeError
from ratchet.models.model import Answers, Destination
from ratchet.recipe.endpoint import EndpointLimit, EndpointSpec
from ratchet.workspace.workspace import writing

CACHE = "endpoint-replies.sqlite"


class Endpoint(Kind[EndpointSpec]):
    """A prompt, and the address of a model that answers it; the bundle is both, never the key."""

    name, spec, runtime = "endpoint", EndpointSpec, "endpoint"
    tasks = ("classification", "multilabel", "regression", "generation")
    packages, extra = ("httpx",), "endpoint"
    cheap, trained = False, False

    def train(self, folder: Path, spec: EndpointSpec, training: Training) -> None:
        """Ask about every row of the comparison; replies are kept, so that a killed run pays for none twice."""
        begun, rows = time.perf_counter(), training.rows
        wanted, examples = divided(training, shots=spec.shots)
        asked = _asked(spec, training, wanted, examples)
        cells, failures = _cells(asked, rows)
        failed = failed_rows(failures, {row: reply.text for row, reply in enumerate(asked.replies)}, rows, wanted)
        model = EndpointModel(
            Asking(
                spec=spec.model_copy(update={"limit": EndpointLimit()}),
                examples=tuple(examples),
                task=rows.task.name,
                names=rows.labels,
                column=rows.dataset.roles.text,
            )
        )
        facts = {
            "fixed": True,
            "answered_by": list(asked.models),
            "examples": len(examples),
            "requests": asked.requests,
            "tokens": {"input": asked.prompt_tokens, "output": asked.completion_tokens},
            "spent": asked.spent,
            "cost": asked.cost,
            "unsure": asked.unsure,
            "unanswered": dict(Counter(failures.values()).most_common()),
            "failed_rows": failed,
            "notes": list(asked.notes),
            "said": [_paid(asked), *told_failures(failed, Counter(failures.values())), *asked.notes],
            "not_exported": _needs_more(model),
            **_measured_facts(asked),
            **training.facts,
        }
        with writing(folder):
            (folder / MODEL).mkdir(parents=True)
        model.save(folder / MODEL)
        trained = Trained(
            predicted=wanted,
            answers=rows.task.answers(cells, rows.targets.take(wanted)),
            seconds=time.perf_counter() - begun,
            facts=facts,
            measured={
                "cost": np.array([reply.cost for reply in asked.replies]),
                "latency": np.array([reply.seconds for reply in asked.replies]),
            },
        )
        write_contender(folder, rows, self.identity(spec, training), trained)

    def sealed(self, spec: EndpointSpec, training: Training, of: Contender, bundle: Bundle) -> Answers:
        """The replies to the test rows, by the examples that were shown before."""
        del bundle
        rows, test = training.rows, training.rows.parts.test
        asking = EndpointModel.load(of.folder / MODEL).asking
        cells, _ = _cells(_asked(spec, training, test, asking.examples), rows)
        return rows.task.answers(cells, rows.targets.take(test))

    def sends_to(self, spec: EndpointSpec) -> Destination:
        """The endpoint."""
        return Destination(address=spec.url, key=spec.key)

    def named_by(self, spec: EndpointSpec) -> object:
        """How fast, and for how much at most, it is asked makes no other contender."""
        return spec.asked()


def _asked(spec: EndpointSpec, training: Training, wanted: Ints, examples: Sequence[Example]) -> Asked:
    rows = training.rows
    names = rows.task.choices(rows.labels)
    asked = prompts(rows.dataset.take(wanted), spec=spec, labels=names, examples=examples)
    with Cache(training.store / CACHE) as cache:
        found = ask(asked, spec=spec, cache=cache, labels=names, advance=training.advance)
    require_all(found, spec=spec)
    return found


def _cells(asked: Asked, rows: PartedRows) -> tuple[list[str | None], dict[int, str]]:
    """Each reply as a cell of the answer column, ``None`` where it says nothing, and why."""
    cells: list[str | None] = []
    failures = dict(asked.failures)
    for row, reply in enumerate(asked.replies):
        parsed = None if reply.text is None else rows.task.understood(reply.text, names=rows.labels)
        cells.append(None if parsed is None else parsed.value)
        if parsed is not None and parsed.value is None:
            failures[row] = parsed.reason
    return cells, failures


def _needs_more(model: EndpointModel) -> str:
    """Why the model cannot be served: its prompt needs more than the text; empty: it can."""
    try:
        model.require_text_alone()
    except RecipeError as error:
        return error.problem
    return ""


def _paid(asked: Asked) -> str:
    """Requests, tokens and money in one line."""
    kept = sum(reply.cached for reply in asked.replies)
    unsure = f", and at most {asked.unsure:,.4g} for requests without an answer" if asked.unsure else ""
    return (
        f"{len(asked.replies):,} rows ({kept:,} from stored replies), {asked.requests:,} requests, "
        f"{asked.prompt_tokens:,} + {asked.completion_tokens:,} tokens; worth {asked.cost:,.4g}, "
        f"{asked.spent:,.4g} spent now{unsure}"
    )


def _measured_facts(asked: Asked) -> dict[str, object]:
    """Means for the report's picture of quality against price and latency."""
    seconds = np.array([reply.seconds for reply in asked.replies if reply.text is not None])
    facts: dict[str, object] = {"cost_per_row": asked.cost / max(len(asked.replies), 1)}
    if len(seconds):
        low, high = np.quantile(seconds, [0.5, 0.95])
        facts["latency_ms"] = {"p50": round(1000 * float(low), 3), "p95": round(1000 * float(high), 3)}
    return facts
