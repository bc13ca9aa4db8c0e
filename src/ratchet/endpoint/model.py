"""A prompt before an endpoint as a model that is served: its folder holds the prompt and the address, never the key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from ratchet.bounds import json_value
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import ask, require_all
from ratchet.endpoint.key import NoAnswer
from ratchet.endpoint.prompt import Example, Prompt, prompts
from ratchet.errors import BundleError
from ratchet.models.model import Answers, Destination
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.tables.dataset import Dataset, Roles
from ratchet.tasks.registry import task_of

FILE = "endpoint.json"
FORMAT = "ratchet-endpoint-1"


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How an endpoint is asked: the settings, the examples that a prompt shows, the task, and its possible answers."""

    spec: EndpointSpec
    examples: tuple[Example, ...]
    task: str
    names: tuple[str, ...]
    column: str = "text"
    """Name of the text column, by which a prompt may call the text."""


class EndpointModel:
    """Asks the endpoint about each text; replies are not kept."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of the answer."""
        return self.asking.names

    def predict(self, texts: Sequence[str], /) -> Answers:
        """The answers, as the task has them.

        Raises:
            EndpointError: the endpoint cannot be asked.
            NoAnswer: a text has no usable answer; the message says why.
        """
        asking = self.asking
        task = task_of(asking.task)
        names = task.choices(asking.names)
        wanted = self._prompts(texts)
        with TemporaryDirectory() as folder, Cache(Path(folder) / "replies.sqlite") as cache:
            asked = ask(wanted, spec=asking.spec, cache=cache, labels=names)
        require_all(asked, spec=asking.spec)
        cells: list[str] = []
        for row, reply in enumerate(asked.replies):
            parsed = None if reply.text is None else task.understood(reply.text, names=asking.names)
            if parsed is None or parsed.value is None:
                reason = reply.reason if parsed is None else parsed.reason
                raise NoAnswer(f"The endpoint must answer each text but text {row + 1} got no usable answer: {reason}.")
            cells.append(parsed.value)
        return task.answers(cells, task.targets(cells, names=asking.names))

    def require_text_alone(self) -> None:
        """Refuse a prompt that needs more than a text, which is all that a request to a server has.

        Raises:
            RecipeError: it names what the prompt needs.
        """
        self._prompts(["text"])

    def _prompts(self, texts: Sequence[str]) -> list[Prompt]:
        asking = self.asking
        names = task_of(asking.task).choices(asking.names)
        return prompts(_table(texts, asking.column), spec=asking.spec, labels=names, examples=asking.examples)

    def save(self, folder: Path, /) -> None:
        """Write the prompt and the address."""
        described = {
            "format": FORMAT,
            "spec": self.asking.spec.model_dump(mode="json"),
            "examples": [dict(example) for example in self.asking.examples],
            "task": self.asking.task,
            "names": self.asking.names,
            "column": self.asking.column,
        }
        (folder / FILE).write_text(json.dumps(described, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> EndpointModel:
        """Read what ``save`` wrote.

        Raises:
            BundleError: the file is missing or damaged.
        """
        del threads
        try:
            described = json_value((folder / FILE).read_bytes())
            if described["format"] != FORMAT:
                raise ValueError(f"the format is {described['format']!r}")
            asking = Asking(
                spec=EndpointSpec.model_validate(described["spec"]),
                examples=tuple({str(k): str(v) for k, v in example.items()} for example in described["examples"]),
                task=str(described["task"]),
                names=tuple(str(name) for name in described["names"]),
                column=str(described["column"]),
            )
        except (OSError, KeyError, TypeError, AttributeError, ValueError, ValidationError) as error:
            raise BundleError(
                f"{folder / FILE} must hold a prompt and an address but: {type(error).__name__}.",
                next_step="Export the bundle again.",
            ) from None
        return cls(asking)


def sends_to(folder: Path) -> Destination:
    """Where the model in this folder sends each text; nothing is sent yet.

    Raises:
        BundleError: the file is missing or damaged.
    """
    spec = EndpointModel.load(folder).asking.spec
    return Destination(address=spec.url, key=spec.key)


def _table(texts: Sequence[str], column: str) -> Dataset:
    """The texts as a table of one column."""
    rows = np.arange(len(texts))
    return Dataset(
        table=pa.table({column: pa.array(list(texts), pa.string())}),
        roles=Roles(text=column),
        files=("the request",),
        file_index=np.zeros(len(texts), np.int64),
        origin=rows + 1,
    )
