"""A space of settings: keys of a recipe's section, dotted where one lies inside another, and what each may be."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Self, get_args, get_origin

from pydantic import BeforeValidator, JsonValue, ValidationError, WithJsonSchema, model_validator

from ratchet.recipe.section import Section

_NOT_TUNED = ("kind", "name")


class Range(Section):
    """What one key may be: a range of numbers, or one of several values."""

    low: float | None = None
    """Smallest number."""
    high: float | None = None
    """Largest number."""
    log: bool = False
    """Draw the logarithm evenly, for what spans several powers of ten."""
    step: float | None = None
    """Distance of the numbers that may be drawn; absent: 1 for whole numbers, none for others."""
    choices: Annotated[tuple[JsonValue, ...], WithJsonSchema({"type": "array"})] = ()
    """The values; a list in the place of the whole range means the same."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.choices:
            if any(value is not None for value in (self.low, self.high, self.step)) or self.log:
                raise ValueError("choices must stand alone but has low, high, log or step beside it.")
            return self
        if self.low is None or self.high is None:
            raise ValueError("low must have high beside it, or choices in its place, but one of them is missing.")
        if self.high <= self.low:
            raise ValueError(f"high must be above low ({self.low:g}) but got {self.high:g}.")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 where log is true but got {self.low:g}.")
        if self.log and self.step is not None:
            raise ValueError("step must be absent where log is true but is there.")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(f"step must be above 0 and at most high - low but got {self.step:g}.")
        return self

    @property
    def ends(self) -> tuple[JsonValue, ...]:
        """The values that are looked at before anything is drawn: both ends, or all choices."""
        return self.choices or (self.low, self.high)

    @property
    def told(self) -> str:
        """The range for people."""
        if self.choices:
            return f"one of {', '.join(shown(value) for value in self.choices)}"
        steps = ", log" if self.log else f", steps of {self.step:g}" if self.step else ""
        return f"{self.low:g} to {self.high:g}{steps}"


def _listed(value: object) -> object:
    """A list as the choices that it means; once a value was looked at here, strict checking takes tuples only."""
    values = {"choices": value} if isinstance(value, list | tuple) else value
    if isinstance(values, dict) and isinstance(values.get("choices"), list):
        return {**values, "choices": tuple(values["choices"])}
    return values


Space = dict[str, Annotated[Range, BeforeValidator(_listed)]]
"""Ranges by key."""


def with_lists(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema of a space that a list stands for choices."""
    schema["additionalProperties"] = {"anyOf": [schema["additionalProperties"], {"type": "array", "minItems": 1}]}


def shown(value: object) -> str:
    """A value of a space as people read it, and as a study keeps one that is no number, text or truth value."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def changed(section: Section, values: Mapping[str, Any]) -> Section:
    """The section with other values of some of its keys; what lies on the way to a key is made.

    Raises:
        ValidationError: the section may not have these values.
    """
    found: dict[str, Any] = section.model_dump(mode="json", exclude_unset=True)
    if "kind" in type(section).model_fields:
        found["kind"] = type(section).model_fields["kind"].default
    for key, value in values.items():
        steps = key.split(".")
        holder: Any = found
        for place, step in enumerate(steps):
            at: str | int = int(step) if isinstance(holder, list) else step
            if isinstance(holder, list):
                holder += [{} for _ in range(int(step) + 1 - len(holder))]
            if place + 1 == len(steps):
                holder[at] = value
            elif isinstance(holder, dict) and holder.get(step) is None:
                holder[at] = [] if steps[place + 1].isdecimal() else {}
            holder = holder[at]
    return type(section).model_validate(found)


def value_at(section: Section, key: str) -> Any:
    """What the section has there; ``None`` where there is nothing."""
    found: Any = section.model_dump(mode="json")
    for step in key.split("."):
        if isinstance(found, list):
            found = found[int(step)] if step.isdecimal() and int(step) < len(found) else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return found


def is_whole(section: type[Section], key: str) -> bool:
    """Whether the key takes whole numbers only."""
    kinds = {*_flat(_annotation(section, key))}
    return int in kinds and float not in kinds


def require_space(section: Section, space: Mapping[str, Range]) -> None:
    """Refuse a key that the section has not, and a value that it may not have.

    Raises:
        ValueError: it begins with the key, and has the nearest right one.
    """
    for key, one in space.items():
        _annotation(type(section), key)
        if any(isinstance(end, float) and not end.is_integer() for end in (*one.ends, one.step)) and is_whole(
            type(section), key
        ):
            raise ValueError(f"{key} must have whole numbers but got {one.told}.")
        whole = not one.choices and is_whole(type(section), key)
        for end in one.ends:
            try:
                changed(section, {key: int(end) if whole and isinstance(end, float) else end})
            except ValidationError as error:
                wrong = next((found for found in error.errors() if found["type"] != "value_error"), None)
                if wrong is not None:
                    said = wrong["msg"].removeprefix("Input should be ")
                    raise ValueError(f"{key} must be {said} but got {shown(end)}.") from None


def keys_of(section: type[Section], *, before: str = "") -> Iterator[str]:
    """Every key of a section that may be tuned, with 0 for the number of an item."""
    for name, info in section.model_fields.items():
        if before or name not in _NOT_TUNED:
            inner = [kind for kind in _flat(info.annotation) if isinstance(kind, type) and issubclass(kind, Section)]
            yield from [] if inner else [f"{before}{name}"]
            for one in inner:
                many = "0." if _many(info.annotation) else ""
                yield from keys_of(one, before=f"{before}{name}.{many}")


def _annotation(section: type[Section], key: str) -> Any:
    """The type of what stands at a key.

    Raises:
        ValueError: there is no such key.
    """
    found: Any = section
    steps = key.split(".")
    for place, step in enumerate(steps):
        parts = _flat(found)
        sections = [kind for kind in parts if isinstance(kind, type) and issubclass(kind, Section)]
        if step.isdecimal() and _many(found):
            found = tuple(argument for one in _many(found) for argument in get_args(one) if argument is not Ellipsis)
            continue
        fields = [one.model_fields[step] for one in sections if step in one.model_fields]
        if not fields or (not place and step in _NOT_TUNED) or _many(found):
            known = [*keys_of(section)]
            near = difflib.get_close_matches(key, known, n=1) or [
                one for one in known if one.split(".")[-1] == steps[-1]
            ]
            said = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}."
            raise ValueError(f"{key} must be a key of {section.__name__} that may be tuned but is none: {said}")
        found = fields[0].annotation
    return found


def _many(annotation: Any) -> list[Any]:
    """The tuples among the forms of an annotation."""
    forms = annotation if isinstance(annotation, tuple) else (annotation, *get_args(annotation))
    return [one for one in forms if _is(get_origin(one), tuple)]


def _is(origin: object, kind: type) -> bool:
    return origin is kind


def _flat(annotation: Any) -> Sequence[Any]:
    """All types inside an annotation."""
    forms = annotation if isinstance(annotation, tuple) else (annotation,)
    found: list[Any] = []
    for one in forms:
        inner = tuple(
            argument for argument in get_args(one) if argument is not Ellipsis and not isinstance(argument, str)
        )
        found += [one, *(_flat(inner) if inner else ())]
    return found
