"""The section of a challenger whose settings are chosen by trials on the training rows."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from ratchet.recipe.metric import MetricName
from ratchet.recipe.section import Name, Section
from ratchet.recipe.sections import LinearSpec
from ratchet.recipe.space import Space, require_space, with_lists

_ADDRESSES = ("postgresql", "postgres")


def _learner(value: object) -> object:
    """The section of what is tuned, from its values or from the name of its kind alone.

    Raises:
        ValueError: there is no such kind, its models are not trained here, or one of its keys is wrong.
    """
    if isinstance(value, Section):
        return value
    values: Any = {"kind": value} if isinstance(value, str) else value
    # which kinds there are is known to the registry, which lies above the recipe
    kinds: dict[str, Any] = import_module("ratchet.contenders.registry").kinds()
    known = [name for name, kind in kinds.items() if kind.trained and kind.spec is not TuneSpec]
    kind = values.get("kind") if isinstance(values, dict) else None
    if kind not in known:
        near = difflib.get_close_matches(str(kind), known, n=1)
        said = f"; did you mean {near[0]}?" if near else "."
        raise ValueError(f"kind must be one of {', '.join(known)} but got {kind!r}{said}")
    spec: type[Section] = kinds[str(kind)].spec
    try:
        return spec.model_validate(values)
    except ValidationError as error:
        raise ValueError(_first(error, spec)) from None


def _first(error: ValidationError, spec: type[Section]) -> str:
    """The first mistake, from its key on."""
    found = error.errors()[0]
    key = ".".join(map(str, found["loc"])) or "kind"
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, spec.model_fields, n=1)
        said = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(spec.model_fields)}."
        return f"{key} must be a key of the kind but there is no such key: {said}"
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    return f"{key} must be {found['msg'].removeprefix('Input should be ')} but got {found['input']!r}."


_OF_SCHEMA = {
    "anyOf": [
        {"type": "string", "description": "The name of the kind, with its defaults."},
        {"type": "object", "required": ["kind"], "description": "A section of that kind."},
    ],
    "description": "What is tuned.",
}


class TuneSpec(Section):
    """Another challenger whose settings are chosen by trials: on folds of the training rows, never on rows that it is judged
    on."""

    kind: Literal["tune"] = "tune"
    """Which kind of contender this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    of: Annotated[SerializeAsAny[Section], BeforeValidator(_learner), WithJsonSchema(_OF_SCHEMA)] = LinearSpec()
    """What is tuned: the name of a kind (linear, blend, embedding, encoder ...), or a whole section of it."""
    space: Space = Field(default={}, json_schema_extra=with_lists)
    """Keys of that section, such as ``features.0.high``, each with ``{low: 1, high: 5}`` (also ``log``, ``step``) or a list
    of values; empty: a usual space, which is said."""
    trials: int = Field(default=50, ge=1, le=10_000)
    """Settings that are tried in each study; the first are those of ``of`` as they are."""
    minutes: float = Field(default=0.0, ge=0)
    """Minutes of trials after which a study begins no further one; 0: no limit."""
    folds: int = Field(default=3, ge=2, le=20)
    """Folds of the training rows on which a trial is scored."""
    metric: MetricName | None = None
    """What the best trial is best in; absent: the first metric of the gate."""
    pruner: Literal["median", "halving", "none"] = "median"
    """Which trials end early: those below the median of the others (after a fold, or an epoch of the first), all but the best
    half after some of the folds, or none."""
    storage: str = ""
    """Where trials are kept: a journal in the workspace (empty), or ``postgresql://user@host/database`` for many workers."""
    password: str = ""
    """Name of the environment variable with the password of the storage; empty: it needs none."""

    @model_validator(mode="after")
    def _right(self) -> Self:
        address = urlsplit(self.storage)
        if self.storage and address.scheme.partition("+")[0] not in _ADDRESSES:
            raise ValueError("storage must be empty or begin with postgresql:// but begins with something else.")
        if address.password is not None or "password" in parse_qs(address.query):
            raise ValueError(
                "storage must have no password in it, since recipes are recorded, but has one: put it into an environment "
                "variable and name that in the key password."
            )
        if self.password and not self.storage:
            raise ValueError("password must have a storage beside it but there is none.")
        try:
            require_space(self.of, self.space)
        except ValueError as error:
            raise ValueError(f"space.{error}") from None
        return self
